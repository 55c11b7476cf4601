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
	"github.com/hachaos/hachaos/targets/backend"
	"github.com/hachaos/hachaos/targets/note"
	"github.com/hachaos/hachaos/targets/proc"
)

// Player plays scenarios.
type Player struct {
	Self     []string // how hachaos is started: the path of its binary
	Progress Progress // nil: nobody is told
	Keep     bool     // keep the run's folder: logs and what servers stored
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
	sockets  string // folder of sockets and pipes, in memory where that can be
	seed     uint64
	guard    *Guard
	subject  *subject

	network      *network // nil: no chaos proxies
	dependencies []*backend.Backend
	events       *note.Listener
	unwatch      func() // ends the watch over the proxies

	epoch   clock.Time // t = 0; 0 before it is known
	started time.Time  // wall clock at t = 0
	over    clock.Time // end of sending; 0 while the load goes on
	untidy  error      // what could not be put back, or ended, at the end of the run

	generators []*loadgen.Generator
	prober     *loadgen.Prober

	mu       sync.Mutex
	changes  []targets.Change
	faults   []chaos.Event
	warnings []string
	usages   []targets.Usage
	happened []happening     // to dependencies, and what processes told
	told     int             // events that processes told, those not kept too
	lately   []happening     // the last of those, more than are kept
	passed   []reports.Proxy // what went through the proxies; nil before the end
	blind    string          // why the prober ended before the load did; "" if it did not

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
func (r *run) play(ctx context.Context) error {
	defer r.tell(Progress.End)
	r.tell(func(p Progress) { p.Phase("starting " + r.scenario.whatStarts()) })
	if err := r.prepare(); err != nil {
		return err
	}
	defer func() { r.untidy = r.dismiss() }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer r.guard.OnEnd(func() { cancel(errUnguarded) })()
	defer r.stopAround()
	if err := r.startAround(ctx, cancel); err != nil {
		return orCause(ctx, err)
	}
	if err := r.startTarget(ctx); err != nil {
		return orCause(ctx, err)
	}
	defer r.stopTarget()
	if err := r.placeFront(ctx); err != nil {
		return orCause(ctx, err)
	}
	if err := r.awaitReady(ctx); err != nil {
		return err
	}
	return r.load(ctx)
}

// orCause returns why ctx ended, if it did, or else err.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
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
	// The guard knows of a folder before it is there.
	if r.player.Keep {
		err = r.guard.Kept(r.folder)
	} else {
		err = r.guard.Folder(r.folder)
	}
	if err == nil {
		if err = os.Mkdir(r.folder, 0o700); err != nil {
			err = fmt.Errorf("make the run's folder: %w", err)
		}
	}
	if err == nil {
		err = r.prepareSockets()
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
		r.warn(fmt.Sprintf("processes that the target left behind were ended (%d): %s", len(left.Ended), shortList(left.Ended)))
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
