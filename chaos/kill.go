package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
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
		in.revert = endsWithRun()
		in.undo = func(ctx context.Context) error {
			if err := seeOff(ctx, marks, in.struck); err != nil {
				return err
			}
			return startAgain(d, marks)(ctx)
		}
	}
	return in, nil
}

// leave is how long after its signal a server may take to end before it is
// killed, to be started again.
const leave = 5 * time.Second

// seeOff waits until the processes have ended which a signal has struck. Some
// take their leave, as a PostgreSQL that waits for its clients: none is started
// in place of one that goes on.
func seeOff(ctx context.Context, marks []mark, struck clock.Time) error {
	killed := false
	for {
		var left []mark
		for _, m := range marks {
			if proc.Alive(m.id) {
				left = append(left, m)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if !killed && clock.Since(struck) >= leave {
			killed = true
			if _, err := signalAll(left, os.Kill); err != nil && !errors.Is(err, errSkipped) {
				return err
			}
		}
		if !clock.SleepUntil(ctx, clock.Now().Add(endedEvery)) {
			return fmt.Errorf("%s does not end: %w", left[0].name, ctx.Err())
		}
	}
}

func isGone(err error) bool { return errors.Is(err, os.ErrProcessDone) }
