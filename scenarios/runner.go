package scenarios

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/targets"
	"github.com/hachaos/hachaos/targets/proc"
)

// Player plays scenarios.
type Player struct {
	Self     []string // how hachaos is started: the path of its binary
	Progress Progress // nil: nobody is told
	Keep     bool     // keep the run's folder: logs and sockets
	Version  string   // of hachaos, for the report
	Log      *slog.Logger
}

// SignalError as the cause of an ended context says that a signal ended the run.
type SignalError struct{ Signal string }

func (e *SignalError) Error() string { return "interrupted by " + e.Signal }

// abortError says that an expression of abort_if struck.
type abortError struct{ expr string }

func (e *abortError) Error() string { return "abort_if struck: " + e.expr }

const (
	tickEvery = time.Second // of abort_if and the progress
	// lead is the least time between starting the prober and t = 0, so that it
	// runs by then.
	lead = 300 * time.Millisecond
	// stopTimeout bounds how long a target may take to end before it is killed.
	stopTimeout = 10 * time.Second
)

// run is one scenario being played.
type run struct {
	player   *Player
	scenario *Scenario // its templates expanded
	id       string
	folder   string
	seed     uint64
	guard    *Guard
	subject  *subject

	epoch   clock.Time // t = 0; 0 before it is known
	started time.Time  // wall clock at t = 0
	over    clock.Time // end of sending; 0 while the load goes on

	generators []*loadgen.Generator
	prober     *loadgen.Prober

	mu       sync.Mutex
	changes  []targets.Change
	faults   []chaos.Event
	warnings []string
	usages   []targets.Usage
	blind    string // why the prober ended before the load did; "" if it did not

	telling sync.Mutex // calls of a Progress do not overlap
}

// Play plays a scenario that [Load] returned, and returns its report. Nothing
// that it started or broke outlives it. ctx ends it early: with a
// [SignalError] as its cause the report says so and holds what was measured. A
// run that could not be done has a report too, with the verdict error and the
// reason.
func (p *Player) Play(ctx context.Context, s *Scenario) *reports.Report {
	r := &run{player: p, scenario: s, seed: seedOf(s)}
	failure := r.play(ctx)
	return reports.Fold(r.result(failure))
}

// Dry returns what a run of s would inject, and its seed. Slots are known of
// targets that the scenario sizes; see [chaos.Shot.Order].
func Dry(s *Scenario) ([]chaos.Shot, uint64) {
	seed := seedOf(s)
	end, _ := s.Duration()
	return chaos.Plan(seed, s.Chaos, end), seed
}

// Victims returns the slots of the workers that a shot of the scenario will hit;
// nil if they are known only when it strikes, empty if it hits no worker.
func (s *Scenario) Victims(shot chaos.Shot) []int {
	total := 0
	switch {
	case s.Target.Cluster != nil:
		total = s.Target.Cluster.Workers.Number()
	case s.Target.Single != nil:
		total = 1
	}
	return shot.Victims(total)
}

// seedOf returns the scenario's seed, or a new one that a person can type again.
func seedOf(s *Scenario) uint64 {
	if s.Seed != nil {
		return *s.Seed
	}
	return mathrand.Uint64N(1_000_000)
}

// tell tells the player's Progress, if there is one.
func (r *run) tell(what func(Progress)) {
	if r.player.Progress == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	what(r.player.Progress)
}

// play does everything in order; what it returns ended the run.
func (r *run) play(ctx context.Context) (err error) {
	defer r.tell(Progress.End)
	r.tell(func(p Progress) { p.Phase("starting the target") })
	if err := r.prepare(); err != nil {
		return err
	}
	defer func() { err = joined(err, r.dismiss()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer r.guard.OnEnd(func() { cancel(errUnguarded) })()
	if err := r.startTarget(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	defer r.stopTarget()
	if err := r.awaitReady(ctx); err != nil {
		return err
	}
	return r.load(ctx)
}

var errUnguarded = errors.New("the guard has ended: nothing would put back what this run breaks")

// joined makes one error of two, in one line.
func joined(a, b error) error {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return fmt.Errorf("%w; %w", a, b)
}

// prepare makes the run's folder and starts its guard, before anything else.
func (r *run) prepare() error {
	var id [6]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	r.id = hex.EncodeToString(id[:])
	r.folder = filepath.Join(os.TempDir(), "hachaos-"+r.id)
	var err error
	if r.guard, err = StartGuard(append(slices.Clone(r.player.Self), "guard"), r.id); err != nil {
		return err
	}
	// The guard knows of the folder before it is there.
	if !r.player.Keep {
		err = r.guard.Folder(r.folder)
	}
	if err == nil {
		if err = os.Mkdir(r.folder, 0o700); err != nil {
			err = fmt.Errorf("make the run's folder: %w", err)
		}
	}
	if err != nil {
		return joined(err, r.dismiss())
	}
	if r.player.Keep {
		r.warn("the run's folder was kept: " + r.folder)
	}
	return nil
}

// dismiss lets the guard end what is left, and tells of what there was.
func (r *run) dismiss() error {
	left, err := r.guard.Dismiss()
	if err != nil {
		left = r.guard.standIn()
	}
	if len(left.Ended) > 0 {
		r.warn(fmt.Sprintf("the target left %d processes behind, which were ended: %s", len(left.Ended), shortList(left.Ended)))
	}
	if len(left.Errors) > 0 {
		err = joined(err, fmt.Errorf("not everything was put back: %s", shortList(left.Errors)))
	}
	return err
}

func shortList(items []string) string {
	const most = 5
	text := ""
	for i, item := range items {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(items)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += item
	}
	return text
}

func (r *run) warn(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warnings = append(r.warnings, text)
}

// observeChange is told of each change of the target's workers.
func (r *run) observeChange(c targets.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = append(r.changes, c)
}

// noteProcess tells the guard of a process that was started.
func (r *run) noteProcess(id proc.ID) {
	if err := r.guard.Process(id); err != nil {
		r.warn(err.Error())
	}
}

// env is what every process of the run carries.
func (r *run) env() []string { return []string{proc.RunVar + "=" + r.id} }

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
	if sleepUntil(ctx, begin) {
		failed = r.sendAll(ctx)
	}
	over := clock.Now()
	if length, known := r.scenario.Duration(); known && ctx.Err() == nil {
		over = r.epoch.Add(length) // what came after was only waited for
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
	request := loadgen.Request{}
	if requests := r.scenario.Load[0].Requests; len(requests) > 0 {
		request = requests[0]
	}
	var err error
	// It outlasts the end of ctx: what it has in flight then is still answered, or
	// not, and that is what a report of a run that was ended is about.
	r.prober, err = loadgen.StartProber(context.WithoutCancel(ctx), loadgen.ProberOptions{
		Command: append(slices.Clone(r.player.Self), "probe"), Env: r.env(),
		URL: r.subject.URL(), Request: request, Probe: r.scenario.Probe.Probe, Epoch: r.epoch,
	})
	if err != nil {
		return err
	}
	if length, known := r.scenario.Duration(); known {
		r.prober.Stop(r.epoch.Add(length))
	}
	return nil
}

// endProber lets the prober send no more, and waits for what it has in flight.
// One that ended early leaves a time unobserved, and the report says so.
func (r *run) endProber() {
	if r.prober == nil {
		return
	}
	if r.over == 0 {
		r.prober.Kill() // the load has not even begun
	} else {
		r.prober.Stop(r.over)
	}
	if err := r.prober.Wait(); err != nil && r.over != 0 {
		r.mu.Lock()
		r.blind = err.Error()
		r.mu.Unlock()
	}
}

// makeGenerators prepares the streams. Each draws from a seed of its own.
func (r *run) makeGenerators() error {
	for i := range r.scenario.Load {
		g, err := loadgen.New(loadgen.Options{
			URL: r.subject.URL(), Epoch: r.epoch, Stream: r.scenario.Load[i], Seed: r.seed + uint64(i),
		})
		if err != nil {
			return fmt.Errorf("load %s: %w", r.scenario.Load[i].Name, err)
		}
		r.generators = append(r.generators, g)
	}
	return nil
}

// playFaults looks at the baseline when the warm-up is over and then injects
// faults until ctx ends, which is when the load is over; whole is the run's
// context, which end ends.
func (r *run) playFaults(ctx, whole context.Context, end context.CancelCauseFunc) {
	if !sleepUntil(ctx, r.epoch) {
		return
	}
	if err := r.checkBaseline(); err != nil {
		end(err)
		return
	}
	length, _ := r.scenario.Duration()
	events, err := chaos.Conduct(ctx, chaos.Score{
		Shots:   chaos.Plan(r.seed, r.scenario.Chaos, length),
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

func (r *run) checkBaseline() error {
	var warmup []reports.Warmup
	for i, g := range r.generators {
		s := g.Snapshot()
		warmup = append(warmup, reports.Warmup{Stream: r.scenario.Load[i].Name, OK: s.WarmupOK, Failed: s.WarmupFailed})
	}
	return reports.CheckBaseline(r.scenario.SLO, warmup)
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
		part := r.result(nil)
		part.Rates = nil // nobody looks at a projection before the end
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

// sleepUntil waits for a moment; false if ctx ended first.
func sleepUntil(ctx context.Context, t clock.Time) bool {
	timer := time.NewTimer(t.Sub(clock.Now()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// result gathers what was measured so far. failure is what ended the run, nil
// if it goes on or went well.
func (r *run) result(failure error) reports.Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := r.over
	if end == 0 {
		end = clock.Now()
	}
	res := reports.Run{
		Scenario:    r.describeScenario(),
		Started:     r.started,
		Environment: environment(r.player.Version),
		Target:      r.describeTarget(),
		Faults:      slices.Clone(r.faults),
		Objectives:  r.scenario.SLO,
		Warnings:    slices.Clone(r.warnings),
		Blind:       r.blind,
		Secrets:     r.scenario.Secrets(),
		Resources:   resources(r.usages),
	}
	if b := r.scenario.Budget; b != nil {
		res.Budget = &reports.BudgetPolicy{Objective: float64(b.Objective), Window: b.Window.Std()}
	}
	for name, rate := range r.scenario.Rates {
		if res.Rates == nil {
			res.Rates = map[string]float64{}
		}
		res.Rates[name] = float64(rate)
	}
	var signal *SignalError
	var abort *abortError
	switch {
	case errors.As(failure, &signal):
		res.Interrupted = signal.Signal
	case errors.As(failure, &abort):
		res.Aborted = abort.expr
	case errors.Is(failure, context.Canceled):
		res.Interrupted = "the caller"
	case failure != nil:
		res.Failure = failure.Error()
	}
	if r.started.IsZero() {
		res.Started = time.Now()
		return res
	}
	if res.Duration = end.Sub(r.epoch); res.Duration <= 0 {
		res.Duration = 0
		return res
	}
	for _, g := range r.generators {
		res.Loads = append(res.Loads, g.Recording())
	}
	if r.prober != nil {
		res.Probes = r.prober.Recordings(r.epoch.Add(res.Duration))
	}
	res.Ready, res.Events = r.history(res.Duration)
	return res
}

// history turns the target's changes until end into the course of its ready
// workers and into events of the report.
func (r *run) history(end time.Duration) ([]reports.ReadyCount, []reports.Event) {
	var ready []reports.ReadyCount
	var events []reports.Event
	changes := slices.Clone(r.changes)
	slices.SortStableFunc(changes, func(a, b targets.Change) int { return cmp.Compare(a.At, b.At) })
	for _, c := range changes {
		at := c.At.Sub(r.epoch)
		if at > end {
			break // the target was being stopped
		}
		ready = append(ready, reports.ReadyCount{At: at, Ready: c.Ready})
		if at >= 0 {
			events = append(events, reports.Event{AtS: at.Seconds(), Source: c.Source, What: c.What})
		}
	}
	return ready, events
}
