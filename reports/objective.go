package reports

// Objective is one parsed objective: [SCOPE.]METRIC OP VALUE.
type Objective struct {
	Expr   string // as written
	Scope  string // "" for the run, else a stream's or a fault's name
	Metric string
	Op     string  // >= > <= < ==
	Value  float64 // in the metric's unit: ratio, count, per second, or seconds
	Unit   string  // "ratio", "count", "rate", "duration"
}
