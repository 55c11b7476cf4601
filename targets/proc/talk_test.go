package proc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/proc"
)

// talk is the process that the tests talk to. It repeats each line, and knows
// some words.
func talk() {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "late": // half an answer; the rest comes with the next one
			os.Stdout.WriteString("la")
			os.Stderr.WriteString("x")
			in.Scan()
			fmt.Println("te\n" + in.Text())
		case "shut":
			os.Stdout.Close()
		case "die":
			os.Exit(7)
		case "nonsense":
			fmt.Println("nonsense\nmore of it")
		default:
			fmt.Println(in.Text())
		}
	}
}

// converse starts the process to talk to.
func converse(t *testing.T, stderr *os.File) *proc.Talk {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	talk, err := proc.Converse(proc.Command{Path: self, Env: []string{"PROC_TEST_ROLE=talk"}, Stderr: stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		talk.HangUp()
		talk.Kill()
	})
	return talk
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestTalk(t *testing.T) {
	talk, ctx := converse(t, nil), patient(t)
	type word struct{ A int }
	var said word
	if err := talk.Tell(word{1}); err != nil {
		t.Fatal(err)
	}
	if err := talk.Hear(ctx, &said); err != nil || said.A != 1 {
		t.Errorf("heard %+v, %v", said, err)
	}
	if err := talk.Say("nonsense"); err != nil {
		t.Fatal(err)
	}
	if err := talk.Hear(ctx, &said); err == nil || err.Error() != `it said "nonsense"` {
		t.Errorf("heard nonsense: %v", err)
	}
	// What it says unasked is thrown away, and it ends with its input.
	talk.HangUp()
	if e := talk.Exit(); e.Failed() {
		t.Errorf("it ended: %s", e)
	}
	if err := talk.Say("a"); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("talked to one that has ended: %v", err)
	}
}

func TestEachQuestionHasItsAnswer(t *testing.T) {
	talk, ctx := converse(t, nil), patient(t)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 50 {
				question := fmt.Sprintf("%d of %d", i, n)
				if answer, err := talk.Ask(ctx, question); answer != question || err != nil {
					t.Errorf("the answer to %q is %q, %v", question, answer, err)
				}
			}
		})
	}
	all.Wait()
}

// An answer that was waited for too short is not the next question's, even if it
// comes in halves.
func TestLateAnswer(t *testing.T) {
	heard, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	talk := converse(t, stderr)
	stderr.Close()
	ctx, giveUp := context.WithCancel(patient(t))
	asked := make(chan error, 1)
	go func() {
		_, err := talk.Ask(ctx, "late")
		asked <- err
	}()
	if _, err := heard.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	giveUp()
	if err := <-asked; !errors.Is(err, context.Canceled) {
		t.Fatalf("a question that was given up: %v", err)
	}
	for _, question := range []string{"a", "b"} {
		if answer, err := talk.Ask(patient(t), question); answer != question || err != nil {
			t.Errorf("the answer to %q is %q, %v", question, answer, err)
		}
	}
}

func TestTalkSaysHowItEnded(t *testing.T) {
	talk := converse(t, nil)
	if answer, err := talk.Ask(patient(t), "die"); err == nil || err.Error() != "it ended: exit status 7" {
		t.Errorf("its last word is %q, %v", answer, err)
	}
	if answer, err := talk.Ask(patient(t), "a"); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a dead process says %q, %v", answer, err)
	}
	// One that is only silent is waited for no longer than ctx.
	talk = converse(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if answer, err := talk.Ask(ctx, "shut"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent process says %q, %v", answer, err)
	}
}

func TestConverseLeavesNothingOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted in Linux's /proc")
	}
	count := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(open)
	}
	converse(t, nil).Kill() // the runtime has what it keeps open
	before := count()
	for range 3 {
		if _, err := proc.Converse(proc.Command{Path: "/no/such/file"}); err == nil || !strings.Contains(err.Error(), "start /no/such/file") {
			t.Errorf("a missing program: %v", err)
		}
		talk := converse(t, nil)
		talk.HangUp()
		talk.Kill()
	}
	if now := count(); now != before {
		t.Errorf("%d descriptors are open, before it were %d", now, before)
	}
}
