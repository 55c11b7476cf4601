package reports

import (
	"fmt"
	"slices"
)

// Comparison sets the runs of several sides against each other: repetitions of
// one scenario are one side.
type Comparison struct {
	Sides []Side   `json:"sides"`
	Pairs []Pair   `json:"pairs"` // each side against the first, or against the same variant in the first document
	Notes []string `json:"notes"` // what to know before believing the words
}

// Side is a scenario, a variant or a file that is compared.
type Side struct {
	Label    string   `json:"label"` // A, B, C, …
	Name     string   `json:"name"`
	Document int      `json:"document"` // which of those compared it is from: 1 is the first
	Runs     int      `json:"runs"`
	Figures  []Figure `json:"figures"`

	first *Report
	runs  []*Report
}

// Figure is what one side came to in one metric.
type Figure struct {
	Metric string      `json:"metric"`
	Unit   string      `json:"unit"`
	Values []*float64  `json:"values"` // of each run
	Mean   *float64    `json:"mean"`
	CI95   *[2]float64 `json:"ci95"`
	Reason string      `json:"reason,omitempty"` // why there is no interval

	wide *[2]float64 // at 99 %, for pairs
}

// Pair is one side against another.
type Pair struct {
	From        string       `json:"from"` // labels: To against From
	To          string       `json:"to"`
	Different   []string     `json:"different"` // in what the scenarios, targets and machines differ
	Differences []Difference `json:"differences"`
}

// Difference is what lies between two sides in one metric: To − From.
type Difference struct {
	Metric     string      `json:"metric"`
	Unit       string      `json:"unit"`
	From       *float64    `json:"from"`
	To         *float64    `json:"to"`
	Difference *float64    `json:"difference"`
	Interval   *[2]float64 `json:"interval"` // at 99 %, so that the five of a pair hold together at 95 %
	Factor     *float64    `json:"factor"`   // to ÷ from
	// Unrecovered is how many faults each of the two did not recover from; null if
	// both did from all of them, of other metrics, and if nobody watched.
	Unrecovered *[2]int `json:"unrecovered,omitempty"`
	Word        Word    `json:"word"`
	Reason      string  `json:"reason,omitempty"`
}

// Word is what a difference is worth, in plain words.
type Word string

const (
	Better     Word = "better"
	Worse      Word = "worse"
	NoEvidence Word = "no evidence of a difference"
	TooLittle  Word = "too little to tell"
)

// Compare puts the runs of several documents into one suite and sets them
// against each other: each report is a side, and so is each scenario (or variant
// of one) of a suite, with all its repetitions. The sides of a single document
// are set against its first one. Those of several are set against the first
// document's: against the same scenario or variant where it has more than one
// and any that is the same, and never against one of their own document. Scenarios that differ are compared
// as well, and the differences named.
// A single suite that has been compared already is returned as it is.
func Compare(docs ...Document) *Suite {
	if len(docs) == 1 {
		if s, ok := docs[0].(*Suite); ok && s.Comparison != nil {
			return s
		}
	}
	suite := &Suite{Schema: SuiteSchema, Runs: []*Report{}}
	var groups [][][]*Report
	for _, doc := range docs {
		groups = append(groups, groupRuns(doc.Reports()))
		suite.Runs = append(suite.Runs, doc.Reports()...)
	}
	suite.Comparison = compareGroups(groups...)
	return suite
}

// HasWorse tells whether any side is worse in any metric than the one that it is
// set against.
func (c *Comparison) HasWorse() bool {
	if c == nil {
		return false
	}
	for _, p := range c.Pairs {
		for _, d := range p.Differences {
			if d.Word == Worse {
				return true
			}
		}
	}
	return false
}

// Gate returns the exit code of a comparison that is to find nothing worse: the
// gravest of [ExitFail] if a side is worse than the first one, and, as nothing
// can be told then, [ExitError] if a run could not be done and [ExitInconclusive]
// if one is inconclusive or did not last as long as its scenario. Where nothing is
// worse it is inconclusive too if all that a pair differs in is too little to tell,
// or if only the first of a pair recovered and that is too little to be called
// worse.
func (s *Suite) Gate() int {
	code := ExitPass
	switch {
	case s.Comparison.HasWorse():
		code = ExitFail
	case s.Comparison == nil || len(s.Comparison.Pairs) == 0 || slices.ContainsFunc(s.Comparison.Pairs, Pair.isUntold):
		code = ExitInconclusive
	}
	for _, r := range s.Runs {
		switch r.Verdict {
		case Error:
			code = WorstExitCode(code, ExitError)
		case Inconclusive, Interrupted, Aborted:
			code = WorstExitCode(code, ExitInconclusive)
		}
	}
	return code
}

// groupRuns puts the repetitions of a scenario together.
func groupRuns(runs []*Report) [][]*Report {
	type key struct{ name, variant, sha256 string }
	index := map[key]int{}
	var groups [][]*Report
	for _, r := range runs {
		k := key{r.Scenario.Name, r.Scenario.Variant, r.Scenario.SHA256}
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}

// compareGroups compares the sides of each document. It returns nil for a single
// run, which there is nothing to say of.
func compareGroups(docs ...[][]*Report) *Comparison {
	c := &Comparison{Sides: []Side{}, Pairs: []Pair{}, Notes: []string{}}
	for i, groups := range docs {
		for _, runs := range groups {
			side := newSide(label(len(c.Sides)), runs)
			side.Document = i + 1
			c.Sides = append(c.Sides, side)
		}
	}
	if len(c.Sides) == 0 || len(c.Sides) == 1 && c.Sides[0].Runs < 2 {
		return nil
	}
	first := c.Sides[:len(docs[0])]
	if len(docs) == 1 || len(first) == 0 {
		first = c.Sides[:1]
	}
	alike := map[int]bool{} // documents that have something of the first one's
	for i := range c.Sides {
		alike[c.Sides[i].Document] = alike[c.Sides[i].Document] || c.Sides[i].counterpart(first) != nil
	}
	for i := len(first); i < len(c.Sides); i++ {
		to := &c.Sides[i]
		from := to.counterpart(first)
		if !alike[to.Document] {
			from = &first[0]
		}
		if from == nil {
			c.Notes = append(c.Notes, fmt.Sprintf("%s is compared with nothing: the first document has nothing like %s", to.Label, to.Name))
			continue
		}
		c.Pairs = append(c.Pairs, newPair(from, to))
	}
	c.Notes = append(c.Notes, notes(c)...)
	c.forget()
	return c
}

// counterpart returns the side that another is set against: of several the same
// variant of the same scenario, else the same variant; nil if there is none.
func (s *Side) counterpart(first []Side) *Side {
	if len(first) == 1 {
		return &first[0]
	}
	var same *Side
	for i := range first {
		switch a, b := first[i].first.Scenario, s.first.Scenario; {
		case a.Variant != b.Variant:
		case a.Name == b.Name:
			return &first[i]
		case a.Variant != "" && same == nil:
			same = &first[i]
		}
	}
	return same
}

// forget drops what only the making of a comparison needs, so that one that was
// read is the same as one that was made.
func (c *Comparison) forget() {
	for i := range c.Sides {
		c.Sides[i].first, c.Sides[i].runs = nil, nil
		for k := range c.Sides[i].Figures {
			c.Sides[i].Figures[k].wide = nil
		}
	}
}

// label is A, B, …, Z, S27, S28, …
func label(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return fmt.Sprintf("S%d", i+1)
}
