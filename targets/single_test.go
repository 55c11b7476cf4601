package targets

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/proc"
)

// get asks a target once, on a connection of its own.
func get(ctx context.Context, url string) (pid string, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	q.Close = true
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return r.Header.Get("X-Worker"), err
}

func TestSingleServesAndStops(t *testing.T) {
	s := newStage(t)
	target := NewSingle(SingleConfig{}, s.Options)
	s.play(target)
	for range 5 {
		if _, err := get(t.Context(), target.URL()); err != nil {
			t.Fatal(err)
		}
	}
	main, alive := target.Main()
	workers, err := target.Workers()
	if !alive || err != nil || len(workers) != 1 || workers[0].ID != main || workers[0].Slot != 1 || !workers[0].Ready || workers[0].Started == 0 || target.Slots() != 1 {
		t.Errorf("main %v %v, workers %+v %v", main, alive, workers, err)
	}
	all, err := target.All()
	if err != nil || len(all) != 1 || all[0].ID != main {
		t.Errorf("all its processes are %+v, %v", all, err)
	}
	s.stop(target)
	if served := target.Served(); len(served) != 1 || served[main.PID] != 5 {
		t.Errorf("it served %v", served)
	}
	if u := target.Usages(); len(u) != 1 || u[0].PID != main.PID || u[0].Process != "single" || u[0].CPU == 0 || u[0].RSSMax == 0 {
		t.Errorf("it used %+v", u)
	}
	if len(s.started) != 1 || s.started[0] != main {
		t.Errorf("started were %v", s.started)
	}
	if _, alive := target.Main(); alive {
		t.Error("the process lives after the stop")
	}
	select {
	case <-target.Done():
		t.Error("a target that was stopped is done")
	default:
	}
}

func TestSingleStaysDead(t *testing.T) {
	s := newStage(t)
	target := NewSingle(SingleConfig{Restart: "never"}, s.Options)
	s.play(target)
	main, _ := target.Main()
	if err := proc.Signal(main, os.Kill); err != nil {
		t.Fatal(err)
	}
	<-target.Done()
	if err := target.Err(); err == nil || !strings.Contains(err.Error(), "ended: killed by SIGKILL") && !strings.Contains(err.Error(), "exit status") {
		t.Errorf("it ended because of %v", err)
	}
	if workers, err := target.Workers(); err != nil || len(workers) != 0 || target.Slots() != 1 {
		t.Errorf("dead, it has workers %+v, %v", workers, err)
	}
	if err := target.Exit(t.Context(), 1, 1); err == nil {
		t.Error("a dead process was told to exit")
	}
	ready := []int{}
	for _, c := range s.seen() {
		ready = append(ready, c.Ready)
		if c.Source != "single" || c.At == 0 {
			t.Errorf("seen %+v", c)
		}
	}
	if len(ready) != 2 || ready[0] != 1 || ready[1] != 0 {
		t.Errorf("ready were %v", ready)
	}
}

func TestSingleComesBackOnItsPort(t *testing.T) {
	s := newStage(t)
	target := NewSingle(SingleConfig{Restart: "on-failure", App: app.Config{Work: units.Duration(time.Millisecond)}}, s.Options)
	s.play(target)
	for life := range 3 {
		if _, err := get(t.Context(), target.URL()); err != nil {
			t.Fatal(err)
		}
		before, _ := target.Main()
		if life == 1 {
			if err := proc.Signal(before, os.Kill); err != nil {
				t.Fatal(err)
			}
		} else if err := target.Exit(t.Context(), 1, 3); err != nil {
			t.Fatal(err)
		}
		s.await("the next life", func() bool {
			now, alive := target.Main()
			workers, _ := target.Workers()
			return alive && now != before && len(workers) == 1 && workers[0].Ready
		})
	}
	if served := target.Served(); len(served) != 4 {
		t.Errorf("%d lives are remembered, want 4", len(served))
	}
	// One that ends with status 0 has not failed.
	if err := target.Exit(t.Context(), 1, 0); err != nil {
		t.Fatal(err)
	}
	<-target.Done()
	if err := target.Err(); err == nil || !strings.Contains(err.Error(), "ended: exit status 0") {
		t.Errorf("it ended because of %v", err)
	}
}

func TestSingleStopsWhileItWaitsToComeBack(t *testing.T) {
	s := newStage(t)
	target := NewSingle(SingleConfig{Restart: "on-failure"}, s.Options)
	s.play(target)
	// A life this short is followed by a wait.
	if err := target.Exit(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	s.awaitReady(0)
	s.stop(target)
}

func TestSingleDoesNotStart(t *testing.T) {
	s := newStage(t)
	missing := s.Options
	missing.Self = []string{"/no/such/program"}
	if err := NewSingle(SingleConfig{}, missing).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "start the single process: start /no/such/program") {
		t.Errorf("a missing program: %v", err)
	}
	wrong := s.Options
	wrong.Self = append(wrong.Self[:1:1], "cluster", "--nonsense")
	target := NewSingle(SingleConfig{}, wrong)
	s.checkEmpty(target)
	if err := target.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "it does not listen: it ended: exit status 1; it printed last:") {
		t.Errorf("a program that ends at once: %v", err)
	}
	s.checkEmpty(target)
	wrong.Self = append(wrong.Self[:1:1], "mumble")
	if err := NewSingle(SingleConfig{}, wrong).Start(t.Context()); err == nil || !strings.Contains(err.Error(), `it does not listen: it said "hm"`) {
		t.Errorf("a program that is no hachaos: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewSingle(SingleConfig{}, s.Options).Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("no time to start: %v", err)
	}
}
