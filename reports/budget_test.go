package reports

import (
	"testing"

	"github.com/hachaos/hachaos/loadgen"
)

// The classic table: 99.9 % = 8.76 h, 99.95 % = 4.38 h, 99.99 % = 52.56 min and
// 99.999 % = 5.256 min a year.
func TestBudgetTable(t *testing.T) {
	for objective, want := range map[float64][5]float64{ // day, week, month, quarter, year
		0.99:    {864, 6048, 25920, 77760, 315360},
		0.999:   {86.4, 604.8, 2592, 7776, 8.76 * 3600},
		0.9995:  {43.2, 302.4, 1296, 3888, 4.38 * 3600},
		0.9999:  {8.64, 60.48, 259.2, 777.6, 52.56 * 60},
		0.99999: {0.864, 6.048, 25.92, 77.76, 5.256 * 60},
		1:       {},
		0:       {86400, 604800, 2592000, 7776000, 31536000},
	} {
		for i, row := range BudgetTable(objective) {
			if row.AllowedS != want[i] {
				t.Errorf("%v allows %v s a %s, want exactly %v", objective, row.AllowedS, row.Window, want[i])
			}
		}
	}
}

func TestBudgetSpent(t *testing.T) {
	for name, c := range map[string]struct {
		objective              float64
		probes                 string
		allowed, spent, shares float64
	}{
		"spent":            {0.999, ".99x", 2592, 0.01, 0.01 / 2592},
		"nothing":          {0.999, ".100", 2592, 0, 0},
		"no prober":        {0.999, "", 2592, -1, -1},
		"nothing to spend": {1, ".99x", 0, 0.01, -1},
	} {
		run := Run{Budget: &BudgetPolicy{c.objective, 30 * day}}
		if c.probes != "" {
			run.Probes = []*loadgen.ProbeRecording{probesOf(c.probes)}
		}
		b := Fold(run).Budget
		near(t, name+": allowed_s", &b.AllowedS, c.allowed)
		near(t, name+": spent_s", b.SpentS, c.spent)
		near(t, name+": spent_ratio", b.SpentRatio, c.shares)
	}
	// One probe of a hundred failed: ten times as much as 99.9 % allows.
	run := Run{Budget: &BudgetPolicy{0.999, 30 * day}, Probes: []*loadgen.ProbeRecording{probesOf(".99x")}}
	near(t, "burn_rate", Fold(run).Budget.BurnRate, 10)
	run.Budget.Objective = 1
	near(t, "burn_rate of nothing to spend", Fold(run).Budget.BurnRate, -1)
	if Fold(Run{}).Budget != nil {
		t.Error("a budget that nobody set")
	}
}
