//go:build unix

package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// killSlack is how much longer than kill_timeout the master waits for a worker
// that leaves, which cuts off its requests by itself at kill_timeout.
const killSlack = 250 * time.Millisecond

// worker is a worker process. What is not set at its start belongs to loop.
type worker struct {
	osProcess
	slot       *slot
	life       int
	generation int
	entry      *page.Entry
	began      clock.Time
	ready      chan struct{} // closed when it is ready
	gone       chan struct{} // closed when it has ended

	state    State
	wasReady bool
	asked    bool // it was asked to leave
	late     bool // it was ended because it did not become ready
	member   *member
	timer    *time.Timer // ends it if it does not become ready, or leave, in time
	usage    usage
}

// spawn starts the next life of a slot, as its current worker unless that one
// lives.
func (m *master) spawn(s *slot) (*worker, error) {
	s.lives++
	index, entry := m.page.Add(s.number, s.lives, m.generation, s.restarts)
	config := workerConfig{
		Master: os.Getpid(), Slot: s.number, Life: s.lives, Index: index,
		Socket: workerSocket(m.Dir), Address: m.address, Dispatch: m.Config.Dispatch,
		App: m.Config.App, Threads: m.Config.Threads, Seed: m.Seed,
		MaxInFlight: m.Config.MaxInFlight, QueueSize: m.Config.Queue.Size, QueueTimeout: m.Config.Queue.Timeout.Std(),
		KillTimeout: m.Config.KillTimeout.Std(), Lifeline: m.Lifeline, Reject: m.Config.Drain.Mode == "reject",
		MaxHeader: int(m.Config.Limits.Header),
		Broadcast: m.Config.Broadcast != nil,
	}
	if err := m.program(&config); err != nil {
		return nil, fmt.Errorf("start worker %d: %w", s.number, err)
	}
	files, err := m.dispatch.inherit(s.number)
	if err != nil {
		return nil, fmt.Errorf("start worker %d: %w", s.number, err)
	}
	began := clock.Now()
	p, out, err := m.startProcess(config, files)
	if err != nil {
		return nil, fmt.Errorf("start worker %d: %w", s.number, err)
	}
	entry.Start(p.ID())
	w := &worker{
		osProcess: p, slot: s, life: s.lives, generation: m.generation, entry: entry, began: began,
		ready: make(chan struct{}), gone: make(chan struct{}), state: Starting,
	}
	m.living[w] = struct{}{}
	if s.current == nil {
		s.current = w
	} else {
		s.next = w
	}
	w.timer = time.AfterFunc(m.Config.ReadyTimeout.Std(), func() { m.post(func() { m.tooLate(w) }) })
	if len(config.Exec) > 0 {
		entry.SetPort(config.Port) // also before it is ready, for the next master
		w.member = &member{entry: entry, slot: s.number, port: config.Port, beside: m.page.Beside(entry)}
		m.wg.Go(func() { m.awaitProgram(w, config.Port) })
	}
	m.wg.Go(func() { m.relay(out, w) })
	m.awaitEnd(w)
	return w, nil
}

// startProcess starts a process, and returns what it will print as well.
func (m *master) startProcess(c workerConfig, files []*os.File) (*proc.Process, *output, error) {
	out, stdout, err := newOutput(outputFile(m.Dir, c.Slot, c.Life))
	if err != nil {
		return nil, nil, err
	}
	defer stdout.Close()
	config, err := json.Marshal(c)
	if err != nil {
		out.close()
		return nil, nil, err
	}
	p, err := proc.Start(proc.Command{
		Path: m.Command[0],
		Args: m.Command[1:],
		Env: []string{
			workerVar + "=" + string(config), "GOMAXPROCS=" + strconv.Itoa(m.Config.Threads),
			m.Config.InstanceVar + "=" + strconv.Itoa(c.Slot),
		},
		Stdout: stdout, Stderr: stdout,
		Files: append([]*os.File{m.page.File()}, files...),
	})
	if err != nil {
		out.close()
		return nil, nil, err
	}
	return p, out, nil
}

// awaitEnd lets loop know when a worker has ended.
func (m *master) awaitEnd(w *worker) {
	m.wg.Go(func() {
		select {
		case <-w.Done():
			m.post(func() { m.ended(w) })
		case <-m.done: // one that was taken over may outlive this master
		}
	})
}

func (m *master) tooLate(w *worker) {
	if w.state == Starting {
		w.late = true
		m.change(w, "worker %d (pid %d) is ended: not ready after %s", w.slot.number, w.PID(), m.Config.ReadyTimeout)
		m.kill(w)
	}
}

// kill ends a process at once. Its end is seen later.
func (m *master) kill(w *worker) {
	_ = w.Signal(os.Kill) // it may have ended already, which is as good
}

// becameReady lets a worker take requests, at its port if it has one.
func (m *master) becameReady(w *worker, port int) {
	if w.state != Starting || w.member == nil {
		return
	}
	w.timer.Stop()
	w.state, w.wasReady = Serving, true
	w.member.port = port
	w.entry.SetPort(port)
	w.entry.SetReady(true)
	m.dispatch.join(w.member)
	_ = w.member.send(frame{kind: resume}) // another master may have let it rest
	close(w.ready)
	m.leaveSurplus(w)
	if m.Config.Liveness != nil {
		m.wg.Go(func() { m.watchOver(w) })
	}
	m.change(w, "worker %d (pid %d) is ready after %s", w.slot.number, w.PID(), units.FormatDuration(clock.Since(w.began)))
}

// leave asks a worker to finish what it has and go.
func (m *master) leave(w *worker) {
	if w.asked {
		return
	}
	w.asked = true
	m.retire(w)
	w.timer.Stop()
	patience, owes := m.Config.KillTimeout.Std(), func() bool { return m.page.InFlight(w.entry) > 0 }
	if r, ok := m.dispatch.(*reuseport); ok && len(m.Config.Exec) > 0 && w.slot.removed {
		patience, owes = patience+halfOpen, func() bool { return r.owes(w.slot.number) }
	}
	w.timer = time.AfterFunc(patience+killSlack, func() { m.post(func() { m.kill(w) }) })
	if len(m.Config.Exec) > 0 {
		m.wg.Go(func() { m.terminate(w, owes, patience) })
		return
	}
	if w.member == nil || w.member.wire == nil {
		_ = w.Signal(os.Interrupt) // it has not connected
		return
	}
	last := uint32(0)
	if m.stopping || w.slot.removed {
		last = 1
	}
	if errors.Is(w.member.wire.send(frame{kind: drain, x: last}, -1), errFull) { // if its wire has ended, so will it
		_ = w.Signal(os.Interrupt) // it hears of it when it goes on
	}
}

// retire gives a worker no more requests.
func (m *master) retire(w *worker) {
	if w.state == Leaving {
		return
	}
	w.state = Leaving
	w.entry.SetReady(false)
	if w.member != nil {
		m.dispatch.leave(w.member)
	}
	m.change(w, "worker %d (pid %d) leaves", w.slot.number, w.PID())
}
