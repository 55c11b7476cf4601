package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

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
		if !strings.Contains(text, "played again, it was kept 5 of 5 times, so at 95 % confidence by at least 47 % of such trials") {
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
	if !strings.Contains(text, "/s and not known at 5,") || strings.Contains(text, "missed") {
		t.Errorf("what the generator could not play was not missed: %s", text)
	}
	if !strings.Contains(text, "5 of 5 times, so at 95 % confidence by at least 47 % of such trials; ") {
		t.Errorf("trials at other rates are counted: %s", text)
	}
	if f := s.found; f.Rate < 4500 || f.Rate > 5000 || f.ExitCode() != reports.ExitInconclusive || !strings.Contains(text, "generator that could not keep") {
		t.Errorf("%+v: %s", f, text)
	}
}

// What is not known has not been missed.
func TestSearchThatLearnsNothing(t *testing.T) {
	s, text := searchFor(t, upTo(0, reports.Inconclusive))
	if !strings.HasPrefix(text, "Nothing is known of p99 < 50ms, down to 1.5") || s.found.ExitCode() != reports.ExitInconclusive {
		t.Errorf("exit code %d: %s", s.found.ExitCode(), text)
	}
}

// What the prober could not see says nothing of a trial's load, what the generator
// could not send does.
func TestSearchJudgesByTheLoad(t *testing.T) {
	for name, c := range map[string]struct {
		load  reports.Load
		fails bool
	}{
		"the prober was blind":     {reports.Load{}, false},
		"the generator was late":   {reports.Load{Generator: reports.Generator{Saturated: true}}, true},
		"the generator had no way": {reports.Load{Failures: map[string]int64{"generator": 1}}, true},
	} {
		s := &search{w: io.Discard}
		s.play = func(context.Context, float64) (*reports.Report, error) {
			return &reports.Report{Verdict: reports.Inconclusive, Load: []reports.Load{c.load}, SLOs: []reports.SLO{{OK: true}}}, nil
		}
		if got, err := s.once(t.Context(), 1); err != nil || got.Saturated != c.fails || got.Kept == c.fails {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// The report is one of the rate that is named, also where a higher one was kept
// first and missed then.
func TestSearchReportsTheRateItNames(t *testing.T) {
	s := &search{w: io.Discard, found: Found{Objective: "p99 < 50ms"}}
	played := map[float64]int{}
	s.play = func(_ context.Context, rate float64) (*reports.Report, error) {
		played[rate]++
		v := reports.Pass
		if rate > 1000 || rate > 900 && played[rate] > 1 {
			v = reports.Fail
		}
		return &reports.Report{Verdict: v, Reasons: []string{fmt.Sprint(rate)}, SLOs: []reports.SLO{{OK: v == reports.Pass}}}, nil
	}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := &s.found; f.Rate > 900 || f.Kept != confirmations || f.Report().Reasons[0] != fmt.Sprint(f.Rate) {
		t.Errorf("found %v, and the report is of %v", f.Rate, f.Report().Reasons)
	}
}

// A machine that is busy now and then does not make the target's rate lower.
func TestSearchOnABusyMachine(t *testing.T) {
	n := 0
	s, text := searchFor(t, func(rate float64) reports.Verdict {
		if n++; n%4 < 2 {
			return reports.Inconclusive
		}
		return upTo(1000, reports.Fail)(rate)
	})
	if !strings.Contains(text, "in which the generator keeps up (in ") {
		t.Errorf("it is not told that some trials say nothing: %s", text)
	}
	if f := s.found; f.Rate < 950 || f.Rate > 1000 || f.Missed <= 1000 || f.ExitCode() != 0 || f.Again != 1 {
		t.Errorf("%+v: %s", f, text)
	}
}

// TestSearchAmongChance lets trials near the limit be a matter of luck: where that
// is wide, and where there is nothing else. What is said of the share of trials that
// keep the objective holds in 95 of 100 searches, at the least.
func TestSearchAmongChance(t *testing.T) {
	for name, keeps := range map[string]func(rate float64) float64{
		"near the limit": func(rate float64) float64 { return (1100 - rate) / 200 },
		"far around it":  func(rate float64) float64 { return (1900 - rate) / 1800 },
		"a gentle slope": func(rate float64) float64 { return 1 / (1 + rate/1000) },
		"a coin":         func(float64) float64 { return 0.45 },
	} {
		t.Run(name, func(t *testing.T) {
			const searches = 2000
			rng := rand.New(rand.NewPCG(1, 2))
			wrong := 0
			for range searches {
				s, _ := searchFor(t, func(rate float64) reports.Verdict {
					if rng.Float64() < keeps(rate) {
						return reports.Pass
					}
					return reports.Fail
				})
				f := &s.found
				if len(f.Trials) > mostTrials || f.Kept > confirmations {
					t.Fatalf("%+v", f)
				}
				if f.Rate > 0 && f.Kept > 0 && keeps(f.Rate) < f.share() {
					wrong++
				}
			}
			t.Logf("wrong in %d of %d", wrong, searches)
			if wrong > searches/20 {
				t.Errorf("%d of %d searches are more sure than they may be", wrong, searches)
			}
		})
	}
}

// A search that is ended early says nothing of the trial that it was at.
func TestSearchIsEndedAtATrial(t *testing.T) {
	for _, at := range []int{4, 9, 11} {
		ctx, cancel := context.WithCancel(t.Context())
		s := &search{w: io.Discard, found: Found{Objective: "p99 < 50ms"}}
		played := 0
		s.play = func(_ context.Context, rate float64) (*reports.Report, error) {
			if played++; played == at {
				cancel()
			}
			v := upTo(500, reports.Fail)(rate)
			return &reports.Report{Verdict: v, SLOs: []reports.SLO{{OK: v == reports.Pass && played != at}}}, nil
		}
		if err := s.run(ctx); !errors.Is(err, errEnded) {
			t.Errorf("trial %d: %v", at, err)
		}
		f := &s.found
		if f.Rate < 400 || f.Rate > 500 || len(f.Trials) != at-1 || f.Missed != 0 && f.Missed <= 500 {
			t.Errorf("ended at trial %d: %+v", at, f)
		}
	}
}

// TestSearchFindsAKnownCapacity searches against a server that answers 200 requests
// a second and turns away what is more, but for a burst of 50: in trials of half
// a second no rate above 300/s can be kept, and every rate up to 200/s can.
func TestSearchFindsAKnownCapacity(t *testing.T) {
	const capacity, burst, trial = 200, 50, 500 * time.Millisecond
	var mu sync.Mutex
	var full time.Time // when the bucket will be full again
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if full.Before(now) {
			full = now
		}
		if full.Sub(now) > burst*time.Second/capacity {
			w.WriteHeader(503)
			return
		}
		full = full.Add(time.Second / capacity)
	}))
	defer srv.Close()
	c := mustConfig(t, Options{Until: "availability >= 99%", TimeLimit: trial, KeepAlive: true, NoProbe: true}, srv.URL)
	var log bytes.Buffer
	found, err := (&Player{}).Search(t.Context(), c, &log)
	if err != nil {
		t.Fatal(err)
	}
	most := (capacity*trial.Seconds() + burst + 1) / trial.Seconds() / 0.99
	if found.Rate > most || found.Missed == 0 || found.Missed < found.Rate {
		t.Errorf("found %+v, more than %.0f/s is not to be had\n%s", found, most, log.String())
	}
	// A generator that does not get its processor knows less, and says so.
	if found.Rate < capacity/finest && !strings.Contains(log.String(), "not known") {
		t.Errorf("found %+v, %d/s is to be had\n%s", found, capacity, log.String())
	}
	if r := found.Report(); r == nil || found.Rate > 0 && (found.Kept != confirmations || r.Verdict != reports.Pass) {
		t.Errorf("found %+v, its report %+v", found, r)
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
	if err := s.run(ctx); !errors.Is(err, errEnded) || len(s.found.Trials) != 3 {
		t.Errorf("%v after %d trials", err, len(s.found.Trials))
	}
	s = &search{w: io.Discard}
	if err := s.run(ctx); err != nil || s.found.Report() != nil {
		t.Errorf("%v, report %+v of no trial", err, s.found.Report())
	}
}
