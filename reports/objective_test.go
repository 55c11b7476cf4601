package reports

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestParseObjective(t *testing.T) {
	for expr, want := range map[string]Objective{
		"availability >= 99.9%":      {"availability >= 99.9%", "", "availability", ">=", 0.999, "ratio"},
		"availability>=0.999":        {"availability>=0.999", "", "availability", ">=", 0.999, "ratio"},
		"  downtime  <  1s ":         {"downtime  <  1s", "", "downtime", "<", 1, "duration"},
		"main.p99 < 250ms":           {"main.p99 < 250ms", "main", "p99", "<", 0.25, "duration"},
		"p99.9 <= 2s":                {"p99.9 <= 2s", "", "p99.9", "<=", 2, "duration"},
		"main.p99.9 <= 2s":           {"main.p99.9 <= 2s", "main", "p99.9", "<=", 2, "duration"},
		"p99.max <= 2s":              {"p99.max <= 2s", "p99", "max", "<=", 2, "duration"},
		"crash.recovery < 2s":        {"crash.recovery < 2s", "crash", "recovery", "<", 2, "duration"},
		"failed == 0":                {"failed == 0", "", "failed", "==", 0, "count"},
		"slow-calls2.throughput>5/s": {"slow-calls2.throughput>5/s", "slow-calls2", "throughput", ">", 5, "rate"},
		"error_rate < 0.1%":          {"error_rate < 0.1%", "", "error_rate", "<", 0.001, "ratio"},
		"share-2 <= 30%":             {"share-2 <= 30%", "", "share-2", "<=", 0.3, "ratio"},
		"alice.share-16 > 0.5":       {"alice.share-16 > 0.5", "alice", "share-16", ">", 0.5, "ratio"},
		"mttr == 0":                  {"mttr == 0", "", "mttr", "==", 0, "duration"},
	} {
		got, err := ParseObjective(expr)
		if err != nil || got != want {
			t.Errorf("ParseObjective(%q) = %+v, %v; want %+v", expr, got, err, want)
		}
	}
}

func TestParseObjectiveErrors(t *testing.T) {
	for _, c := range []struct {
		expr   string
		column int
		says   string
	}{
		{"", 1, "an objective is missing"},
		{"   ", 4, "an objective is missing"},
		{">= 99%", 1, "a metric is missing"},
		{"avalability >= 99%", 1, "did you mean availability?"},
		{"  P99 < 1s", 3, "did you mean p99?"},
		{"main.p98 < 1s", 6, `unknown metric "p98"; did you mean p9`},
		{"nonsense < 1s", 1, "there are availability, error_rate"},
		{"Main.p99 < 1s", 1, `"Main" is not the name`},
		{".p99 < 1s", 1, `"" is not the name`},
		{"availability", 13, "an operator and a value are missing"},
		{"availability 99%", 14, "one of >= > <= < == is expected"},
		{"availability => 99%", 14, "did you mean >=?"},
		{"availability = 99%", 14, "did you mean ==?"},
		{"availability ≥ 99%", 14, "did you mean >=?"},
		{"availability != 99%", 14, "is not an operator here"},
		{"availability >=", 16, "a value is missing"},
		{"availability >= 250ms", 17, "availability is a ratio (such as availability >= 99.9%); 250ms is a duration"},
		{"p99 < 99%", 7, "p99 is a duration (such as p99 < 250ms); 99% is a ratio"},
		{"p99 < 5", 7, "has no unit"},
		{"p99 < -5s", 7, "negative"},
		{"throughput > 5s", 14, "throughput is a rate (such as throughput >= 500/s); 5s is a duration"},
		{"share-0 < 50%", 1, `unknown metric "share-0"; did you mean share-1?`},
		{"share-02 < 50%", 1, `unknown metric "share-02"`},
		{"share < 50%", 1, "did you mean share-1?"},
		{"share-2 < 50ms", 11, "share-2 is a ratio"},
		{"failed < 1.5", 10, "not a count"},
		{"failed < -1", 10, "not a count"},
		{"availability >= 99.9", 17, "write 99.9%"},
		{"availability >= 99%% ", 17, "not a ratio"},
		{"failed > 1 < 2", 12, "one operator and one value"},
		{"ünser.p99 < 1s", 1, `"ünser" is not the name`},
	} {
		_, err := ParseObjective(c.expr)
		var at *ObjectiveError
		if !errors.As(err, &at) {
			t.Errorf("ParseObjective(%q) = %v, want an error", c.expr, err)
			continue
		}
		if at.Column != c.column || !strings.Contains(at.Message, c.says) {
			t.Errorf("ParseObjective(%q): column %d: %s; want column %d and %q", c.expr, at.Column, at.Message, c.column, c.says)
		}
	}
}

func TestCheckScope(t *testing.T) {
	for _, c := range []struct {
		expr  string
		kind  Scope
		wrong string
	}{
		{"availability >= 99%", ScopeRun, ""},
		{"x.availability >= 99%", ScopeStream, ""},
		{"x.availability >= 99%", ScopeFault, "not measured per fault, only per run or stream"},
		{"x.failed == 0", ScopeFault, ""},
		{"x.recovery < 1s", ScopeFault, ""},
		{"x.recovery < 1s", ScopeStream, "only per fault"},
		{"recovery < 1s", ScopeRun, "only per fault"},
		{"x.uptime > 99%", ScopeStream, "only per run"},
		{"x.share-2 > 99%", ScopeStream, ""},
		{"x.share-2 > 99%", ScopeFault, "only per run or stream"},
	} {
		o := objectives(c.expr)[0]
		err := o.Check(c.kind)
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s per %s: %v, want %q", c.expr, c.kind, err, c.wrong)
		}
	}
}

func TestHolds(t *testing.T) {
	noisy := 0.1 + 0.2 // 0.30000000000000004
	for _, c := range []struct {
		expr  string
		value float64
		want  bool
	}{
		{"availability >= 99.9%", 999.0 / 1000, true},
		{"availability > 99.9%", 999.0 / 1000, false},
		{"availability >= 99.9%", 998999999.0 / 1e9, false},
		{"availability == 30%", noisy, true},
		{"availability <= 30%", noisy, true},
		{"availability < 30%", noisy, false},
		{"availability > 30%", noisy, false},
		{"error_rate < 0.1%", 1 - 0.999, false}, // 1 − 0.999 is 0.001 and 2·10⁻¹⁹
		{"failed == 0", 0, true},
		{"failed == 0", 1, false},
		{"downtime < 1s", 0.99, true},
		{"downtime < 1s", math.NaN(), false},
		{"downtime >= 0", math.NaN(), false},
	} {
		if got := objectives(c.expr)[0].Holds(c.value); got != c.want {
			t.Errorf("%s holds of %v: %v, want %v", c.expr, c.value, got, c.want)
		}
	}
}

// Every metric parses, has an example that parses, and a line that says what it is.
func TestMetrics(t *testing.T) {
	for _, m := range Metrics() {
		o, err := ParseObjective(m.example())
		if err != nil || o.Metric != m.Name || o.Unit != m.Unit {
			t.Errorf("%s: %+v, %v", m.example(), o, err)
		}
		if m.Text == "" || len(m.Scopes) == 0 {
			t.Errorf("%s lacks a text or scopes", m.Name)
		}
	}
}

func FuzzParseObjective(f *testing.F) {
	f.Add("main.p99.9 <= 250ms")
	f.Add("availability ≥ 99%")
	f.Fuzz(func(t *testing.T, expr string) {
		o, err := ParseObjective(expr)
		if err == nil {
			if math.IsNaN(o.Value) || math.IsInf(o.Value, 0) || o.Value < 0 {
				t.Fatalf("%q: value %v", expr, o.Value)
			}
			again, err := ParseObjective(o.Expr)
			if err != nil || again != o {
				t.Fatalf("%q reads as %+v, and its own text as %+v, %v", expr, o, again, err)
			}
			return
		}
		var at *ObjectiveError
		if !errors.As(err, &at) || at.Column < 1 || at.Column > len(expr)+1 || at.Message == "" {
			t.Fatalf("%q: %#v", expr, err)
		}
	})
}
