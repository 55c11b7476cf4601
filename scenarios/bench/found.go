package bench

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/reports/units"
)

// confidence of what is said of the rate that was found.
const confidence = 0.95

// Found is the outcome of a search.
type Found struct {
	Objective string
	Rate      float64 // the highest that kept it, in requests per second; 0: none did
	Missed    float64 // the lowest above it that did not; 0: none was seen
	Kept      int     // trials at Rate after the one that found it: all kept it
	Again     int     // rates that were played again, Rate the last of them
	Saturated bool    // it was the generator that could not keep to Missed
	Ended     bool    // a signal did
	Trials    []Trial
	best      map[float64]*reports.Report // of the last trial that kept it, by rate
	last      *reports.Report             // of the last trial
}

// Trial is one rate that was tried.
type Trial struct {
	Rate      float64
	Value     *float64 // of the objective's metric; nil: unknown
	Unit      string
	Kept      bool
	Saturated bool
}

// ExitCode is 0 if a rate was found, 4 if the generator's own limit ended the
// search, and 1 if no rate kept the objective.
func (f *Found) ExitCode() int {
	switch {
	case f.Saturated:
		return reports.ExitInconclusive
	case f.Rate == 0:
		return reports.ExitFail
	}
	return reports.ExitPass
}

// Report is that of the last trial of Rate that kept the objective; of the last
// trial of all if no rate did; nil if there was none.
func (f *Found) Report() *reports.Report {
	if best := f.best[f.Rate]; best != nil {
		return best
	}
	return f.last
}

// share is the lower bound of the share of trials that keep the objective, given
// that all of Kept did: α^(1/Kept), from Clopper and Pearson. Each rate that is
// played again is another chance to be wrong: the n-th has α = (1−confidence)/2ⁿ,
// of which all together have no more than 1−confidence (Bonferroni).
func (f *Found) share() float64 {
	return math.Pow((1-confidence)/math.Pow(2, float64(f.Again)), 1/float64(f.Kept))
}

// Text says what was found, and how sure it is.
func (f *Found) Text(w io.Writer, _ reports.TextOptions) error {
	var b strings.Builder
	switch {
	case f.Rate == 0 && (f.Saturated || f.Missed == 0):
		fmt.Fprintf(&b, "Nothing is known of %s", f.Objective)
		if f.Missed > 0 {
			fmt.Fprintf(&b, ", down to %s", units.FormatRate(f.Missed))
		}
		b.WriteString(".\n")
	case f.Rate == 0:
		fmt.Fprintf(&b, "No rate kept %s", f.Objective)
		if f.Missed > 0 {
			fmt.Fprintf(&b, ", down to %s", units.FormatRate(f.Missed))
		}
		b.WriteString(".\n")
	default:
		fmt.Fprintf(&b, "%s is kept up to %s", f.Objective, units.FormatRate(f.Rate))
		switch {
		case f.Missed > 0 && f.Saturated:
			fmt.Fprintf(&b, " and not known at %s", units.FormatRate(f.Missed))
		case f.Missed > 0:
			fmt.Fprintf(&b, " and missed at %s", units.FormatRate(f.Missed))
		}
		b.WriteString(".\n")
		f.sure(&b)
	}
	if f.Saturated {
		b.WriteString("It was the generator that could not keep to that rate: the target's own limit may be higher. Give hachaos more processors than the target leaves it.\n")
	}
	if f.Ended {
		b.WriteString("The search was ended early.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sure says how far the rate can be trusted.
func (f *Found) sure(b *strings.Builder) {
	b.WriteString("How sure: ")
	if f.Kept == 0 {
		b.WriteString("not sure, that rate was not played again")
	} else {
		fmt.Fprintf(b, "played again, it was kept %d of %d times, so at %.0f %% confidence by at least %.0f %% of such trials",
			f.Kept, f.Kept, 100*confidence, math.Floor(100*f.share()))
		if n := f.unknown(); n > 0 {
			fmt.Fprintf(b, " in which the generator keeps up (in %d more it did not)", n)
		}
	}
	fmt.Fprintf(b, "; %s in all.\n", units.CountOf(int64(len(f.Trials)), "trial"))
}

// unknown is how many trials of Rate say nothing of it.
func (f *Found) unknown() int {
	n := 0
	for _, t := range f.Trials {
		if t.Rate == f.Rate && t.Saturated {
			n++
		}
	}
	return n
}

// keptBefore is the highest rate below Missed that a trial kept; 0 if none did.
func (f *Found) keptBefore() float64 {
	rate := 0.0
	for _, t := range f.Trials {
		if t.Kept && (f.Missed == 0 || t.Rate < f.Missed) {
			rate = max(rate, t.Rate)
		}
	}
	return rate
}

func (t *Trial) line(objective string) string {
	word := "missed"
	switch {
	case t.Saturated:
		word = "not known: the generator could not keep to the rate"
	case t.Kept:
		word = "kept"
	}
	return fmt.Sprintf("%12s   %s %s", units.FormatRate(t.Rate), objective, word)
}
