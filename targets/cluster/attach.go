//go:build unix

package cluster

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// helloTimeout is how long a process that dials the workers' socket has to say
// who it is.
const helloTimeout = 2 * time.Second

// serveWorkers accepts the workers' wires.
func (m *master) serveWorkers() {
	var told sync.Map // a worker that another master left dials again and again
	m.acceptAll(m.workers, func(conn *net.UnixConn) {
		w := newWire(conn)
		defer w.close()
		err := m.serveWorker(w)
		if err == nil {
			return
		}
		if _, again := told.LoadOrStore(err.Error(), true); !again {
			m.Log.Warn("a process on the workers' socket was turned away", "error", err)
		}
	})
}

// acceptPause is how long a listener rests that could not accept.
const acceptPause = 10 * time.Millisecond

// acceptAll serves each connection until the listener is closed: a moment without
// descriptors passes.
func (m *master) acceptAll(ln *net.UnixListener, serve func(*net.UnixConn)) {
	for told := false; ; {
		conn, err := ln.AcceptUnix()
		switch {
		case err == nil:
			told = false
			m.wg.Go(func() { serve(conn) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			if !told {
				m.Log.Warn("accept: waiting for resources", "error", err)
			}
			told = true
			time.Sleep(acceptPause)
		}
	}
}

// serveWorker hears what one worker says until its wire ends.
func (m *master) serveWorker(wire *wire) error {
	w, member, err := m.attach(wire)
	if err != nil || w == nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	m.wg.Go(func() {
		select {
		case <-m.done:
			wire.close()
		case <-stop:
		}
	})
	for {
		f, _, err := wire.receive()
		if err != nil {
			break
		}
		switch f.kind {
		case taken, dropped:
			m.dispatch.said(member, f)
		case ready:
			m.post(func() { m.becameReady(w, int(f.x)) })
		case leaving:
			m.post(func() { m.goesByItself(w) })
		}
	}
	if !m.owes() {
		m.dispatch.gone(member)
	}
	m.post(func() {
		if w.member == member {
			w.member = nil
		}
	})
	return nil
}

// owes tells whether this master has handed the cluster over and passes on, as a
// proxy, what was asked before.
func (m *master) owes() bool {
	select {
	case <-m.done:
		return m.Config.Dispatch == "proxy"
	default:
		return false
	}
}

// attach learns which worker has dialled; nil if the master has ended.
func (m *master) attach(wire *wire) (*worker, *member, error) {
	wire.deadline(time.Now().Add(helloTimeout))
	f, _, err := wire.receive()
	if err != nil || f.kind != hello {
		return nil, nil, fmt.Errorf("it did not say who it is: %w", err)
	}
	wire.deadline(time.Time{})
	pid, err := wire.peer()
	if err != nil {
		return nil, nil, err
	}
	if pid != 0 && uint64(pid) != f.m {
		return nil, nil, fmt.Errorf("process %d says that it is process %d", pid, f.m)
	}
	var w *worker
	mem := &member{wire: wire}
	if !m.ask(func() {
		if w = m.find(int(f.x), int(f.n), int(f.m)); w == nil {
			return
		}
		defer func() { m.inform(w.member) }()
		if w.member != nil && w.member.wire == nil { // it was taken over, and serves already
			w.member.wire = wire
			mem = w.member
			if w.state == Serving {
				m.dispatch.join(mem) // it can be handed connections now
			}
			return
		}
		mem.entry, mem.slot = w.entry, w.slot.number
		w.member = mem
	}) {
		return nil, nil, nil
	}
	if w == nil {
		return nil, nil, fmt.Errorf("process %d is no worker of this master", f.m)
	}
	return w, mem, nil
}

func (m *master) find(slot, life, pid int) *worker {
	for w := range m.living {
		if w.slot.number == slot && w.life == life && w.PID() == pid {
			return w
		}
	}
	return nil
}

// goesByItself lets a worker leave that somebody else has told to.
func (m *master) goesByItself(w *worker) {
	m.retire(w)
	if w.member != nil {
		_ = w.member.wire.send(frame{kind: drain}, -1) // if its wire has ended, so will it
	}
}
