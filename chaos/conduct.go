package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// RevertTimeout bounds one revert, whoever plays it.
const RevertTimeout = 30 * time.Second

// finishTimeout bounds how long an injection may go on once the load is over.
const finishTimeout = 15 * time.Second

// ErrOver as the cause of an ended context says that the load is over: what is
// being injected is let finish, within 15 s. Any other cause cuts it short.
var ErrOver = errors.New("the load is over")

var errUnfinished = fmt.Errorf("not finished %v after the load was over", finishTimeout)

// Score is what [Conduct] plays.
type Score struct {
	Shots   []Shot
	Epoch   clock.Time // t = 0
	Target  Target
	Journal Journal
	// Observe, unless nil, is called with each event: when its fault was
	// injected (or skipped, or failed), and once more when it was reverted. Calls
	// do not overlap.
	Observe func(Event)
	// Cut, unless nil, cuts short what is being injected when it ends, also once
	// the load is over.
	Cut context.Context
}

// InjectionError says that a fault which the scenario needs could not be
// injected or reverted.
type InjectionError struct {
	ID  string
	Err error
}

func (e *InjectionError) Error() string { return fmt.Sprintf("fault %s: %v", e.ID, e.Err) }
func (e *InjectionError) Unwrap() error { return e.Err }

// Conduct injects each shot at its time and reverts what lasts, until all is
// done or ctx ends. When ctx ends, no further shot is begun, and everything that
// is in force is reverted at once, before Conduct returns. The events are in
// order of their start. The error, if any, is an [InjectionError] of the first
// fault that failed and was not optional; the other faults are then called off
// and reverted too.
func Conduct(ctx context.Context, score Score) ([]Event, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &conductor{Score: score, stop: cancel}
	c.Target.journal = score.Journal
	if c.Cut == nil {
		c.Cut = context.Background()
	}
	injecting, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	defer context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); !errors.Is(cause, ErrOver) {
			cut(cause)
			return
		}
		timer := time.NewTimer(finishTimeout)
		defer timer.Stop()
		select {
		case <-timer.C:
			cut(errUnfinished)
		case <-c.Cut.Done():
			cut(context.Cause(c.Cut))
		case <-injecting.Done(): // all is done
		}
	})()
	var wg sync.WaitGroup
	for _, shot := range score.Shots {
		if !clock.SleepUntil(ctx, score.Epoch.Add(shot.At)) {
			break
		}
		wg.Go(func() { c.play(ctx, injecting, shot) })
	}
	wg.Wait()
	slices.SortStableFunc(c.events, func(a, b Event) int { return int(min(max(a.Start-b.Start, -1), 1)) })
	return c.events, c.failure
}

type conductor struct {
	Score
	stop context.CancelCauseFunc

	mu      sync.Mutex
	events  []Event
	failure error
}

func (c *conductor) now() time.Duration { return clock.Now().Sub(c.Epoch) }

// play injects one shot; ctx ends what lasts, injecting cuts the injection short.
func (c *conductor) play(ctx, injecting context.Context, shot Shot) {
	e := Event{ID: shot.ID(), Name: shot.Fault.Name, Kind: shot.Fault.Kind(), N: shot.N, At: shot.At, Start: c.now(), Dependency: shot.Fault.Dependency()}
	in, err := shot.Fault.injector().aim(injecting, c.Target, shot)
	if err != nil {
		e.End = e.Start
		c.finish(e, shot, err)
		return
	}
	e.Victims, e.Detail = in.victims, in.detail
	if in.revert == nil {
		err = c.inject(injecting, &e, in)
		e.End = e.Start
		if shot.Fault.Reload != nil {
			e.End += e.Took // though nothing of it is undone
		}
		c.finish(e, shot, err)
		return
	}
	c.playLasting(ctx, injecting, e, shot, in)
}

// inject injects a fault and notes when.
func (c *conductor) inject(ctx context.Context, e *Event, in *injection) error {
	struck, done, err := in.into(ctx)
	e.Start, e.Took = struck.Sub(c.Epoch), done.Sub(struck)
	return err
}

// playLasting injects a fault, waits for its end or the end of ctx, and reverts
// it. The revert is in the journal for as long as the fault may be in force.
func (c *conductor) playLasting(ctx, injecting context.Context, e Event, shot Shot, in *injection) {
	e.Lasting = true
	if err := c.Journal.Open(e.ID, *in.revert); err != nil {
		e.Start = c.now()
		e.End = e.Start
		c.finish(e, shot, fmt.Errorf("write the guard's journal: %w", err))
		return
	}
	injected := c.inject(injecting, &e, in)
	if injected == nil {
		e.State = Done
		c.observe(e)
		e.Ended = c.last(ctx, e.Start, shot.Fault.For.Std(), in)
	}
	// Half an injection is undone like a whole one.
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), RevertTimeout)
	defer cancel()
	reverted := in.putBack(undo, c.Journal)
	e.End = c.now()
	if reverted == nil {
		reverted = c.Journal.Close(e.ID)
	}
	if injected == nil && reverted != nil {
		e.State, e.Error = Done, reverted.Error() // it was in force, and may still be
		c.note(e, shot, reverted)
		return
	}
	c.finish(e, shot, cmp.Or(injected, reverted))
}

// endedEvery is the time between two looks whether what a fault struck has ended.
const endedEvery = 20 * time.Millisecond

// last lets a fault be in force for its time, if it has one, or until ctx ends, or
// until there is nothing left that it could act on, which it then tells.
func (c *conductor) last(ctx context.Context, start, length time.Duration, in *injection) bool {
	ctx, over := context.WithCancel(ctx)
	defer over()
	var wg sync.WaitGroup
	ended := false
	if in.ended != nil {
		wg.Go(func() {
			for clock.SleepUntil(ctx, clock.Now().Add(endedEvery)) {
				if in.ended() {
					ended = true
					over()
				}
			}
		})
	}
	if length > 0 {
		clock.SleepUntil(ctx, c.Epoch.Add(start+length))
	} else {
		<-ctx.Done()
	}
	cut := ctx.Err() != nil
	over()
	wg.Wait()
	return ended || !cut && in.ended != nil && in.ended() // since the last look
}

// finish notes how a shot ended, and ends the whole if it failed.
func (c *conductor) finish(e Event, shot Shot, err error) {
	switch {
	case err == nil:
		e.State = Done
	case errors.Is(err, errSkipped):
		e.State, e.Error = Skipped, reason(err)
	default:
		e.State, e.Error = Failed, err.Error()
	}
	if e.State != Failed {
		err = nil
	}
	c.note(e, shot, err)
}

// note keeps an event. err, unless nil, ends the whole, but for an optional
// fault and for what whoever ended the run has cut short.
func (c *conductor) note(e Event, shot Shot, err error) {
	c.observe(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
	if err != nil && !shot.Fault.Optional && !errors.Is(err, context.Canceled) && c.failure == nil {
		c.failure = &InjectionError{e.ID, err}
		c.stop(c.failure)
	}
}

func reason(skipped error) string {
	text := skipped.Error()
	prefix := errSkipped.Error() + ": "
	if len(text) > len(prefix) {
		return text[len(prefix):]
	}
	return text
}

func (c *conductor) observe(e Event) {
	if c.Observe == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Observe(e)
}
