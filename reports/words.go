package reports

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// countOf is "1 request", "0 requests", "13,012 requests".
func countOf(n int64, noun string) string {
	return units.CountOf(n, noun)
}

// times is "once", "twice", "3 times".
func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return countOf(int64(n), "time")
}

// text is the objective's figure in words; where rounding would make it look like
// a limit that it misses, or has to lie beyond, with all its digits.
func (s SLO) text() string {
	if s.Value == nil {
		return "unknown"
	}
	text := formatValue(s.Unit, *s.Value)
	if i := strings.IndexAny(s.Expr, "<>="); i >= 0 && (!s.OK || !strings.Contains(s.Expr[i:], "=")) {
		limit, err := parseValue(s.Unit, strings.TrimSpace(strings.TrimLeft(s.Expr[i:], "<>=")))
		if err == nil && formatValue(s.Unit, limit) == text {
			return exactValue(s.Unit, *s.Value)
		}
	}
	return text
}

// formatValue prints a figure of a metric's unit for a reader.
func formatValue(unit string, v float64) string {
	switch unit {
	case "ratio":
		return units.FormatPercent(v)
	case "duration":
		return units.FormatDuration(duration(v))
	case "rate":
		return units.FormatRate(v)
	}
	return units.FormatCount(int64(v))
}

// intervalValue prints the interval of a figure, in a metric's unit.
func intervalValue(unit string, figure float64, ci [2]float64) string {
	if unit == "ratio" {
		return units.FormatInterval(figure, ci)
	}
	return formatValue(unit, ci[0]) + " to " + formatValue(unit, ci[1])
}

func exactValue(unit string, v float64) string {
	switch unit {
	case "ratio":
		return percent(v)
	case "duration":
		return duration(v).String()
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// percent prints a ratio with all its digits: "99.95 %".
func percent(v float64) string {
	return strings.TrimSuffix(units.Ratio(v).String(), "%") + " %"
}

// duration turns seconds of a report into a duration; what is too long becomes
// the longest.
func duration(s float64) time.Duration {
	ns := math.Round(s * 1e9)
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(ns)
}
