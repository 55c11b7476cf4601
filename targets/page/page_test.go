package page

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/proc"
)

func TestPageIsShared(t *testing.T) {
	path, ours := created(t)
	theirs, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()

	i, e := ours.Add(2, 3, 4, 1)
	if len(theirs.Processes()) != 0 {
		t.Error("a process that has not started is listed")
	}
	e.Start(proc.ID{PID: 4711, Started: 99})
	same, err := theirs.Entry(i)
	if err != nil {
		t.Fatal(err)
	}
	same.Served.Add(7)
	same.SetRSSMax(1 << 20)
	same.Resent.Add(2)
	same.Retries.Failed.Add(5)
	same.Retries.Succeeded.Add(4)
	for n := 1; n <= 4; n++ {
		same.Retries.Again(n, time.Duration(n)*time.Second)
	}
	e.SetReady(true)
	got := theirs.Processes()
	if len(got) != 1 || got[0].ID != (proc.ID{PID: 4711, Started: 99}) || got[0].Slot != 2 || got[0].Life != 3 || got[0].Generation != 4 ||
		got[0].Restarts != 1 || !got[0].Ready || got[0].Served != 7 || got[0].RSSMax != 1<<20 || got[0].Ended != 0 || got[0].Started == 0 {
		t.Errorf("the page has %+v", got)
	}
	if p := got[0]; p.Resent != 2 || p.Failed != 5 || p.Succeeded != 4 || p.Pauses != [pauses]Pause{{1, time.Second}, {1, 2 * time.Second}, {2, 7 * time.Second}} {
		t.Errorf("of retries the page has %+v", p)
	}
	e.End(proc.Exit{Code: 1, CPU: 5})
	if p := same.Process(); p.Ready || p.Ended == 0 || p.CPU != 5 || p.Served != 7 {
		t.Errorf("after its end: %+v", p)
	}
}

func TestClaimIsExclusive(t *testing.T) {
	p, err := Create(filepath.Join(t.TempDir(), "page"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, e := p.Add(1, 1, 1, 0)
	for n := uint64(1); n < 2000; n++ {
		var wg sync.WaitGroup
		var got [2]bool
		e.Offer(n)
		for i := range got {
			wg.Go(func() { got[i] = e.Claim(n) })
		}
		wg.Wait()
		if got[0] == got[1] {
			t.Fatalf("both sides of a claim got %v", got[0])
		}
	}
	if e.Claim(1) {
		t.Error("what is not offered was claimed")
	}
}

func TestFullPageForgetsWhatEndedFirst(t *testing.T) {
	p, err := Create(filepath.Join(t.TempDir(), "page"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range capacity {
		_, e := p.Add(1, i+1, 1, i)
		e.Start(proc.ID{PID: i + 1})
		if i == 5 || i == 9 {
			e.End(proc.Exit{})
		}
	}
	for _, want := range []int{5, 9} {
		i, e := p.Add(1, 1, 1, 0)
		if i != want {
			t.Fatalf("entry %d was used again, want %d", i, want)
		}
		e.Start(proc.ID{PID: 1})
	}
}

func TestResumeGoesOnAfterTheLast(t *testing.T) {
	path, ours := created(t)
	for i := range 3 {
		_, e := ours.Add(1, i+1, 1, i)
		e.Start(proc.ID{PID: i + 1})
		e.SetPort(1000 + i)
	}
	theirs, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	used := theirs.Resume()
	if len(used) != 3 || used[2].Process().Life != 3 || used[2].Process().Port != 1002 {
		t.Errorf("%d entries are used", len(used))
	}
	if i, _ := theirs.Add(1, 4, 1, 3); i != 3 {
		t.Errorf("the next entry is %d", i)
	}
}

func TestNotAPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page")
	if _, err := Open(path); err == nil {
		t.Error("no file was opened")
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil {
		t.Error("a short file was mapped")
	}
}
