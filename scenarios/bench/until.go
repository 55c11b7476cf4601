package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/hachaos/hachaos/loadgen"
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
	attempts      = 3 // at a rate that the generator did not keep to
	mostTrials    = 60
	highestRate   = 1e6
)

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
	if err == nil {
		_, ofWorker := reports.ShareSlot(o.Metric)
		switch {
		case ofWorker:
			err = fmt.Errorf("%s is known of a cluster's workers only (hachaos run)", o.Metric)
		case o.Metric == "throughput" && (o.Op == ">" || o.Op == ">="):
			err = errors.New("throughput rises with the rate: a highest rate that keeps this is not to be found (try \"throughput >= ...\" with run, or \"p99 < 50ms\" here)")
		}
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
			step = min(step*step, 2)
		}
	}
	return nil
}

func (s *search) more(ctx context.Context) bool {
	return ctx.Err() == nil && len(s.found.Trials) < mostTrials
}

// try tells whether the objective is kept at a rate. A trial in which the generator
// did not keep to the rate says nothing of the target, and often only that the
// machine was busy: it is played again.
func (s *search) try(ctx context.Context, rate float64) (bool, error) {
	for n := 1; ; n++ {
		t, err := s.once(ctx, rate)
		if err != nil {
			return false, err
		}
		if t.Saturated && n < attempts && s.more(ctx) {
			continue
		}
		if !t.Kept {
			s.found.Saturated = t.Saturated // what was missed last is what Missed will be
		}
		return t.Kept, nil
	}
}

// once plays one trial.
func (s *search) once(ctx context.Context, rate float64) (t Trial, err error) {
	report, err := s.play(ctx, rate)
	if err == nil {
		s.found.last = report
	}
	if err == nil && ctx.Err() != nil {
		err = errEnded
	}
	if err != nil {
		return t, err
	}
	slo := report.SLOs[0]
	t = Trial{Rate: rate, Value: slo.Value, Unit: slo.Unit, Saturated: saturated(report)}
	t.Kept = slo.OK && !t.Saturated
	s.found.Trials = append(s.found.Trials, t)
	if t.Kept {
		if s.found.best == nil {
			s.found.best = map[float64]*reports.Report{}
		}
		s.found.best[rate] = report
	}
	fmt.Fprintln(s.w, t.line(s.found.Objective))
	return t, nil
}

// saturated tells whether the generator's own limits are in the figures of the
// load. What the prober could not see says nothing of a trial: its objective is on
// the load alone.
func saturated(r *reports.Report) bool {
	if r.Verdict != reports.Inconclusive {
		return false
	}
	for _, l := range r.Load {
		if !l.Generator.Saturated && l.Failures[loadgen.CauseGenerator.String()] == 0 {
			return false
		}
	}
	return true
}
