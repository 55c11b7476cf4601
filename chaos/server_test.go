package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/proc"
)

// database is a dependency whose servers are those of a herd: the first one is
// the primary.
type database struct {
	*herd
	calls []string
}

func (d *database) Servers(role string) ([]Server, error) {
	var list []Server
	for i, p := range d.procs {
		s := Server{Name: fmt.Sprintf("node-%d", i+1), Role: "replica", ID: p.ID(), All: []proc.ID{p.ID()}}
		if i == 0 {
			s.Role = "primary"
		}
		if d.alive(p) && (s.Role == role || role == "main" && i == 0) {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no %s is alive", role)
	}
	return list, nil
}

func (d *database) call(what string) error {
	d.calls = append(d.calls, what)
	return nil
}

func (d *database) Promote(context.Context) error { return d.call("promote") }

func (d *database) Lag(context.Context) (func(context.Context) error, error) {
	return func(context.Context) error { return d.call("catch up") }, d.call("lag")
}

func (d *database) Fill(context.Context) (func(context.Context) error, error) {
	return nil, errors.New("it cannot be filled")
}

func (d *database) Stop(_ context.Context, server string) error  { return d.call("stop " + server) }
func (d *database) Start(_ context.Context, server string) error { return d.call("start " + server) }

func TestFaultsOnServers(t *testing.T) {
	short := units.Duration(time.Millisecond)
	for _, c := range []struct {
		name   string
		fault  Fault
		detail string
		calls  []string
		hit    []int // of the herd
	}{
		{"kill", Fault{Kill: &Kill{Selector: Selector{Dependency: "db"}}}, "SIGKILL db node-1, primary (pid ", nil, []int{0}},
		{"kill and start", Fault{Kill: &Kill{Selector: Selector{Dependency: "db", Process: "primary"}}, For: short}, "SIGKILL db node-1, primary (pid ", []string{"start node-1"}, []int{0}},
		{"kill replicas", Fault{Kill: &Kill{Selector: Selector{Dependency: "db", Process: "replica", Workers: Count{All: true}}}}, "SIGKILL db node-2, replica (pid ", nil, []int{1, 2}},
		{"stop", Fault{Stop: &Stop{Selector{Dependency: "db", Process: "primary"}}, For: short}, "stop db node-1, primary (pid ", []string{"stop node-1", "start node-1"}, nil},
		{"promote", Fault{Promote: &Promote{"db"}}, "promote a replica of db", []string{"promote"}, nil},
		{"lag", Fault{Lag: &Lag{"db"}, For: short}, "hold the replicas of db back", []string{"lag", "catch up"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &database{herd: newHerd(t, 3)}
			c.fault.Name = "f"
			c.fault.SetDefaults()
			c.fault.Check(func(path, message string) { t.Errorf("%s: %s", path, message) })
			events, err := conduct(t.Context(), Target{Dependencies: map[string]Dependency{"db": d}}, &journal{}, nil, c.fault)
			if err != nil || len(events) != 1 || !strings.HasPrefix(events[0].Detail, c.detail) || events[0].Lasting != (c.fault.For > 0) {
				t.Fatalf("events %+v, error %v", events, err)
			}
			if !slices.Equal(d.calls, c.calls) {
				t.Errorf("calls %q, want %q", d.calls, c.calls)
			}
			for _, i := range c.hit {
				select {
				case <-d.procs[i].Done():
				case <-time.After(20 * time.Second):
					t.Errorf("server %d lives", i+1)
				}
			}
			if len(events[0].Victims) > 0 && events[0].Victims[0].Worker != 0 {
				t.Errorf("a server is told as a worker: %+v", events[0].Victims)
			}
		})
	}
}

// takeLeave lets a process end by itself a while after SIGTERM, as a server does
// that waits for its clients.
func takeLeave(after string) {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	fmt.Println("ready")
	<-terminated
	d, _ := time.ParseDuration(after)
	time.Sleep(d)
}

// leaving is a dependency whose one server ends late when it is told to.
type leaving struct {
	database
	lived bool // when it was started again
}

func (l *leaving) Start(_ context.Context, server string) error {
	l.lived = proc.Alive(l.procs[0].ID())
	return l.call("start " + server)
}

// A server that is only told to end has not ended when the fault's time is over.
func TestAServerHasEndedBeforeItIsStartedAgain(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals to send")
	}
	for after, end := range map[string]string{"300ms": "", "1m": "killed by SIGKILL"} {
		t.Run(after, func(t *testing.T) {
			talk, err := proc.Converse(proc.Command{Path: os.Args[0], Env: []string{"CHAOS_TEST_LEAVE=" + after}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(talk.HangUp)
			t.Cleanup(talk.Kill)
			d := &leaving{database: database{herd: &herd{t, []*proc.Process{talk.Process}}}}
			if line, err := talk.Line(t.Context()); err != nil || line != "ready" {
				t.Fatalf("it said %q, %v", line, err)
			}
			kill := Fault{Name: "f", Kill: &Kill{Selector: Selector{Dependency: "db"}, Signal: "SIGTERM"}, For: units.Duration(time.Millisecond)}
			events, err := conduct(t.Context(), Target{Dependencies: map[string]Dependency{"db": d}}, &journal{}, nil, kill)
			if err != nil || events[0].Error != "" || !slices.Equal(d.calls, []string{"start node-1"}) {
				t.Fatalf("events %+v, error %v, calls %q", events, err, d.calls)
			}
			if d.lived {
				t.Fatal("it was started while it lived")
			}
			if got := talk.Exit().String(); end != "" && got != end {
				t.Errorf("its end: %s, want %s", got, end)
			}
		})
	}
}

func TestFaultsOnServersThatFail(t *testing.T) {
	d := &database{herd: newHerd(t, 1)}
	target := Target{Dependencies: map[string]Dependency{"db": d}}
	for want, f := range map[string]Fault{
		"it cannot be filled":                         {Fill: &Fill{"db"}},
		"no replica is alive":                         {Kill: &Kill{Selector: Selector{Dependency: "db", Process: "replica"}}},
		"has 1 living servers of role main, not 2":    {Kill: &Kill{Selector: Selector{Dependency: "db", Workers: Count{N: 2}}}},
		"the run has no dependency other":             {Lag: &Lag{"other"}},
		"the run has no dependency other\x00kill":     {Kill: &Kill{Selector: Selector{Dependency: "other"}}},
		"the run has no dependency other\x00stopping": {Stop: &Stop{Selector{Dependency: "other"}}},
	} {
		f.Name = "f"
		want, _, _ = strings.Cut(want, "\x00")
		if _, err := conduct(t.Context(), target, &journal{}, nil, f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
