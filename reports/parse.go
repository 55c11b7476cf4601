package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
	"github.com/hachaos/hachaos/reports/units"
)

// ObjectiveError says what is wrong with an objective and where.
type ObjectiveError struct {
	Column  int // in characters, from 1
	Message string
}

// Error returns the message with its column.
func (e *ObjectiveError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Message) }

// ParseObjective reads [SCOPE.]METRIC OP VALUE, such as "availability >= 99.9%",
// "main.p99 < 250ms" or "crash.recovery < 2s". The error is an [*ObjectiveError].
// Whether the scope exists, and allows the metric, is for [Objective.Check].
func ParseObjective(expr string) (Objective, error) {
	p := objectiveParser{text: expr}
	o, err := p.parse()
	if err != nil {
		return Objective{}, err
	}
	return o, nil
}

// operators, the longer ones first, so that ">=" is not read as ">".
var operators = []string{">=", "<=", "==", ">", "<"}

// wrongOperators are what people write for one of them.
var wrongOperators = []struct{ wrong, right string }{
	{"=>", ">="}, {"=<", "<="}, {"≥", ">="}, {"≤", "<="}, {"!=", ""}, {"≠", ""}, {"=", "=="},
}

type objectiveParser struct {
	text string
	pos  int // in bytes
}

func (p *objectiveParser) parse() (Objective, error) {
	o := Objective{Expr: strings.TrimSpace(p.text)}
	p.skipSpace()
	if p.pos == len(p.text) {
		return o, p.errorAt(p.pos, "an objective is missing (such as availability >= 99.9%%)")
	}
	m, err := p.metric(&o)
	if err != nil {
		return o, err
	}
	p.skipSpace()
	if o.Op, err = p.operator(m); err != nil {
		return o, err
	}
	p.skipSpace()
	o.Value, err = p.value(m)
	return o, err
}

func (p *objectiveParser) metric(o *Objective) (Metric, error) {
	start := p.pos
	end := strings.IndexAny(p.text[start:], " \t=<>!≥≤≠")
	if end < 0 {
		end = len(p.text) - start
	}
	name := p.text[start : start+end]
	p.pos = start + end
	if name == "" {
		return Metric{}, p.errorAt(start, "a metric is missing before the operator")
	}
	// A whole metric first: p99.9 has a point of its own.
	if m, ok := metricNamed(name); ok {
		o.Metric, o.Unit = m.Name, m.Unit
		return m, nil
	}
	column := start
	if scope, rest, scoped := strings.Cut(name, "."); scoped {
		if !isName(scope) {
			return Metric{}, p.errorAt(start, "%q is not the name of a stream or a fault (a-z, 0-9 and -)", scope)
		}
		if m, ok := metricNamed(rest); ok {
			o.Scope, o.Metric, o.Unit = scope, m.Name, m.Unit
			return m, nil
		}
		name, column = rest, start+len(scope)+1
	}
	return Metric{}, p.errorAt(column, "%s", unknownMetric(name))
}

func (p *objectiveParser) operator(m Metric) (string, error) {
	rest := p.text[p.pos:]
	for _, w := range wrongOperators {
		if !strings.HasPrefix(rest, w.wrong) || strings.HasPrefix(rest, "==") {
			continue
		}
		if w.right == "" {
			return "", p.errorAt(p.pos, "%s is not an operator here; use one of >= > <= < ==", w.wrong)
		}
		return "", p.errorAt(p.pos, "%s is not an operator; did you mean %s?", w.wrong, w.right)
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			p.pos += len(op)
			return op, nil
		}
	}
	if rest == "" {
		return "", p.errorAt(p.pos, "an operator and a value are missing after %s (such as %s)", m.Name, m.example())
	}
	return "", p.errorAt(p.pos, "one of >= > <= < == is expected after %s (such as %s)", m.Name, m.example())
}

func (p *objectiveParser) value(m Metric) (float64, error) {
	text := strings.TrimSpace(p.text[p.pos:])
	if text == "" {
		return 0, p.errorAt(p.pos, "a value is missing (such as %s)", m.example())
	}
	if i := strings.IndexAny(text, "<>="); i >= 0 {
		return 0, p.errorAt(p.pos+i, "an objective has one operator and one value; write a second objective")
	}
	v, err := parseValue(m.Unit, text)
	if err == nil {
		return v, nil
	}
	for _, unit := range []string{"ratio", "duration", "rate"} {
		// A plain number reads as several units: then the unit's own error says more.
		if _, other := parseValue(unit, text); other == nil && unit != m.Unit && strings.ContainsFunc(text, notNumeric) {
			return 0, p.errorAt(p.pos, "%s is a %s (such as %s); %s is a %s", m.Name, m.Unit, m.example(), text, unit)
		}
	}
	return 0, p.errorAt(p.pos, "%v", err)
}

// parseValue reads a value of the unit: durations become seconds.
func parseValue(unit, text string) (float64, error) {
	switch unit {
	case "ratio":
		return units.ParseRatio(text)
	case "rate":
		return units.ParseRate(text)
	case "duration":
		d, err := units.ParseDuration(text)
		if err == nil && d < 0 {
			err = fmt.Errorf("duration %q is negative", text)
		}
		return d.Seconds(), err
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n > math.MaxInt64 {
		return 0, fmt.Errorf("%q is not a count (a whole number from 0)", text)
	}
	return float64(n), nil
}

func (m Metric) example() string {
	example := map[string]string{"ratio": ">= 99.9%", "count": "<= 10", "rate": ">= 500/s", "duration": "< 250ms"}[m.Unit]
	if strings.HasSuffix(m.Name, "_rate") {
		example = "<= 0.1%"
	}
	return m.Name + " " + example
}

func unknownMetric(name string) string {
	best, distance := "", 3
	for _, m := range Metrics() {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), m.Name); d < distance && d < len(m.Name) {
			best, distance = m.Name, d
		}
	}
	if best != "" {
		return fmt.Sprintf("unknown metric %q; did you mean %s?", name, best)
	}
	names := make([]string, 0, len(Metrics()))
	for _, m := range Metrics() {
		names = append(names, m.Name)
	}
	return fmt.Sprintf("unknown metric %q (there are %s)", name, strings.Join(names, ", "))
}

// isName tells whether s may name a stream or a fault: [a-z][a-z0-9-]*.
func isName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}

func notNumeric(r rune) bool { return !strings.ContainsRune("0123456789.+-", r) }

func (p *objectiveParser) skipSpace() {
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
}

func (p *objectiveParser) errorAt(pos int, format string, args ...any) error {
	return &ObjectiveError{Column: utf8.RuneCountInString(p.text[:pos]) + 1, Message: fmt.Sprintf(format, args...)}
}
