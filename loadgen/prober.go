package loadgen

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/proc"
)

// ProberOptions say what a prober does. Defaults are filled in.
type ProberOptions struct {
	// Command is the program, with arguments, that runs [RunProber] on its standard
	// input and output.
	Command []string
	Env     []string // added to its environment
	Stderr  *os.File // nil: thrown away

	URL     string
	Request Request // what is sent and wanted; its path is Probe's if that is set
	Probe   Probe
	Epoch   clock.Time
	TLS     *TLSOptions // nil: the system's roots, and nothing special
	Connect Connect
}

// Prober is a prober process and what it has seen so far.
type Prober struct {
	process *proc.Process
	input   *os.File
	epoch   clock.Time
	done    chan struct{}

	mu    sync.Mutex
	folds []*probeFold // by index of probeKinds; nil: not probed
	ended bool         // the output has ended, as it should or not
	err   error        // why it ended early; valid once done is closed
}

// StartProber starts a prober process. It probes at once; only what is sent
// from t = 0 on is recorded. The process is killed when ctx ends.
func StartProber(ctx context.Context, o ProberOptions) (*Prober, error) {
	if o.Probe.Path != "" {
		o.Request.Path = o.Probe.Path
	}
	o.Request.SetDefaults()
	o.Probe.SetDefaults(o.Request)
	if _, err := parseEndpoint(o.URL); err != nil {
		return nil, fmt.Errorf("prober: %w", err)
	}
	config, err := json.Marshal(probeConfig{
		URL: o.URL, Request: o.Request, Connections: o.Probe.Connections, Epoch: o.Epoch,
		Every: o.Probe.Every.Std(), Timeout: o.Probe.Timeout.Std(), TLS: o.TLS, Connect: o.Connect,
	})
	if err != nil {
		return nil, fmt.Errorf("prober: %w", err)
	}
	p := &Prober{epoch: o.Epoch, done: make(chan struct{})}
	for _, name := range probeKinds {
		var fold *probeFold
		if o.Probe.Connections == name || o.Probe.Connections == "both" {
			fold = newProbeFold(name, o.Probe.Every.Std(), o.Probe.Timeout.Std())
		}
		p.folds = append(p.folds, fold)
	}
	output, err := p.start(o)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { p.Kill() })
	go func() {
		defer close(p.done)
		p.read(output)
		p.finish(ctx)
		stop()
	}()
	// It fails only if the prober is gone, which Wait tells with the reason.
	_, _ = p.input.Write(append(config, '\n'))
	return p, nil
}

// start starts the process and returns its output.
func (p *Prober) start(o ProberOptions) (output *os.File, err error) {
	theirIn, input, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("prober: %w", err)
	}
	defer theirIn.Close()
	output, theirOut, err := os.Pipe()
	if err != nil {
		input.Close()
		return nil, fmt.Errorf("prober: %w", err)
	}
	defer theirOut.Close()
	p.process, err = proc.Start(proc.Command{
		Path: o.Command[0], Args: o.Command[1:], Env: o.Env,
		Stdin: theirIn, Stdout: theirOut, Stderr: o.Stderr,
	})
	if err != nil {
		input.Close()
		output.Close()
		return nil, fmt.Errorf("prober: %w", err)
	}
	p.input = input
	return output, nil
}

// read folds what the prober writes until it ends.
func (p *Prober) read(output *os.File) {
	defer output.Close()
	r := probeReader{bufio.NewReaderSize(output, 16<<10)}
	var err error
	for err == nil {
		err = r.next(p.priority, p.probe)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if err != io.EOF {
		p.err = err
	}
}

func (p *Prober) priority(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.folds {
		if f != nil {
			f.rec.Priority = text
		}
	}
}

func (p *Prober) probe(r probeRecord) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.folds[r.kind]; f != nil {
		f.add(probe{
			seq: r.seq, due: r.due.Sub(p.epoch), send: r.send.Sub(p.epoch), done: r.done.Sub(p.epoch),
			cause: r.cause, text: r.text,
		})
	}
}

// finish waits for the process and decides whether it ended as it should.
func (p *Prober) finish(ctx context.Context) {
	p.input.Close()
	// It has closed its output: it ends by itself, or not at all.
	patience, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	select {
	case <-p.process.Done():
	case <-patience.Done():
		p.process.Kill()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		p.err = ctx.Err()
	case p.err == nil:
		if exit := p.process.Exit(); exit.Code != 0 {
			p.err = fmt.Errorf("the prober did all it should, but ended with %s", exit)
		}
	case errors.Is(p.err, io.ErrUnexpectedEOF):
		p.err = fmt.Errorf("the prober ended early: %s", p.process.Exit())
	default:
		p.err = fmt.Errorf("the prober's output cannot be read: %w", p.err)
	}
}

// PID is the process id of the prober.
func (p *Prober) PID() int { return p.process.PID() }

// Stop lets the prober send no more from until on. It then waits for what is in
// flight, and ends.
func (p *Prober) Stop(until clock.Time) {
	// It fails only if the prober is gone, which Wait tells with the reason.
	_, _ = fmt.Fprintf(p.input, "until %d\n", until)
}

// Kill ends the prober at once.
func (p *Prober) Kill() { p.process.Kill() }

// Done is closed once the prober has ended.
func (p *Prober) Done() <-chan struct{} { return p.done }

// Wait waits until the prober has ended. The error says why it ended before it
// was told to, or is that of the context it was started with; what it saw until
// then stands in the recordings all the same.
func (p *Prober) Wait() error {
	<-p.done
	return p.err
}

// Recordings returns what was seen from t = 0 to until, which may lie in the
// future, or up to 30 s in the past: one recording for each kind of connection,
// that of new ones first. While the prober runs they end where the oldest probe
// in flight may have been sent.
func (p *Prober) Recordings(until clock.Time) []*ProbeRecording {
	p.mu.Lock()
	defer p.mu.Unlock()
	var recs []*ProbeRecording
	for _, f := range p.folds {
		if f != nil {
			recs = append(recs, f.recording(until.Sub(p.epoch), p.ended))
		}
	}
	return recs
}
