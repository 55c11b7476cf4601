//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/note"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/port"
	"github.com/hachaos/hachaos/targets/proc"
	"golang.org/x/sys/unix"
)

// workerVar is the environment variable that tells a worker what it is.
const workerVar = "HACHAOS_WORKER"

// Descriptors that a worker inherits.
const (
	pageFD = 3 + iota
	listenerFD
)

// workerConfig is what a worker is told.
type workerConfig struct {
	Master       int           `json:"master"` // pid
	Slot         int           `json:"slot"`
	Life         int           `json:"life"`
	Index        int           `json:"index"`   // of its entry in the page
	Socket       string        `json:"socket"`  // where its master is
	Address      string        `json:"address"` // that clients connect to
	Dispatch     string        `json:"dispatch"`
	App          app.Config    `json:"app"`
	Threads      int           `json:"threads"`
	Seed         uint64        `json:"seed"`
	MaxInFlight  int           `json:"max_in_flight"`
	QueueSize    int           `json:"queue_size"`
	QueueTimeout time.Duration `json:"queue_timeout"`
	KillTimeout  time.Duration `json:"kill_timeout"`
	MaxHeader    int           `json:"max_header"` // of a request, in bytes
	Lifeline     time.Duration `json:"lifeline"`
	Broadcast    bool          `json:"broadcast"` // it serves once it was told a value
	Reject       bool          `json:"reject"`    // what comes while it drains
	Exec         []string      `json:"exec"`      // the program to become
	PortVar      string        `json:"port_var"`
	Port         int           `json:"port"` // for the program; 0: it gets a listener
}

// RunWorker serves the application as a worker, which only a master can start.
// It returns nil after it was asked to leave by its master, ctx, SIGTERM or
// SIGINT, or has been without a master for the lifeline's time; in each case it
// finished what it had.
func RunWorker(ctx context.Context, log *slog.Logger) error {
	text, ok := os.LookupEnv(workerVar)
	if !ok {
		return errors.New("a worker is started by its master (run hachaos cluster)")
	}
	if err := os.Unsetenv(workerVar); err != nil { // what it may start is no worker
		return err
	}
	var c workerConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return fmt.Errorf("read the worker's configuration: %w", err)
	}
	p, err := page.Inherited(pageFD)
	if err != nil {
		return err
	}
	entry, err := p.Entry(c.Index)
	if err != nil {
		return err
	}
	if err := c.appear(entry); err != nil {
		return err
	}
	if len(c.Exec) > 0 {
		if err := p.Close(); err != nil {
			return err
		}
		return becomeProgram(c)
	}
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancel()
	// A reload is the master's business; the signal may reach the whole session.
	signal.Ignore(syscall.SIGUSR2, syscall.SIGHUP)
	// A proxy counts what its clients see, this worker's failures too.
	requests := p.Requests(c.Slot)
	if c.Dispatch == "proxy" {
		requests = nil
	}
	return newWorkerProcess(c, entry, requests, log).run(ctx)
}

// appear notes in the page that this process is there: a master that dies before it
// could would leave a worker that no other one knows. It returns an error if that
// has happened.
func (c *workerConfig) appear(e *page.Entry) error {
	self, err := proc.Lookup(os.Getpid())
	switch {
	case err != nil:
		return fmt.Errorf("find this process: %w", err)
	case e.Process().ID == self.ID:
	case os.Getppid() != c.Master:
		return fmt.Errorf("the master (pid %d) ended before it knew this worker", c.Master)
	default:
		e.Start(self.ID)
	}
	return nil
}

// workerProcess is a worker from within.
type workerProcess struct {
	workerConfig
	entry *page.Entry
	app   *app.App
	log   *slog.Logger
	link  *link
}

func newWorkerProcess(c workerConfig, entry *page.Entry, requests *page.Requests, log *slog.Logger) *workerProcess {
	return &workerProcess{
		workerConfig: c, entry: entry, log: log, link: newLink(c, log),
		app: app.New(app.Options{
			Config: c.App, Threads: c.Threads, Seed: c.Seed, Slot: c.Slot, Life: c.Life, Entry: entry,
			MaxInFlight: c.MaxInFlight, MaxWaiting: c.QueueSize, Wait: c.QueueTimeout, Requests: requests, Notes: note.FromEnv(),
		}),
	}
}

func (p *workerProcess) run(ctx context.Context) error {
	ln, err := p.listener()
	if err != nil {
		return err
	}
	listeners := []net.Listener{ln}
	if p.Dispatch == "reuseport" {
		// What is left in a listener that no worker has any more is handed over.
		listeners = append(listeners, newHandedListener(p, ln.Addr()))
	}
	p.link.unready, p.link.rest = p.app.Unready, func(rests bool) {
		if ln, ok := ln.(*sharedListener); ok { // to the others nothing more is sent
			ln.rest(rests)
		}
	}
	told := make(chan struct{})
	var once sync.Once
	p.link.value = func(n int64) {
		p.app.SetUsers(n)
		once.Do(func() { close(told) })
	}
	// A worker that computes hears of its next connection between two requests.
	p.app.Processor().OnRelease(p.link.look)
	go p.link.keep()
	go app.ReportMemory(ctx, p.entry)
	if !p.start(ctx) {
		return nil
	}
	if p.Broadcast {
		select {
		case <-told:
		case <-p.link.leave:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	server := app.NewServer(p.app, p.log)
	if p.Dispatch != "proxy" { // which has screened what comes
		server.Screened(p.MaxHeader - headerSlop)
		for i, ln := range listeners {
			listeners[i] = &screenedListener{ln, func(c net.Conn) net.Conn { return screenConn(c, p.MaxHeader) }}
		}
	}
	go func() { _ = (&http.Server{Handler: p.app, ReadHeaderTimeout: helloTimeout}).Serve(p.link.probes) }() // it ends with the process
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listeners...) }()
	p.link.say(frame{kind: ready, x: uint32(ln.Addr().(*net.TCPAddr).Port)})
	if after, code, ok := p.app.Crash(); ok {
		time.AfterFunc(after, func() { os.Exit(code) })
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		p.link.askToLeave()
	case <-p.link.leave:
	}
	if p.Reject {
		p.app.Reject()
	}
	for _, ln := range listeners {
		ln.Close()
	}
	drain, cancel := context.WithTimeout(context.Background(), p.KillTimeout)
	defer cancel()
	if cut := server.Drain(drain); cut > 0 {
		p.log.Warn("connections were cut off", "worker", p.Slot, "connections", cut)
	}
	p.app.Close(drain)
	return nil
}

// start takes the application's time to start. It returns false if the worker
// is to leave before.
func (p *workerProcess) start(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-p.link.leave:
			cancel()
		case <-stop:
		}
	}()
	return p.app.Start(ctx)
}

// listener is where the worker's connections come from.
func (p *workerProcess) listener() (net.Listener, error) {
	if p.Dispatch == "proxy" {
		ln, err := port.Listen("127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		return &sweptListener{TCPListener: ln}, nil
	}
	addr, err := net.ResolveTCPAddr("tcp", p.Address)
	if err != nil {
		return nil, err
	}
	if p.Dispatch == "shared" || p.Dispatch == "reuseport" {
		return newSharedListener(os.NewFile(listenerFD, "listener"), addr, p)
	}
	return newHandedListener(p, addr), nil
}

// handedListener accepts what the master hands over.
type handedListener struct {
	p       *workerProcess
	addr    net.Addr
	closing chan struct{}
	once    sync.Once
}

func newHandedListener(p *workerProcess, addr net.Addr) *handedListener {
	return &handedListener{p: p, addr: addr, closing: make(chan struct{})}
}

// Accept returns the next connection once a processor is free for it, and
// net.ErrClosed when the listener is closed and nothing is left.
func (l *handedListener) Accept() (net.Conn, error) {
	for {
		var h handedConn
		select {
		case h = <-l.p.link.handed:
		case <-l.closing:
			select {
			case h = <-l.p.link.handed:
			default:
				return nil, net.ErrClosed
			}
		}
		arrival, err := l.p.app.Arrive(context.Background())
		if err != nil {
			return nil, err
		}
		if !l.p.entry.Claim(h.number) {
			// The master had no patience, and has given it to somebody else.
			arrival.End()
			unix.Close(h.fd)
			_ = h.from.send(frame{kind: dropped, n: h.number}, -1) // a master that is gone needs no telling
			continue
		}
		_ = h.from.send(frame{kind: taken, n: h.number}, -1)
		c, err := newConn(h.fd, l.addr, arrival)
		if err != nil {
			l.p.log.Warn("take a connection", "error", err)
			continue
		}
		return c, nil
	}
}

// Close implements net.Listener.
func (l *handedListener) Close() error {
	l.once.Do(func() { close(l.closing) })
	return nil
}

// Addr implements net.Listener.
func (l *handedListener) Addr() net.Addr { return l.addr }
