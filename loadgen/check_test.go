package loadgen

import (
	"slices"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/reports/units"
)

func TestCheckFindsEveryMistake(t *testing.T) {
	negative := units.Duration(-1)
	for _, c := range []struct {
		name   string
		stream Stream
		want   []string // paths, in order
	}{
		{"closed", Stream{Closed: &Closed{Concurrency: 1}, Count: 1}, nil},
		{"open", Stream{Open: &Open{Rate: 1}, Duration: 1}, nil},
		{"ramp from nothing", Stream{Open: &Open{Ramp: &Ramp{0, 5, 1}}, Duration: 1}, nil},
		{"nothing", Stream{}, []string{"", ""}},
		{"both", Stream{Closed: &Closed{Concurrency: 1}, Open: &Open{Rate: 1}, Count: 1, Duration: 1}, []string{"", ""}},
		{"ramp-up", Stream{Closed: &Closed{Concurrency: 2, RampUp: 3}, Duration: 2}, []string{"closed.ramp_up"}},
		{"numbers", Stream{Closed: &Closed{Concurrency: 0, Think: -1}, Duration: -1, Timeout: -1, FailurePause: &negative}, []string{"closed.concurrency", "closed.think", "duration", "timeout", "failure_pause"}},
		{"count", Stream{Closed: &Closed{Concurrency: -3}, Count: -1}, []string{"closed.concurrency", "count"}},
		{"pause in open load", Stream{Open: &Open{Rate: 1}, Count: 1, FailurePause: new(units.Duration)}, []string{"failure_pause"}},
		{"no arrivals", Stream{Open: &Open{Senders: -1}, Count: 1}, []string{"open", "open.senders"}},
		{"two arrivals", Stream{Open: &Open{Rate: 1, Poisson: &Poisson{1}}, Count: 1}, []string{"open"}},
		{"rates", Stream{Open: &Open{Rate: -1}, Count: 1}, []string{"open.rate"}},
		{"high rate", Stream{Open: &Open{Poisson: &Poisson{1e9}}, Count: 1}, []string{"open.poisson.rate"}},
		{"no poisson rate", Stream{Open: &Open{Poisson: &Poisson{}}, Count: 1}, []string{"open.poisson.rate"}},
		{"ramp", Stream{Open: &Open{Ramp: &Ramp{-1, 5, 0}}, Count: 1}, []string{"open.ramp.from", "open.ramp.over"}},
		{"flat ramp", Stream{Open: &Open{Ramp: &Ramp{0, 0, 1}}, Count: 1}, []string{"open.ramp"}},
		{"sine", Stream{Open: &Open{Sine: &Sine{5, 5, 0}}, Count: 1}, []string{"open.sine.amplitude", "open.sine.period"}},
		{"requests", Stream{Closed: &Closed{Concurrency: 1}, Count: 1, Requests: []Request{
			{},
			{Method: "GET /", Path: "x", Weight: -1, Headers: map[string]string{"A B": "", "C": "d\r\nE: f", "Content-Length": "1"}},
			{Method: "CONNECT", Path: "/a b", Expect: Expect{Status: []StatusRange{{200, 299}, {300, 200}}, Degraded: []StatusRange{{0, 600}}}},
			{Path: "/a#b"},
		}}, []string{
			"requests[1].method", "requests[1].path", "requests[1].weight", "requests[1].headers.A B", "requests[1].headers.C", "requests[1].headers.Content-Length",
			"requests[2].method", "requests[2].path", "requests[2].expect.status[1]", "requests[2].expect.degraded[0]", "requests[3].path",
		}},
	} {
		for _, filled := range []bool{false, true} {
			s := c.stream
			if filled {
				s.SetDefaults()
			}
			var got []string
			s.Check(func(path, message string) {
				got = append(got, path)
				if message == "" || strings.ContainsAny(message, "\n\r") {
					t.Errorf("%s: message %q", c.name, message)
				}
			})
			if !slices.Equal(got, c.want) {
				t.Errorf("%s (defaults filled in: %v): mistakes at %q, want %q", c.name, filled, got, c.want)
			}
		}
	}
	p := Probe{Every: 1, Timeout: -1, Path: "x", Connections: "old"}
	var got []string
	p.Check(func(path, _ string) { got = append(got, path) })
	if want := []string{"timeout", "every", "path", "connections"}; !slices.Equal(got, want) {
		t.Errorf("probe: mistakes at %q, want %q", got, want)
	}
}

func TestNewNamesEveryMistake(t *testing.T) {
	_, err := New(Options{URL: "http://h/", Stream: Stream{Name: "main", Closed: &Closed{}, Requests: []Request{{Headers: map[string]string{"X": "a\r\nB: c"}}}}})
	if err == nil || strings.Count(err.Error(), "stream main: ") != 3 || !strings.Contains(err.Error(), "closed.concurrency must be at least 1") {
		t.Errorf("%v", err)
	}
}

func TestDefaultsLeaveTheOriginalAlone(t *testing.T) {
	open := &Open{Rate: 1}
	original := Stream{Open: open, Requests: []Request{{Path: "/x"}}}
	filled := original
	filled.SetDefaults()
	if open.Senders != 0 || open.Keepalive != nil || original.Requests[0].Method != "" {
		t.Errorf("the original was changed: %+v, %+v", original, open)
	}
	if r := filled.Requests[0]; r.Method != "GET" || r.Path != "/x" || r.Weight != 1 || len(r.Expect.Status) != 1 || filled.FailurePause != nil ||
		filled.Open.Senders != defaultSenders || !*filled.Open.Keepalive || filled.Timeout.Std() != defaultTimeout {
		t.Errorf("%+v, %+v", filled, filled.Open)
	}
	none := Stream{Closed: &Closed{}, FailurePause: new(units.Duration)}
	if none.SetDefaults(); *none.FailurePause != 0 {
		t.Errorf("no pause became %v", *none.FailurePause)
	}
}
