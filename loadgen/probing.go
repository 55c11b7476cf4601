package loadgen

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// RunProber is the prober: what the process started by [StartProber] runs. From in
// it reads one line of JSON that says what to probe, and later a line "until N"
// with the clock's time at which it sends no more; it then waits for what is in
// flight, and returns nil. Without that line it goes on until in ends, which
// means that whoever watched is gone, or ctx does, and then returns an error.
// It writes to out what became of each probe.
//
// It first raises its priority. On Linux that replaces the process by a new
// image of itself, with the same arguments, before anything is read. While in
// does not end, one goroutine stays behind that reads it.
func RunProber(ctx context.Context, in io.Reader, out io.Writer) error {
	priority, err := raisePriority()
	if err != nil {
		return err
	}
	control := bufio.NewReader(in)
	line, err := control.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read what to probe: %w", err)
	}
	var config probeConfig
	if err := json.Unmarshal(line, &config); err != nil {
		return fmt.Errorf("read what to probe: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p, err := newProbing(ctx, config)
	if err != nil {
		return err
	}
	go p.control(control, cancel)
	return p.run(ctx, priority, out)
}

var errUnwatched = errors.New("the prober's input ended: nobody watches it any more")

// probing is a prober at work.
type probing struct {
	config  probeConfig
	streams []*probeStream
	until   atomic.Int64 // clock.Time at which sending ends
	log     *probeLog
	alarm   *alarm
	wg      sync.WaitGroup
}

// probeStream probes on one kind of connection.
type probeStream struct {
	kind    uint8
	seq     uint64
	engine  *httpEngine
	request *request
	mu      sync.Mutex
	idle    []*httpClient
}

func newProbing(ctx context.Context, config probeConfig) (*probing, error) {
	if config.Every <= 0 || config.Timeout <= 0 {
		return nil, errors.New("the prober needs an interval and a timeout")
	}
	e, err := parseEndpoint(config.URL)
	if err != nil {
		return nil, err
	}
	e = config.Connect.through(e)
	var tlsConfig *tls.Config
	if config.TLS != nil {
		if tlsConfig, err = config.TLS.Config(); err != nil {
			return nil, err
		}
	}
	p := &probing{config: config, log: newProbeLog()}
	p.until.Store(math.MaxInt64)
	config.Request.SetDefaults()
	for kind, name := range probeKinds {
		if config.Connections != name && config.Connections != "both" {
			continue
		}
		keepalive := name == "reused"
		s := &probeStream{kind: uint8(kind)}
		if s.request, err = compile(config.Request, e, keepalive); err != nil {
			return nil, err
		}
		if s.engine, err = newHTTPEngine(ctx, engineConfig{endpoint: e, tls: tlsConfig, connect: config.Connect, keepalive: keepalive}); err != nil {
			return nil, err
		}
		p.streams = append(p.streams, s)
	}
	if len(p.streams) == 0 {
		return nil, fmt.Errorf("connections %q is none of new, reused and both", config.Connections)
	}
	return p, nil
}

// control reads the lines after the first.
func (p *probing) control(in *bufio.Reader, cancel context.CancelCauseFunc) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			cancel(errUnwatched)
			return
		}
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "until "); ok {
			if t, err := strconv.ParseInt(text, 10, 64); err == nil {
				p.until.Store(t)
			}
		}
	}
}

func (p *probing) run(ctx context.Context, priority string, out io.Writer) error {
	var err error
	if p.alarm, err = newAlarm(); err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- p.log.write(out) }()
	p.log.append(func(b []byte) []byte { return appendPriority(b, priority) })
	p.send(ctx)
	p.alarm.close()
	p.wg.Wait()
	for _, s := range p.streams {
		for _, c := range s.idle {
			c.close()
		}
	}
	err = context.Cause(ctx)
	if err == nil {
		p.log.append(func(b []byte) []byte { return append(b, recordEnd) })
	}
	p.log.close()
	return errors.Join(err, <-written)
}

// maxNap bounds how long the prober waits without looking whether it shall go on.
const maxNap = 20 * time.Millisecond

// send starts the probes at their times until it is told to end. It waits by an
// alarm and not by a sleep on its own thread: that is as exact, and a thread
// asleep in a system call would keep the runtime's monitor busy, at the cost of
// half the processor time of all probes.
func (p *probing) send(ctx context.Context) {
	now := clock.Now()
	due := nextOnGrid(p.config.Epoch, p.config.Every, now)
	for ctx.Err() == nil && due < clock.Time(p.until.Load()) {
		p.alarm.set(min(due, now.Add(maxNap)))
		p.alarm.wait()
		if now = clock.Now(); now < due {
			continue
		}
		for _, s := range p.streams {
			seq, due := s.seq, due
			s.seq++
			p.wg.Go(func() { p.probe(s, seq, due) })
		}
		// Late by more than an interval: what was missed stays unobserved.
		due = nextOnGrid(p.config.Epoch, p.config.Every, now)
	}
}

// nextOnGrid returns the first moment after t that lies a whole number of
// intervals from epoch.
func nextOnGrid(epoch clock.Time, every time.Duration, t clock.Time) clock.Time {
	n := t.Sub(epoch) / every
	for epoch.Add(n*every) <= t {
		n++
	}
	return epoch.Add(n * every)
}

// probe sends one probe and notes what became of it.
func (p *probing) probe(s *probeStream, seq uint64, due clock.Time) {
	c := s.take()
	stop := context.AfterFunc(s.engine.ctx, c.abort)
	defer stop()
	o := outcome{start: clock.Now()}
	c.do(s.request, o.start.Add(p.config.Timeout), &o)
	if s.engine.ctx.Err() != nil {
		c.close()
		return
	}
	r := probeRecord{kind: s.kind, cause: o.cause, seq: seq, due: due, send: o.start, done: o.done}
	if o.cause != CauseNone {
		r.text = p.log.example(&o, s.kind, p.config.Epoch)
	}
	s.give(c)
	p.log.append(r.append)
}

func (s *probeStream) take() *httpClient {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		c := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return c
	}
	return s.engine.newClient()
}

func (s *probeStream) give(c *httpClient) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, c)
}
