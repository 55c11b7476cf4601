package chaos

import (
	"cmp"
	"context"
	"errors"
	"os"

	"github.com/hachaos/hachaos/targets/proc"
)

func (k *Kill) aim(_ context.Context, t Target, s Shot) (*injection, error) {
	sig, err := proc.ParseSignal(cmp.Or(k.Signal, "SIGKILL"))
	if err != nil {
		return nil, err
	}
	marks, err := k.choose(t, s)
	if err != nil {
		return nil, err
	}
	in := &injection{
		victims: victims(marks),
		detail:  describe(proc.SignalName(sig), marks),
	}
	in.inject = func(context.Context) (err error) {
		in.struck, err = signalAll(marks, sig)
		return err
	}
	if d := t.Dependencies[k.Dependency]; d != nil && s.Fault.For > 0 {
		in.revert, in.undo = endsWithRun(), startAgain(d, marks)
	}
	return in, nil
}

func isGone(err error) bool { return errors.Is(err, os.ErrProcessDone) }
