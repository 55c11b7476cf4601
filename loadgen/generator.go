package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// Options say what a [Generator] plays.
type Options struct {
	URL     string     // of the target; http or https
	Epoch   clock.Time // t = 0; requests begun before it are warm-up
	Stream  Stream     // defaults are filled in
	Seed    uint64     // for weights and Poisson arrivals
	TLS     *tls.Config
	Connect Connect // how connections are made
	HTTP2   bool    // with net/http, over TLS or with prior knowledge

	// Observe, if set, is called with every request that ends and was begun from
	// t = 0 on, before Run returns. The result is valid during the call only.
	// Calls for one shard, from 0 to below MaxShards, do not overlap; those for
	// different ones may. A slow observer slows the load.
	Observe func(shard int, r *Result)
}

// Generator plays one stream of load against one URL, once.
type Generator struct {
	stream   Stream
	epoch    clock.Time
	end      clock.Time // of sending
	seed     uint64
	requests []weighted
	engine   engine
	recorder *recorder
	monitor  monitor

	ctx     context.Context // ends with Run's
	abandon context.CancelFunc

	stopped  atomic.Bool
	stopping chan struct{} // closed by Stop
	stopOnce sync.Once
	begun    atomic.Int64  // closed: requests begun from t = 0 on
	spent    chan struct{} // closed load of a count: closed when all have begun

	mu         sync.Mutex
	clients    []client
	dispatcher *dispatcher // open load, while it runs
	ended      clock.Time  // when Run was over; 0 before
}

// New makes a generator. The error names every mistake of the stream, or what
// is wrong with the URL.
func New(o Options) (*Generator, error) {
	s := o.Stream
	s.SetDefaults()
	var mistakes []error
	s.Check(func(path, message string) {
		if path != "" {
			path += " "
		}
		mistakes = append(mistakes, fmt.Errorf("stream %s: %s%s", s.Name, path, message))
	})
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	e, err := parseEndpoint(o.URL)
	if err != nil {
		return nil, err
	}
	e = o.Connect.through(e)
	g := &Generator{
		stream: s, epoch: o.Epoch, end: math.MaxInt64, seed: o.Seed,
		recorder: newRecorder(o.Epoch, s.Open != nil, o.Observe), stopping: make(chan struct{}), spent: make(chan struct{}),
	}
	if s.Duration > 0 {
		g.end = o.Epoch.Add(s.Duration.Std())
	}
	keepalive := s.Closed != nil && s.Closed.Keepalive || s.Open != nil && *s.Open.Keepalive
	for i, r := range s.Requests {
		q, err := compile(r, e, keepalive)
		if err != nil {
			return nil, fmt.Errorf("stream %s: requests[%d]: %w", s.Name, i, err)
		}
		q.index = i
		g.requests = append(g.requests, weighted{q, r.Weight})
	}
	g.ctx, g.abandon = context.WithCancel(context.Background())
	config := engineConfig{endpoint: e, tls: o.TLS, connect: o.Connect, keepalive: keepalive, retry: true, observed: o.Observe != nil}
	if o.HTTP2 {
		g.engine = newH2Engine(g.ctx, config)
	} else if g.engine, err = newHTTPEngine(g.ctx, config); err != nil {
		return nil, fmt.Errorf("URL %q: %w", e.authority, err)
	}
	return g, nil
}

// Run sends from now on until the stream's end, waits until what is in flight
// has been answered, has failed or has timed out, and returns. Of open load,
// what is due before the end and waits for a slot is in flight.
//
// When ctx ends it abandons what is in flight, which then counts nowhere, and
// returns ctx's error. It is called once.
func (g *Generator) Run(ctx context.Context) error {
	defer g.abandon()
	unhook := context.AfterFunc(ctx, g.abandonAll)
	defer unhook()
	g.recorder.began.Store(int64(clock.Now()))
	watched := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(watched)
		g.monitor.watch(g.epoch, ended)
	}()
	err := g.play(ctx)
	g.lastOut(ctx)
	close(ended)
	<-watched
	g.mu.Lock()
	g.ended = clock.Now()
	g.mu.Unlock()
	if err != nil {
		return err
	}
	return ctx.Err()
}

func (g *Generator) play(ctx context.Context) error {
	if loops := g.loops(ctx); loops != nil {
		g.runLoops(ctx, loops)
		return nil
	}
	if g.stream.Closed != nil {
		g.runClosed(ctx)
		return nil
	}
	d, err := newDispatcher(g)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.dispatcher = d
	stopped := g.stopped.Load()
	g.mu.Unlock()
	if !stopped {
		d.run(ctx)
	}
	g.mu.Lock()
	g.dispatcher = nil
	g.mu.Unlock()
	return nil
}

// lastOut waits for the end of the stream: its last request may be due and
// answered before.
func (g *Generator) lastOut(ctx context.Context) {
	if g.stream.Duration <= 0 {
		return
	}
	timer := time.NewTimer(g.end.Sub(clock.Now()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.stopping:
	case <-ctx.Done():
	}
}

// TLS describes the first TLS connection that was made; nil if there is none
// yet. It may be called at any time from any goroutine.
func (g *Generator) TLS() *tls.ConnectionState { return g.engine.handshake() }

// Stop ends the sending. Run then waits for what is in flight, and returns.
func (g *Generator) Stop() {
	g.stopOnce.Do(func() {
		g.stopped.Store(true)
		close(g.stopping)
		g.mu.Lock()
		d := g.dispatcher
		g.mu.Unlock()
		if d != nil {
			d.stop()
		}
	})
}

// Snapshot is how a stream stands at a moment.
type Snapshot struct {
	Counts
	Rate     float64       // good answers per second of the last one, or since Run was called; the warm-up included
	P50, P99 time.Duration // of all good answers from t = 0 on; 0 before the first
	BadStart string        // the first failure of the warm-up, in words; "" if there is none
}

// Snapshot says how the stream stands. It may be called at any time from any
// goroutine, and is cheap enough for once a second.
func (g *Generator) Snapshot() Snapshot {
	var s Snapshot
	s.Counts, s.Rate = g.recorder.counts(clock.Now())
	s.BadStart = g.recorder.badStart()
	if latency := g.recorder.latency(); latency.TotalCount() > 0 {
		s.P50 = time.Duration(latency.ValueAtPercentile(50)) * time.Microsecond
		s.P99 = time.Duration(latency.ValueAtPercentile(99)) * time.Microsecond
	}
	return s
}

// Recording returns what has been recorded so far: all of it once Run has
// returned, and before that every request that has ended. It may be called at
// any time from any goroutine; the result belongs to the caller.
func (g *Generator) Recording() *Recording {
	rec := g.recorder.recording()
	rec.Stream, rec.Engine, rec.Until = g.stream.Name, g.engine.name(), g.stream.Duration.Std()
	if c := g.stream.Closed; c != nil {
		rec.Model, rec.Concurrency = "closed", c.Concurrency
	} else {
		rec.Model, rec.Concurrency = "open", g.stream.Open.Senders
		rec.Rate = meanRate(g.stream.Open, g.stream.Duration.Std(), g.stream.Count)
	}
	g.mu.Lock()
	now := g.ended
	g.mu.Unlock()
	if now == 0 {
		now = clock.Now()
	}
	rec.Generator.CPU, rec.Generator.CPUShare = g.monitor.used(now)
	return rec
}

// newClient makes a client that ends when the run is abandoned.
func (g *Generator) newClient() client {
	c := g.engine.client()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clients = append(g.clients, c)
	if g.abandoned() {
		c.abort()
	}
	return c
}

func (g *Generator) abandonAll() {
	g.abandon()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.clients {
		c.abort()
	}
}

func (g *Generator) abandoned() bool { return g.ctx.Err() != nil }

// exhausted tells whether this process cannot keep up with its own work.
func (g *Generator) exhausted() bool { return g.monitor.exhausted.Load() }
