package chaos

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/proc"
)

// mark is a process that was selected.
type mark struct {
	slot int // 0: no worker
	id   proc.ID

	// Of a dependency's server:
	server string    // its name
	name   string    // in words
	all    []proc.ID // its processes
}

// choose finds the processes that a selector means at this moment.
func (sel Selector) choose(t Target, s Shot) ([]mark, error) {
	if sel.Dependency != "" {
		return sel.chooseServers(t, s)
	}
	if t.Processes == nil {
		return nil, fmt.Errorf("the target has no processes that hachaos knows of")
	}
	if sel.Process == "main" {
		id, alive := t.Processes.Main()
		if !alive {
			return nil, fmt.Errorf("%w: the main process had already ended", errSkipped)
		}
		return []mark{{id: id}}, nil
	}
	living, total, err := sel.candidates(t.Processes)
	if err != nil {
		return nil, err
	}
	want := max(sel.Workers.N, 1)
	if sel.Workers.All {
		want = total
	}
	switch {
	case total == 0:
		return nil, fmt.Errorf("the target has no workers")
	case want > total:
		return nil, fmt.Errorf("the target has only %d of %d workers", total, want)
	}
	chosen := sel.pick(living, s, total, want)
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%w: the chosen worker had already ended", errSkipped)
	}
	return chosen, nil
}

// candidates lists what can be chosen among, by slot, and how many slots there
// are. Processes found by pattern have their slots by age.
func (sel Selector) candidates(p Processes) (living []mark, total int, err error) {
	if sel.Match == "" {
		workers, err := p.Workers()
		if err != nil {
			return nil, 0, err
		}
		for _, w := range workers {
			living = append(living, mark{slot: w.Slot, id: w.ID})
		}
		return living, p.Slots(), nil
	}
	pattern, err := regexp.Compile(sel.Match)
	if err != nil {
		return nil, 0, fmt.Errorf("match: %w", err)
	}
	all, err := p.All()
	if err != nil {
		return nil, 0, err
	}
	for i, info := range proc.Matching(all, pattern) {
		living = append(living, mark{slot: i + 1, id: info.ID})
	}
	if len(living) == 0 {
		return nil, 0, fmt.Errorf("no process of the run matches %q", sel.Match)
	}
	return living, len(living), nil
}

func (sel Selector) pick(living []mark, s Shot, total, want int) []mark {
	switch sel.Pick {
	case "oldest", "newest":
		slices.SortFunc(living, func(a, b mark) int {
			return cmp.Or(cmp.Compare(a.id.Started, b.id.Started), cmp.Compare(a.slot, b.slot))
		})
		if sel.Pick == "newest" {
			slices.Reverse(living)
		}
		return living[:min(want, len(living))]
	}
	// A slot that is drawn and empty is not replaced by another one: the same
	// seed hits the same slots.
	var chosen []mark
	for _, slot := range s.Order(total)[:want] {
		if i := slices.IndexFunc(living, func(m mark) bool { return m.slot == slot }); i >= 0 {
			chosen = append(chosen, living[i])
		}
	}
	return chosen
}

func victims(marks []mark) []Victim {
	v := make([]Victim, len(marks))
	for i, m := range marks {
		v[i] = Victim{Worker: m.slot, PID: m.id.PID}
	}
	return v
}

// describe says what is done to whom: "SIGKILL worker 2 (pid 4711)".
func describe(what string, marks []mark) string {
	names := make([]string, len(marks))
	for i, m := range marks {
		switch {
		case m.name != "":
			names[i] = fmt.Sprintf("%s (pid %d)", m.name, m.id.PID)
		case m.slot == 0:
			names[i] = fmt.Sprintf("main process (pid %d)", m.id.PID)
		default:
			names[i] = fmt.Sprintf("worker %d (pid %d)", m.slot, m.id.PID)
		}
	}
	return what + " " + strings.Join(names, ", ")
}

// signalAll sends a signal to each; what ended meanwhile is left out. It is
// skipped if all have. If one cannot be looked at, none gets it. struck is the
// moment of the first signal.
func signalAll(marks []mark, sig os.Signal) (struck clock.Time, err error) {
	held := make([]*os.Process, len(marks))
	for i, m := range marks {
		p, err := proc.Hold(m.id)
		switch {
		case isGone(err):
			continue
		case err != nil:
			return clock.Now(), fmt.Errorf("signal pid %d: %w", m.id.PID, err)
		}
		defer p.Release()
		held[i] = p
	}
	hit := 0
	struck = clock.Now()
	for i, p := range held {
		if p == nil {
			continue
		}
		switch err := p.Signal(sig); {
		case err == nil:
			hit++
		case !isGone(err):
			return struck, fmt.Errorf("signal pid %d: %w", marks[i].id.PID, err)
		}
	}
	if hit == 0 {
		return struck, fmt.Errorf("%w: the chosen process had just ended", errSkipped)
	}
	return struck, nil
}
