package reports

import (
	"math"
	"time"
)

const day = 24 * time.Hour

// budgetWindows are the windows of a budget table: a month is 30 days, a
// quarter three of them, and a year 365 days.
var budgetWindows = []struct {
	name string
	d    time.Duration
}{{"day", day}, {"week", 7 * day}, {"month", 30 * day}, {"quarter", 90 * day}, {"year", 365 * day}}

// BudgetTable returns how much downtime an objective (0…1) allows in a day, a
// week, a month of 30 days, a quarter of 90 and a year of 365: the error budget
// (1 − objective) × window of Google's Site Reliability Engineering, chapter 3.
func BudgetTable(objective float64) []BudgetRow {
	rows := make([]BudgetRow, 0, len(budgetWindows))
	for _, w := range budgetWindows {
		rows = append(rows, BudgetRow{Window: w.name, WindowS: seconds(w.d), AllowedS: allowed(objective, w.d)})
	}
	return rows
}

// allowed is in seconds. It is rounded where only the noise of binary fractions
// is left: 1 − 0.99999 is not the float64 nearest to 0.00001.
func allowed(objective float64, window time.Duration) float64 {
	share := math.Round((1-objective)*1e15) / 1e15
	return math.Round(share*seconds(window)*1e9) / 1e9
}

// foldBudget says what the run spent of a budget, and how fast: its burn rate is
// the share of time that was down ÷ the share that may be, 1 − objective. At a
// rate of 1 the budget lasts exactly its window, at 10 a tenth of it (The Site
// Reliability Workbook, Google, chapter 5, "Alerting on SLOs"). It is that of
// the run, in which faults come closer together than in service.
func foldBudget(policy *BudgetPolicy, a *Availability) *Budget {
	if policy == nil {
		return nil
	}
	b := &Budget{
		Objective: policy.Objective,
		WindowS:   seconds(policy.Window),
		AllowedS:  allowed(policy.Objective, policy.Window),
		SpentS:    a.DowntimeS,
		Table:     BudgetTable(policy.Objective),
	}
	if b.SpentS != nil && b.AllowedS > 0 {
		b.SpentRatio = known(*b.SpentS / b.AllowedS)
	}
	if share := allowed(policy.Objective, time.Second); a.Uptime != nil && share > 0 {
		b.BurnRate = known(math.Round((1-*a.Uptime)/share*1e9) / 1e9) // 1 − uptime is not exact
	}
	return b
}
