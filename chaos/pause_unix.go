//go:build unix

package chaos

import (
	"context"
	"fmt"
	"slices"
	"syscall"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/proc"
)

func (p *Pause) aim(_ context.Context, t Target, s Shot) (*injection, error) {
	marks, err := p.choose(t, s)
	if err != nil {
		return nil, err
	}
	var frozen []proc.ID
	for i, m := range marks {
		if len(m.all) == 0 {
			marks[i].all = []proc.ID{m.id}
		}
		frozen = append(frozen, marks[i].all...)
	}
	in := &injection{
		victims: victims(marks),
		detail:  describe("freeze", marks),
		revert:  &Revert{Thaw: frozen},
		ended:   func() bool { return allEnded(frozen) },
	}
	in.inject = func(context.Context) (err error) {
		in.struck, err = freeze(marks)
		return err
	}
	return in, nil
}

// freeze stops the main process of each first, so that it makes no other ones.
func freeze(marks []mark) (struck clock.Time, err error) {
	if struck, err = signalAll(marks, syscall.SIGSTOP); err != nil {
		return struck, err
	}
	for _, m := range marks {
		for _, id := range m.all {
			if err := proc.Signal(id, syscall.SIGSTOP); err != nil && !isGone(err) {
				return struck, fmt.Errorf("signal pid %d: %w", id.PID, err)
			}
		}
	}
	return struck, nil
}

// allEnded tells whether none of the processes lives, as far as one can see.
func allEnded(ids []proc.ID) bool {
	return !slices.ContainsFunc(ids, func(id proc.ID) bool {
		p, err := proc.Hold(id)
		if err == nil {
			p.Release()
		}
		return !isGone(err)
	})
}

func thaw(id proc.ID) error { return proc.Signal(id, syscall.SIGCONT) }
