package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports"
)

// load runs warm-up, load, prober and faults, until all of them are over.
func (r *run) load(ctx context.Context) error {
	r.tell(func(p Progress) { p.Phase("warming up") })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	begin := clock.Now().Add(max(lead-r.scenario.Warmup.Std(), 0))
	r.epoch = begin.Add(r.scenario.Warmup.Std())
	r.started = time.Now().Add(r.epoch.Sub(clock.Now()))
	if err := r.startProber(ctx); err != nil {
		return err
	}
	defer r.endProber()
	if err := r.makeGenerators(); err != nil {
		return err
	}
	faults, callOff := context.WithCancelCause(ctx)
	defer callOff(nil)

	var background sync.WaitGroup
	background.Go(func() { r.playFaults(faults, ctx, cancel) })
	ticking, stopTicking := context.WithCancel(ctx)
	background.Go(func() { r.tick(ticking, cancel) })

	var failed error
	if clock.SleepUntil(ctx, begin) {
		failed = r.sendAll(ctx)
	}
	over := r.sendingUntil()
	if r.prober != nil {
		r.prober.Stop(over) // putting back may take longer than its records are held
	}
	// A fault that is in force is put back before anything else.
	callOff(chaos.ErrOver)
	stopTicking()
	background.Wait()
	r.over = over
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return failed
}

// sendingUntil returns until when requests have been sent: what comes after the
// end of the longest stream is only waited for, however the run ends.
func (r *run) sendingUntil() clock.Time {
	now := clock.Now()
	if length, known := r.scenario.Duration(); known {
		return min(now, r.epoch.Add(length))
	}
	return now
}

// sendAll lets every stream send, and returns when the last one is over.
func (r *run) sendAll(ctx context.Context) error {
	errs := make([]error, len(r.generators))
	var wg sync.WaitGroup
	for i, g := range r.generators {
		wg.Go(func() { errs[i] = g.Run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// startProber starts the prober beside the load, unless the scenario has none.
func (r *run) startProber(ctx context.Context) error {
	if r.scenario.Probe.Off {
		return nil
	}
	var err error
	// It outlasts the end of ctx: what it has in flight then is still answered, or
	// not, and that is what a report of a run that was ended is about.
	secure := r.scenario.tls()
	r.prober, err = loadgen.StartProber(context.WithoutCancel(ctx), loadgen.ProberOptions{
		Command: append(slices.Clone(r.player.Self), "probe"), Env: r.env(),
		URL: r.subject.URL(), Request: r.scenario.probed(), Probe: r.scenario.Probe.Probe, Epoch: r.epoch, Connect: r.connect(), TLS: &secure,
	})
	if err != nil {
		return err
	}
	if length, known := r.scenario.Duration(); known {
		r.prober.Stop(r.epoch.Add(length))
	}
	return nil
}

// probed is what the prober asks for: the first request as it is, or a GET of
// another path, whose expectation is its own.
func (s *Scenario) probed() loadgen.Request {
	first := s.Load[0].Requests[0]
	if s.Probe.Path == first.Path {
		return first
	}
	return loadgen.Request{Path: s.Probe.Path, Headers: first.Headers}
}

// endProber waits for what the prober, which was told to send no more, has in
// flight. One that ended early leaves a time unobserved, and the report says so.
func (r *run) endProber() {
	if r.prober == nil {
		return
	}
	if r.over == 0 {
		r.prober.Kill() // the load has not even begun
	}
	if err := r.prober.Wait(); err != nil && r.over != 0 {
		r.mu.Lock()
		r.blind = err.Error()
		r.mu.Unlock()
	}
}

// makeGenerators prepares the streams. Each draws from a seed of its own.
func (r *run) makeGenerators() error {
	secure, err := r.scenario.tls().Config()
	if err != nil {
		return err
	}
	for i := range r.scenario.Load {
		g, err := loadgen.New(loadgen.Options{
			URL: r.subject.URL(), Epoch: r.epoch, Stream: r.scenario.Load[i], Seed: r.seed + uint64(i), Connect: r.connect(), TLS: secure,
		})
		if err != nil {
			return fmt.Errorf("load %s: %w", r.scenario.Load[i].Name, err)
		}
		r.generators = append(r.generators, g)
	}
	return nil
}

// lastLook is how long before the first fault the baseline is looked at again.
const lastLook = 50 * time.Millisecond

// playFaults looks at the baseline when the warm-up is over, and once more before
// the first fault, and then injects faults until ctx ends, which is when the load
// is over; whole is the run's context, which end ends.
func (r *run) playFaults(ctx, whole context.Context, end context.CancelCauseFunc) {
	if !clock.SleepUntil(ctx, r.epoch) {
		return
	}
	if err := r.checkBaseline(false); err != nil {
		end(err)
		return
	}
	length, _ := r.scenario.Duration()
	shots := chaos.Plan(r.seed, r.scenario.Chaos, length)
	if len(shots) > 0 {
		// The later, the better a service that hangs can be told from a slow one.
		if !clock.SleepUntil(ctx, r.epoch.Add(shots[0].At-lastLook)) {
			return
		}
		if err := r.checkBaseline(true); err != nil {
			end(err)
			return
		}
	}
	events, err := chaos.Conduct(ctx, chaos.Score{
		Shots:   shots,
		Epoch:   r.epoch,
		Target:  r.subject.chaos,
		Journal: r.guard,
		Observe: r.observeFault,
		Cut:     whole,
	})
	r.mu.Lock()
	r.faults = events
	r.mu.Unlock()
	if err != nil {
		end(err)
	}
}

// observeFault notes a fault as it happens. A lasting one comes twice.
func (r *run) observeFault(e chaos.Event) {
	r.subject.stir()
	r.mu.Lock()
	if i := slices.IndexFunc(r.faults, func(old chaos.Event) bool { return old.ID == e.ID }); i >= 0 {
		r.faults[i] = e
	} else {
		r.faults = append(r.faults, e)
	}
	r.mu.Unlock()
	secrets := r.scenario.Secrets()
	e.Detail, e.Error = reports.Redact(e.Detail, secrets...), reports.Redact(e.Error, secrets...)
	r.tell(func(p Progress) { p.Fault(e) })
}

// checkBaseline counts requests without an answer as well if unanswered: when a
// fault is about to hide what became of them.
func (r *run) checkBaseline(unanswered bool) error {
	var warmup []reports.Warmup
	waited := clock.Now().Sub(r.epoch)
	for i, g := range r.generators {
		s := g.Snapshot()
		warmup = append(warmup, reports.Warmup{
			Stream: r.scenario.Load[i].Name, OK: s.WarmupOK, Failed: s.WarmupFailed,
			Example: reports.Excerpt(s.BadStart, r.scenario.Secrets()...),
			Slowest: s.WarmupSlowest, Waited: waited, Length: r.scenario.Warmup.Std(), Timeout: r.scenario.Load[i].Timeout.Std(),
		})
		if unanswered {
			warmup[i].Pending = s.WarmupBegun - s.WarmupOK - s.WarmupFailed
		}
	}
	return reports.CheckBaseline(r.scenario.SLO, warmup)
}

// soFar is what was measured so far, without what nobody looks at before the end
// and takes time: the projection, and redacting all events.
func (r *run) soFar() reports.Run {
	part := r.result(nil)
	part.Rates, part.Events = nil, nil
	return part
}

// tick looks at abort_if and shows the progress, once a second.
func (r *run) tick(ctx context.Context, end context.CancelCauseFunc) {
	length, _ := r.scenario.Duration()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := clock.Now().Sub(r.epoch)
		part := r.soFar()
		part.Objectives = append(slices.Clone(part.Objectives), r.scenario.AbortIf...)
		so := reports.Fold(part)
		var rate float64
		for _, g := range r.generators {
			rate += g.Snapshot().Rate
		}
		shown := *so
		shown.SLOs = so.SLOs[:len(r.scenario.SLO)] // abort_if is no objective
		r.tell(func(p Progress) { p.Tick(now, length, &shown, rate) })
		if now <= 0 {
			continue
		}
		for i, o := range r.scenario.AbortIf {
			if v := so.SLOs[len(r.scenario.SLO)+i].Value; v != nil && o.Holds(*v) {
				end(&abortError{o.Expr})
				return
			}
		}
	}
}
