package reports

// SuiteSchema is the name of the format that [Suite] is written in.
const SuiteSchema = "hachaos.suite/v1"

// Suite is the outcome of several runs: repetitions, or several scenarios.
type Suite struct {
	Schema     string      `json:"schema"`
	Runs       []*Report   `json:"runs"`
	Comparison *Comparison `json:"comparison"` // null: nothing was compared
}

// NewSuite puts reports together in the order given, and compares them: see
// [Compare].
func NewSuite(runs ...*Report) *Suite {
	return &Suite{Schema: SuiteSchema, Runs: append([]*Report{}, runs...), Comparison: compareGroups(groupRuns(runs))}
}

// Document is what can be rendered: a [Report] or a [Suite].
type Document interface {
	// Reports returns the runs in it, in order.
	Reports() []*Report
}

// Reports returns the report itself.
func (r *Report) Reports() []*Report { return []*Report{r} }

// Reports returns the suite's runs.
func (s *Suite) Reports() []*Report { return s.Runs }
