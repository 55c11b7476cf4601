//go:build unix

package chaos

import (
	"context"
	"syscall"

	"github.com/hachaos/hachaos/targets/proc"
)

func (p *Pause) aim(_ context.Context, t Target, s Shot) (*injection, error) {
	marks, err := p.choose(t, s)
	if err != nil {
		return nil, err
	}
	frozen := make([]proc.ID, len(marks))
	for i, m := range marks {
		frozen[i] = m.id
	}
	return &injection{
		victims: victims(marks),
		detail:  describe("freeze", marks),
		revert:  &Revert{Thaw: frozen},
		inject:  func(context.Context) error { return signalAll(marks, syscall.SIGSTOP) },
	}, nil
}

func thaw(id proc.ID) error { return proc.Signal(id, syscall.SIGCONT) }
