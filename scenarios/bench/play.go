package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/loadgen/ab"
	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/loadgen/results"
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/scenarios"
)

// lead is how long before t = 0 the prober is started, so that it probes by then.
const lead = 300 * time.Millisecond

// Player plays benches.
type Player struct {
	Self     []string // the command, with arguments, that is hachaos itself
	Version  string
	Progress Progress  // nil: none is shown
	Trace    io.Writer // of -v
}

// Outcome is what came of a bench.
type Outcome struct {
	Report    *reports.Report
	Recording *loadgen.Recording
	Figures   *ab.Figures
	Page      ab.Page
	// Broken is the socket error that ended it, nil if none did.
	Broken error

	log    *results.Log // nil: nobody wants every request
	attack results.Attack
}

// bench is one that is being played.
type bench struct {
	player *Player
	config *Config

	epoch     clock.Time
	started   time.Time
	generator *loadgen.Generator
	prober    *loadgen.Prober
	tally     *ab.Tally
	log       *results.Log
	trace     *trace
	warnings  []string
	blind     string // why the prober ended before the load did; "" if it did not
	broken    atomic.Pointer[error]
	cut       func() // ends the load at once
}

// Play plays a bench until its end, ctx's, or, unless the config says to go on,
// the first socket error. everything says to keep every single request; then
// [Outcome.Close] must be called.
//
// The error is what kept it from being played; a context that ended is none,
// and stands in the report.
func (p *Player) Play(ctx context.Context, c *Config, everything bool) (*Outcome, error) {
	b := &bench{player: p, config: c, tally: ab.NewTally(c.Page.Variable)}
	if everything || c.Gnuplot != "" {
		var err error
		if b.log, err = results.New(); err != nil {
			return nil, err
		}
	}
	out, err := b.play(ctx)
	if err != nil && b.log != nil {
		err = errors.Join(err, b.log.Close())
	}
	return out, err
}

// Close removes what was kept of every request.
func (o *Outcome) Close() error {
	if o.log == nil {
		return nil
	}
	return o.log.Close()
}

func (b *bench) play(ctx context.Context) (*Outcome, error) {
	c := b.config
	b.epoch = clock.Now()
	if !c.Probe.Off {
		b.epoch = b.epoch.Add(lead)
	}
	b.started = time.Now().Add(b.epoch.Sub(clock.Now()))
	if err := b.makeGenerator(); err != nil {
		return nil, err
	}
	if err := b.startProber(ctx); err != nil {
		return nil, err
	}
	over, err := b.send(ctx)
	b.endProber(over)
	if err != nil {
		return nil, err
	}
	return b.outcome(ctx, over), nil
}

func (b *bench) makeGenerator() error {
	c := b.config
	secure, err := c.TLS.Config()
	if err != nil {
		return err
	}
	connect := c.Connect
	if c.Verbosity >= 2 && b.player.Trace != nil {
		b.trace = &trace{w: b.player.Trace, statuses: c.Verbosity >= 3}
		connect.Trace = b.trace.wire
	}
	b.generator, err = loadgen.New(loadgen.Options{
		URL: c.URL, Epoch: b.epoch, Stream: c.Stream, Seed: c.Seed, TLS: secure, Connect: connect, HTTP2: c.HTTP2,
		Observe: b.observe,
	})
	return err
}

// observe takes in a request that has ended.
func (b *bench) observe(shard int, r *loadgen.Result) {
	b.tally.Observe(shard, r)
	if b.log != nil {
		b.log.Observe(shard, r)
	}
	if b.trace != nil {
		b.trace.answer(r)
	}
	if !b.config.GoOn && r.Lost() && b.broken.Load() == nil {
		err := r.Err
		if err == nil {
			err = errors.New(r.Cause.String())
		}
		err = fmt.Errorf("%s: %w", r.Cause, err)
		if b.broken.CompareAndSwap(nil, &err) {
			b.cut()
		}
	}
}

func (b *bench) startProber(ctx context.Context) error {
	c := b.config
	if c.Probe.Off {
		return nil
	}
	connect := c.Connect
	connect.Trace = nil
	var err error
	b.prober, err = loadgen.StartProber(ctx, loadgen.ProberOptions{
		Command: append(slices.Clone(b.player.Self), "probe"),
		URL:     c.URL, Request: c.Stream.Requests[0], Probe: c.Probe, Epoch: b.epoch, TLS: &c.TLS, Connect: connect,
	})
	return err
}

// endProber lets the prober send no more, and waits for what it has in flight.
func (b *bench) endProber(over clock.Time) {
	if b.prober == nil {
		return
	}
	b.prober.Stop(over)
	switch err := b.prober.Wait(); {
	case err == nil, errors.Is(err, context.Canceled):
	case b.config.Until != nil: // a trial of a search is judged by its load alone
		b.warnings = append(b.warnings, err.Error())
	default:
		b.blind = err.Error()
	}
}

// send plays the load, and returns when it was over.
func (b *bench) send(parent context.Context) (clock.Time, error) {
	c := b.config
	ctx, cut := context.WithCancel(parent)
	defer cut()
	b.cut = cut
	if !clock.SleepUntil(ctx, b.epoch) {
		return clock.Now(), nil
	}
	if c.Limit > 0 {
		timer := time.AfterFunc(c.Limit, b.generator.Stop)
		defer timer.Stop()
	}
	var background sync.WaitGroup
	watching, stop := context.WithCancel(ctx)
	background.Go(func() { b.watch(watching) })
	err := b.generator.Run(ctx)
	over := clock.Now()
	stop()
	background.Wait()
	if err != nil && ctx.Err() != nil {
		err = nil
	}
	return over, err
}

// outcome makes the report.
func (b *bench) outcome(ctx context.Context, over clock.Time) *Outcome {
	c := b.config
	rec := b.generator.Recording()
	run := reports.Run{
		Scenario:    reports.Scenario{Name: "bench", Description: "hachaos bench", Seed: c.Seed},
		Started:     b.started,
		Environment: scenarios.DescribeEnvironment(b.player.Version),
		Target:      reports.Target{Kind: "url", URL: reports.Redact(c.URL)},
		Loads:       []*loadgen.Recording{rec},
		Warnings:    b.warnings,
		Blind:       b.blind,
		Secrets:     c.secrets(),
	}
	if c.Until != nil {
		run.Objectives = []reports.Objective{*c.Until}
	}
	if run.Duration = max(over.Sub(b.epoch), 0); c.Stream.Duration > 0 {
		run.Duration = min(run.Duration, c.Stream.Duration.Std())
	}
	if b.prober != nil {
		run.Probes = b.prober.Recordings(b.epoch.Add(run.Duration))
	}
	out := &Outcome{Recording: rec, Page: c.Page, log: b.log}
	var signal *scenarios.SignalError
	if broken := b.broken.Load(); broken != nil {
		out.Broken = *broken
		run.Failure = out.Broken.Error()
	} else if errors.As(context.Cause(ctx), &signal) {
		run.Interrupted = signal.Signal
	} else if ctx.Err() != nil {
		run.Interrupted = "the caller"
	}
	out.Report = reports.Fold(run)
	out.Figures = b.tally.Figures(rec.End)
	state := b.generator.TLS()
	out.Page.TLS, out.Page.TempKey = describeTLS(state)
	if state != nil && !c.Connect.NoSNI {
		out.Page.ServerName = state.ServerName
	}
	out.attack = results.Attack{Name: "bench", Started: b.started, URL: c.server(), Requests: c.requests()}
	return out
}
