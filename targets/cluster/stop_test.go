//go:build unix

package cluster

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/proc"
)

func TestStopServesWhatHasCome(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: config(2, dispatch, 30*time.Millisecond)})
			ctx, cancel := timeout()
			defer cancel()
			const requests = 20
			answers := f.burst(ctx, requests)
			f.await("all requests to have come", func(s Status) bool {
				var there int64
				for _, w := range s.Workers {
					there += w.InFlight + w.Requests
				}
				// The kernel does not say how many wait in a listener that workers have, nor how
				// many are on their way to it.
				return there >= 2 && (dispatch != "handoff" || there+int64(s.Queued) >= requests-2)
			})
			if dispatch != "handoff" {
				for range requests / 2 {
					if a := <-answers; a.err != nil {
						t.Fatal(a.err)
					}
				}
			}
			f.signal(f.process.ID(), "SIGTERM")
			for range cap(answers) {
				select {
				case a := <-answers:
					if a.err != nil || a.status != http.StatusOK {
						t.Errorf("a request that had come: %+v", a)
					}
				case <-f.process.Done():
				}
			}
			<-f.process.Done()
			if x := f.process.Exit(); x.Failed() {
				t.Errorf("the master %s", x)
			}
			if !f.refused() {
				t.Error("somebody still listens")
			}
			if _, err := os.Stat(f.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the control directory is left: %v", err)
			}
		})
	}
}

func TestStopRefusesAtOnce(t *testing.T) {
	t.Parallel()
	conf := config(1, "handoff", 0)
	conf.App.Wait = units.Duration(patience)
	f := start(t, masterOptions{Config: conf})
	ctx, cancel := context.WithCancel(context.Background())
	answers := f.burst(ctx, 1)
	f.await("a request in flight", func(s Status) bool { return s.Workers[0].InFlight == 1 })
	f.signal(f.process.ID(), "SIGTERM")
	if !eventually(f.refused) {
		t.Error("the cluster drains and still listens")
	}
	f.await("the worker to leave, with its request", func(s Status) bool {
		return s.Stopping && s.Workers[0].State == Leaving && s.Workers[0].InFlight == 1
	})
	// The second signal ends all at once.
	f.signal(f.process.ID(), "SIGTERM")
	<-f.process.Done()
	cancel()
	if a := <-answers; a.err == nil {
		t.Error("a request that takes a minute was answered")
	}
}

func TestKillTimeoutEndsAWorkerThatStays(t *testing.T) {
	t.Parallel()
	conf := config(2, "handoff", 0)
	conf.KillTimeout = units.Duration(200 * time.Millisecond)
	f := start(t, masterOptions{Config: conf})
	f.freeze(f.id(1))
	ctx, cancel := timeout()
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		t.Error(err)
	}
	<-f.process.Done()
	if log := proc.Tail(f.log, 3); !strings.Contains(log, "was killed by SIGKILL") {
		t.Errorf("a frozen worker ended without being killed: %s", log)
	}
}

// A proxy does not leave it to the workers to cut off what lasts too long: they
// would wait for it as long again.
func TestKillTimeoutCutsOffAtTheProxy(t *testing.T) {
	t.Parallel()
	conf := config(2, "proxy", 0)
	conf.App.Wait, conf.KillTimeout = units.Duration(time.Minute), units.Duration(3*time.Second)
	f := start(t, masterOptions{Config: conf})
	answered := make(chan int, 1)
	go func() {
		ctx, cancel := timeout()
		defer cancel()
		_, status, _ := (&caller{address: f.address}).get(ctx, "/")
		answered <- status
	}()
	f.await("the request to be with a worker", func(s Status) bool { return s.Workers[0].InFlight+s.Workers[1].InFlight == 1 })
	ctx, cancel := timeout()
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		t.Error(err)
	}
	<-f.process.Done()
	if status := <-answered; status != 502 {
		t.Errorf("who waited is answered %d", status)
	}
	log, err := os.ReadFile(f.log)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "connections were cut off") {
		t.Error("a worker had to cut off what the proxy had waited for")
	}
}

func TestWorkerThatIsToldToGoLosesNothing(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := config(2, dispatch, 0)
			conf.Restart.When = "always"
			f := start(t, masterOptions{Config: conf})
			l := f.load(6, true)
			for range 3 {
				if !l.after(200) {
					t.Fatal("no load")
				}
				old := f.id(1)
				f.signal(old, "SIGTERM")
				f.await("another worker", func(s Status) bool { return s.Ready == 2 && s.Workers[0].PID != old.PID })
			}
			l.lostNothing(t, 0)
		})
	}
}

func TestWorkersOutliveTheirMasterForALifeline(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: config(2, dispatch, 0), Lifeline: 2 * time.Second})
			ctx, cancel := timeout()
			defer cancel()
			open := &caller{address: f.address, keepalive: true}
			defer open.hangUp()
			if _, _, err := open.get(ctx, "/"); err != nil {
				t.Fatal(err)
			}
			f.process.Kill()
			// A worker serves what it has, and a shared listener on its own.
			if _, status, err := open.get(ctx, "/"); dispatch != "proxy" && (err != nil || status != http.StatusOK) {
				t.Errorf("an open connection after the master's end: %d, %v", status, err)
			}
			if dispatch == "shared" || dispatch == "reuseport" {
				if a := <-f.burst(ctx, 1); a.err != nil {
					t.Errorf("a new connection after the master's end: %v", a.err)
				}
			}
			if _, err := f.Status(ctx); !errors.Is(err, ErrNoMaster) || !strings.Contains(err.Error(), "has ended without a word") {
				t.Errorf("the client says %v", err)
			}
			f.awaitNoProcess()
		})
	}
}
