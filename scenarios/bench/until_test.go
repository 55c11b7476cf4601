package bench

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/reports"
)

// searchFor searches against a service that is as good as keeps says.
func searchFor(t *testing.T, keeps func(rate float64) reports.Verdict) (*search, string) {
	t.Helper()
	var log bytes.Buffer
	s := &search{w: &log, found: Found{Objective: "p99 < 50ms"}}
	s.play = func(_ context.Context, rate float64) (*reports.Report, error) {
		v := keeps(rate)
		return &reports.Report{Verdict: v, SLOs: []reports.SLO{{OK: v == reports.Pass}}}, nil
	}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := s.found.Text(&text, reports.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	return s, text.String()
}

func upTo(limit float64, beyond reports.Verdict) func(float64) reports.Verdict {
	return func(rate float64) reports.Verdict {
		if rate <= limit {
			return reports.Pass
		}
		return beyond
	}
}

func TestSearchFindsTheLimit(t *testing.T) {
	for _, limit := range []float64{2, 37, 100, 101, 1234, 50_000} {
		s, text := searchFor(t, upTo(limit, reports.Fail))
		f := s.found
		if f.Rate > limit || f.Rate*finest < limit || f.Missed <= limit || f.Kept != confirmations || f.ExitCode() != 0 || f.Report().Verdict != reports.Pass {
			t.Errorf("limit %v: %+v", limit, f)
		}
		if !strings.Contains(text, "5 of 5 trials there kept it, so at 95 % confidence at least 54.93 % of such trials do") {
			t.Errorf("limit %v: %s", limit, text)
		}
	}
}

func TestSearchWithoutALimit(t *testing.T) {
	if s, _ := searchFor(t, upTo(1e12, reports.Fail)); s.found.Rate < highestRate/2 || s.found.Missed != 0 || s.found.ExitCode() != 0 {
		t.Errorf("%+v", s.found)
	}
	s, text := searchFor(t, upTo(0, reports.Fail))
	if r := s.found.Report(); r == nil || r.Verdict != reports.Fail {
		t.Errorf("the report is %+v, not that of the last trial", r)
	}
	if s.found.Rate != 0 || s.found.ExitCode() != reports.ExitFail || !strings.HasPrefix(text, "No rate kept p99 < 50ms, down to ") {
		t.Errorf("%+v: %s", s.found, text)
	}
}

func TestSearchThatTheGeneratorEnds(t *testing.T) {
	s, text := searchFor(t, upTo(5000, reports.Inconclusive))
	if f := s.found; f.Rate < 4500 || f.Rate > 5000 || f.ExitCode() != reports.ExitInconclusive || !strings.Contains(text, "generator that could not keep") {
		t.Errorf("%+v: %s", f, text)
	}
}

// TestSearchAmongChance lets trials near the limit be a matter of luck: what is
// found is below it all the same, nearly always.
func TestSearchAmongChance(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	above := 0
	for range 200 {
		s, _ := searchFor(t, func(rate float64) reports.Verdict {
			if rate < 900 || rate < 1100 && rng.Float64() < (1100-rate)/200 {
				return reports.Pass
			}
			return reports.Fail
		})
		if len(s.found.Trials) > mostTrials || s.found.Rate < 100 {
			t.Errorf("%+v", s.found)
		}
		if s.found.Rate > 1000 {
			above++
		}
	}
	if above > 20 {
		t.Errorf("%d of 200 searches found a rate at which most trials miss", above)
	}
}

func TestSearchIsEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &search{w: io.Discard}
	s.play = func(context.Context, float64) (*reports.Report, error) {
		if len(s.found.Trials) == 3 {
			cancel()
		}
		return &reports.Report{Verdict: reports.Pass, SLOs: []reports.SLO{{OK: true}}}, nil
	}
	if err := s.run(ctx); err != nil || len(s.found.Trials) != 3 {
		t.Errorf("%v after %d trials", err, len(s.found.Trials))
	}
	s = &search{w: io.Discard}
	if err := s.run(ctx); err != nil || s.found.Report() != nil {
		t.Errorf("%v, report %+v of no trial", err, s.found.Report())
	}
}
