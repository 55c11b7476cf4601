package app

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/targets/app/apptest"
)

type computed struct {
	ComputedMS float64 `json:"computed_ms"`
	PID        int     `json:"pid"`
}

// In the request, the work holds the processor that every other request needs;
// in a child process it does not.
func TestCompute(t *testing.T) {
	t.Setenv(computeVar, "1")
	inline := newTested(t, Config{}, nil)
	if got := decode[computed](t, inline.ask("GET /compute?for=1ms")); got.PID != os.Getpid() || got.ComputedMS != 1 {
		t.Errorf("inline: %+v", got)
	}
	// Without a free processor it waits.
	if err := inline.processor.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		inline.ask("GET /compute?for=1ms")
	}()
	apptest.Await(t, "the request to wait", func() bool {
		inline.processor.mu.Lock()
		defer inline.processor.mu.Unlock()
		return len(inline.processor.lines[requests]) == 1
	})
	inline.processor.Release()
	<-done

	child := newTested(t, Config{Compute: "child"}, nil)
	if err := child.processor.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer child.processor.Release()
	got := decode[computed](t, child.ask("GET /compute?for=1ms"))
	if got.PID == os.Getpid() || got.PID == 0 || got.ComputedMS != 1 {
		t.Errorf("child: %+v", got)
	}
	if again := decode[computed](t, child.ask("GET /compute?for=1ms")); again != got {
		t.Errorf("the next one is computed by %+v", again)
	}
	child.child.talk.Kill()
	<-child.child.talk.Done()
	child.want("GET /compute?for=1ms", 502, "") // it finds out
	if next := decode[computed](t, child.want("GET /compute?for=1ms", 200, "")); next.PID == got.PID {
		t.Error("the dead child computes")
	}
	last := child.child.talk
	child.end()
	<-last.Done()
}

func TestChildEndsWithItsInput(t *testing.T) {
	var out bytes.Buffer
	if err := RunCompute(strings.NewReader("1000\n0\n"), &out); err != nil || out.String() != "done\ndone\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := RunCompute(strings.NewReader("soon\n"), &out); err == nil {
		t.Error("it computes for soon")
	}
}
