package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/reports/units"
)

// A search doubles the rate from firstRate until a trial misses the objective,
// then halves the gap, in ratio, until it is narrower than finest. The rate that
// was kept is then played again, and steps down if it is missed, further each
// time, until it was kept confirmations times in a row: near the limit chance
// decides a single trial. The trial that found a rate is no evidence for it: it was
// chosen because it was kept.
const (
	firstRate     = 100
	finest        = 1.05
	confirmations = 5
	mostTrials    = 40
	confidence    = 0.95
	highestRate   = 1e6
)

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
	best      *reports.Report // of the last trial that kept it
	last      *reports.Report // of the last trial
}

// Trial is one rate that was tried.
type Trial struct {
	Rate      float64
	Value     *float64 // of the objective's metric; nil: unknown
	Unit      string
	Kept      bool
	Saturated bool
}

// parseUntil reads the objective of a search: one on the load, which each trial
// can judge.
func parseUntil(expr string) (*reports.Objective, error) {
	o, err := reports.ParseObjective(expr)
	if err == nil {
		err = o.Check(reports.ScopeStream)
	}
	if err == nil && o.Scope != "" {
		err = fmt.Errorf("there is one stream: leave out %q", o.Scope)
	}
	if err != nil {
		return nil, fmt.Errorf("--until %q: %w", expr, err)
	}
	return &o, nil
}

// Search looks for the highest rate of open load at which the objective of
// c.Until is kept. Each trial is a line on w.
func (p *Player) Search(ctx context.Context, c *Config, w io.Writer) (*Found, error) {
	s := &search{w: w, found: Found{Objective: c.Until.Expr}}
	s.play = func(ctx context.Context, rate float64) (*reports.Report, error) { return p.trial(ctx, c, rate) }
	err := s.run(ctx)
	if s.found.Ended = ctx.Err() != nil; errors.Is(err, errEnded) {
		err = nil
	}
	return &s.found, err
}

// errEnded says that a trial was ended early, and says nothing of its rate.
var errEnded = errors.New("the search was ended")

type search struct {
	play  func(ctx context.Context, rate float64) (*reports.Report, error)
	w     io.Writer
	found Found
}

// trial plays one rate.
func (p *Player) trial(ctx context.Context, config *Config, rate float64) (*reports.Report, error) {
	c, open := *config, *config.Stream.Open
	open.Rate = units.Rate(rate)
	c.Stream.Open, c.Verbosity = &open, 0
	out, err := p.Play(ctx, &c, false)
	if err != nil {
		return nil, err
	}
	return out.Report, nil
}

func (s *search) run(ctx context.Context) error {
	kept, missed, err := s.bracket(ctx)
	for err == nil && kept > 0 && missed > kept*finest && s.more(ctx) {
		middle := math.Sqrt(kept * missed)
		var good bool
		switch good, err = s.try(ctx, middle); {
		case err != nil:
		case good:
			kept = middle
		default:
			missed = middle
		}
	}
	s.found.Rate, s.found.Missed = kept, missed
	if err != nil || kept == 0 {
		return err
	}
	if err = s.confirm(ctx); s.found.Kept == 0 {
		s.found.Rate = s.found.keptBefore() // the last step down was not played
	}
	return err
}

// bracket finds a rate that keeps the objective and one that does not; 0 if
// there is none.
func (s *search) bracket(ctx context.Context) (kept, missed float64, err error) {
	for rate := float64(firstRate); rate >= 1 && rate <= highestRate && s.more(ctx); {
		good, err := s.try(ctx, rate)
		switch {
		case err != nil:
			return kept, missed, err
		case good:
			if kept = rate; missed > 0 {
				return kept, missed, nil
			}
			rate *= 2
		default:
			if missed = rate; kept > 0 {
				return kept, missed, nil
			}
			rate /= 2
		}
	}
	return kept, missed, nil
}

// confirm plays the rate again until it was kept often enough.
func (s *search) confirm(ctx context.Context) error {
	f, step := &s.found, float64(finest)
	for f.Again = 1; f.Kept < confirmations && s.more(ctx); {
		good, err := s.try(ctx, f.Rate)
		if err != nil {
			return err
		}
		if f.Kept++; !good {
			f.Missed, f.Rate, f.Kept = f.Rate, f.Rate/step, 0
			f.Again++
			step *= step
		}
	}
	return nil
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

func (s *search) more(ctx context.Context) bool {
	return ctx.Err() == nil && len(s.found.Trials) < mostTrials
}

// try plays one rate and tells whether the objective was kept.
func (s *search) try(ctx context.Context, rate float64) (bool, error) {
	report, err := s.play(ctx, rate)
	if err == nil {
		s.found.last = report
	}
	if err == nil && ctx.Err() != nil {
		err = errEnded
	}
	if err != nil {
		return false, err
	}
	slo := report.SLOs[0]
	t := Trial{Rate: rate, Value: slo.Value, Unit: slo.Unit, Saturated: report.Verdict == reports.Inconclusive}
	t.Kept = slo.OK && !t.Saturated
	s.found.Trials = append(s.found.Trials, t)
	if !t.Kept {
		s.found.Saturated = t.Saturated // what was missed last is what Missed will be
	} else {
		s.found.best = report
	}
	fmt.Fprintln(s.w, t.line(s.found.Objective))
	return t.Kept, nil
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

// Report is that of the last trial that kept the objective; of the last trial of
// all if none did; nil if there was none.
func (f *Found) Report() *reports.Report {
	if f.best == nil {
		return f.last
	}
	return f.best
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
	case f.Rate == 0:
		fmt.Fprintf(&b, "No rate kept %s", f.Objective)
		if f.Missed > 0 {
			fmt.Fprintf(&b, ", down to %s", units.FormatRate(f.Missed))
		}
		b.WriteString(".\n")
	default:
		fmt.Fprintf(&b, "%s is kept up to %s", f.Objective, units.FormatRate(f.Rate))
		if f.Missed > 0 {
			fmt.Fprintf(&b, " and missed at %s", units.FormatRate(f.Missed))
		}
		b.WriteString(".\n")
		f.sure(&b)
	}
	if f.Saturated {
		b.WriteString("It was the generator that could not keep to the higher rate: the target's own limit may be higher. Give hachaos more processors than the target leaves it.\n")
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
	}
	fmt.Fprintf(b, "; %d trials in all.\n", len(f.Trials))
}
