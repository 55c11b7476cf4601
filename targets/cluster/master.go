//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// master is what one goroutine, loop, knows and does; everybody else hands it
// functions to run (see post and ask).
type master struct {
	Options
	*estate
	dispatch dispatcher
	admin    *admin
	printed  *printer
	began    clock.Time
	posts    chan func()
	done     chan struct{} // closed when loop has ended
	wg       sync.WaitGroup

	slots      []*slot
	living     map[*worker]struct{} // processes that have not been reaped
	generation int
	stopping   bool
	yielding   bool            // to another master
	ceding     bool            // there is no way back
	yielded    bool            // the other one has it
	end        <-chan struct{} // closed when it is to stop; nil once it knows
	owed       []os.Signal     // that came while there was no way back
	successor  *proc.Process   // once it has yielded
	farewell   func()          // not nil: the last that it does
	alone      chan struct{}   // closed when there is to be no standby
	bereft     chan struct{}   // closed when there is none any more
	heir       *standby        // that was told last that this master is there; nil: none was
	failure    error
	watchers   map[*watcher]struct{}
	reloads    reloads
	broadcasts broadcasts
}

// dispatcher lets connections reach workers.
type dispatcher interface {
	// open begins to take connections.
	open()
	// inherit is what the worker of a slot inherits. desert says that its worker is
	// to have no successor, and vacate that there is none and, but for a reload,
	// will be none; spare, that there is none until one joins.
	inherit(slot int) ([]*os.File, error)
	desert(slot int)
	vacate(slot int)
	spare(slot int)
	// bequeath is what a standby inherits: a listener for each slot listed, or one.
	bequeath() (slots []int, listeners []syscall.Conn)
	// join begins to give connections to a worker, and leave ends it; what a
	// worker says of a connection comes to said, and gone is called once when
	// its wire has ended.
	join(*member)
	leave(*member)
	said(*member, frame)
	gone(*member)
	// queued is how many connections wait for a worker.
	queued() int
	// drain takes no more connections, and returns when all that came by then
	// have reached workers, or its context ends.
	drain(context.Context)
	// close ends everything that is left.
	close()
}

// member is a worker as a dispatcher sees it.
type member struct {
	wire  *wire
	entry *page.Entry

	slot   int
	life   int           // known where a standby has found it
	port   int           // that it listens on: proxy's
	beside *atomic.Int64 // counts what another program has in flight, which counts nothing itself; nil: it does

	// What follows is handoff's.
	hand    *wire // over which connections are handed to it; nil: it cannot be reached
	untaken *client
	stalled uint64 // the connection that was taken back and not dropped yet
	full    bool   // its wire, or it, had no room lately
	leaving bool
}

// send tells the worker something; a program of somebody else's is told nothing.
func (m *member) send(f frame) error {
	if m.wire == nil {
		return nil
	}
	return m.wire.send(f, -1)
}

// Supported returns nil: clusters run on every Unix.
func Supported() error { return nil }

// RunMaster runs a cluster until ctx ends, SIGTERM, SIGINT or SIGHUP comes, or
// a client says stop. SIGUSR2 reloads.
//
// It stops so that a balancer before it can go elsewhere at once: the listener
// is closed first, after the connections that were complete were accepted; what
// has come by then is still served; then the workers drain, and the master
// returns nil when the last has ended. What lasts longer than kill_timeout is
// cut off. A second signal ends all at once.
//
// It returns an error at once if the options are wrong, the address is taken,
// the control directory belongs to another master, or no worker can be started;
// and later when no worker is left and none is to be replaced: then it is
// better if clients are refused than that they wait in vain.
func RunMaster(ctx context.Context, o Options) (err error) {
	o.setDefaults()
	if err := o.check(); err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGUSR2)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	defer signal.Stop(signals)

	e, err := o.found()
	if err != nil {
		return err
	}
	m, err := newMaster(o, e, int(o.Config.Workers))
	if err != nil {
		return err
	}
	defer m.close()
	for _, s := range m.slots {
		if _, err := m.spawn(s); err != nil {
			m.killAll()
			return err
		}
	}
	if o.Ready != nil {
		if err := json.NewEncoder(o.Ready).Encode(Ready{os.Getpid(), m.address, m.Config.TLS != nil, m.admin.address()}); err != nil {
			m.killAll()
			return fmt.Errorf("say that the cluster listens: %w", err)
		}
	}
	o.Log.Info("the cluster listens", "address", m.address, "admin", m.admin.address(), "workers", len(m.slots), "dispatch", o.Config.Dispatch, "pid", os.Getpid())
	return m.run(ctx, signals)
}

// run serves until the cluster has stopped, or was handed over.
func (m *master) run(ctx context.Context, signals <-chan os.Signal) error {
	if m.Config.Dispatch == "proxy" {
		// Requests that pass through are garbage soon, and little else is there.
		defer debug.SetGCPercent(debug.SetGCPercent(proxyGC))
	}
	handler := m.adminHandler()
	if p, ok := m.dispatch.(*proxy); ok && len(m.Config.Exec) == 0 { // another program has its own
		p.own.Store(handler)
	}
	if m.admin != nil {
		m.wg.Go(func() { m.admin.serve(handler) })
	}
	if m.begun == nil {
		m.dispatch.open()
	}
	m.wg.Go(m.serveControl)
	m.wg.Go(m.serveWorkers)
	if m.Config.Standby == "none" {
		close(m.bereft)
	} else {
		alone, bereft := m.alone, m.bereft // an upgrade makes new ones
		m.wg.Go(func() { m.keepStandby(alone, bereft) })
	}
	err := m.loop(ctx, signals)
	if m.yielded {
		m.farewell = m.passOnAll(signals)
		if p, ok := m.dispatch.(*proxy); ok && m.admin != nil && len(m.Config.Exec) == 0 {
			p.own.Store(askMaster(m.admin.address()))
		}
		m.admin.close() // the next master answers there, who knows what
		m.settle()
	}
	return err
}

// newMaster owns the estate, also if it fails.
func newMaster(o Options, e *estate, slots int) (m *master, err error) {
	m = &master{
		Options:    o,
		estate:     e,
		posts:      make(chan func()),
		done:       make(chan struct{}),
		living:     map[*worker]struct{}{},
		generation: 1,
		began:      clock.Now(),
		watchers:   map[*watcher]struct{}{},
		alone:      make(chan struct{}),
		bereft:     make(chan struct{}),
	}
	for i := range slots {
		m.slots = append(m.slots, newSlot(i+1, o.Config.Restart))
	}
	if e.admin != nil {
		m.admin = &admin{ln: e.admin}
	}
	switch {
	case e.begun != nil:
		m.dispatch = e.begun
	case o.Config.Dispatch == "proxy":
		m.dispatch, err = newProxy(e.ln, o.Config, &e.secrets, m.page.Requests(0), m.page.Desk(), o.Seed, o.Log)
	case o.Config.Dispatch == "shared":
		m.dispatch, err = newShared(e.ln, e.inherited)
	case o.Config.Dispatch == "reuseport":
		m.dispatch, err = newReuseport(e, slots, o.Config, o.Log)
	default:
		m.dispatch, err = newHandoff(e.ln, o.Config, e.second, m.page.Desk(), o.Log)
	}
	if err != nil {
		e.close()
		return nil, err
	}
	m.printed = newPrinter(o.Output)
	return m, nil
}

// loop runs until the last process has ended after a stop.
func (m *master) loop(ctx context.Context, signals <-chan os.Signal) error {
	background, cancel := context.WithCancel(context.Background())
	defer cancel()
	m.reportSelf(background)
	m.wg.Go(func() { m.measure(background) })
	if m.Config.Broadcast != nil {
		m.wg.Go(func() { m.broadcast(background, m.users()) })
	}
	defer close(m.done)
	m.end = ctx.Done()
	for !m.yielded && (!m.stopping || len(m.living) > 0) {
		select {
		case f := <-m.posts:
			f()
		case <-m.end:
			m.stop()
			m.end = nil
		case sig := <-signals:
			m.obey(sig)
		}
	}
	for w := range m.watchers {
		close(w.changes)
	}
	return m.failure
}

func (m *master) obey(sig os.Signal) {
	switch {
	case sig == syscall.SIGUSR2:
		m.Log.Info("reload: asked by SIGUSR2")
		m.requestReload(nil)
	case m.stopping:
		m.Log.Warn("asked to stop for the second time: ends all workers at once")
		for w := range m.living {
			m.kill(w)
		}
	default:
		m.Log.Info("stop", "signal", sig.String())
		m.stop()
	}
}

// reportSelf counts the master itself in the page, as slot 0.
func (m *master) reportSelf(ctx context.Context) {
	self, err := proc.Lookup(os.Getpid())
	if err != nil {
		return
	}
	_, entry := m.page.Add(0, 1, 1, 0)
	entry.Start(self.ID)
	m.wg.Go(func() { app.ReportMemory(ctx, entry) })
}

// post lets loop run f soon, unless it has ended.
func (m *master) post(f func()) {
	select {
	case m.posts <- f:
	case <-m.done:
	}
}

// ask lets loop run f and waits for it; false says that it has ended.
func (m *master) ask(f func()) bool {
	ran := make(chan struct{})
	m.post(func() {
		defer close(ran)
		f()
	})
	select {
	case <-ran:
		return true
	case <-m.done:
	}
	select {
	case <-ran: // it was the last thing that loop ran
		return true
	default:
		return false
	}
}

// close ends everything but the processes, which have ended.
func (m *master) close() {
	select {
	case <-m.done:
	default:
		close(m.done) // loop never began
	}
	m.admin.close()
	m.control.Close()
	m.workers.Close()
	m.dispatch.close()
	enough := m.printed.end()
	m.wg.Wait()
	enough.Stop()
	if lost := m.printed.close(); lost > 0 {
		m.Log.Warn("lines that workers printed are lost: they could not be written in time", "lines", lost)
	}
	m.estate.close()
	if m.farewell != nil {
		m.farewell()
	}
}

// killAll ends the workers of a master that could not start.
func (m *master) killAll() {
	for w := range m.living {
		m.kill(w)
		<-w.Done()
	}
}
