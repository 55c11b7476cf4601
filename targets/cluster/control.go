//go:build unix

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

const (
	requestTimeout = 5 * time.Second // for a client to send its request
	replyTimeout   = 5 * time.Second // for a client to take a reply
	maxRequest     = 4 << 10
	watchBacklog   = 512 // changes that a watcher may be behind
)

// serveControl answers clients (see [Client]).
func (m *master) serveControl() {
	m.acceptAll(m.control, func(conn *net.UnixConn) {
		defer conn.Close()
		if err := m.serveClient(conn); err != nil {
			m.Log.Debug("control", "error", err)
		}
	})
}

// serveClient answers one request.
func (m *master) serveClient(conn *net.UnixConn) error {
	read := make(chan struct{})
	m.wg.Go(func() {
		select {
		case <-m.done:
			_ = conn.SetReadDeadline(time.Unix(1, 0))
		case <-read:
		}
	})
	_ = conn.SetReadDeadline(time.Now().Add(requestTimeout))
	line, err := bufio.NewReader(io.LimitReader(conn, maxRequest)).ReadBytes('\n')
	close(read)
	if err != nil {
		return fmt.Errorf("read a request: %w", err)
	}
	var q request
	if err := json.Unmarshal(line, &q); err != nil {
		return send(conn, reply{Error: "the request is no JSON: " + err.Error()})
	}
	switch q.Do {
	case "status":
		status := new(Status)
		if !m.ask(func() { *status = m.status() }) {
			return nil // the client sees the end
		}
		return send(conn, reply{Status: status})
	case "exit":
		return send(conn, told(m.exit(q.Slot, q.Code)))
	case "reload":
		done := make(chan error, 1)
		m.post(func() { m.requestReload(done) })
		select {
		case err := <-done:
			return send(conn, told(err))
		case <-m.done:
			return nil
		}
	case "scale":
		return send(conn, told(m.scale(q.Workers)))
	case "upgrade":
		return send(conn, told(m.upgrade(q.Binary)))
	case "stop":
		m.post(func() {
			if !m.ceding {
				m.stop()
			}
		})
		<-m.done
		if m.yielded {
			return send(conn, told(fmt.Errorf("stop: %w", errBusy)))
		}
		return nil
	case "watch":
		return m.serveWatcher(conn)
	}
	return send(conn, reply{Error: fmt.Sprintf("unknown request %q", q.Do)})
}

func told(err error) reply {
	if err != nil {
		return reply{Error: err.Error()}
	}
	return reply{}
}

func send(conn *net.UnixConn, r reply) error {
	_ = conn.SetWriteDeadline(time.Now().Add(replyTimeout))
	return json.NewEncoder(conn).Encode(r)
}

// exit lets a worker end itself.
func (m *master) exit(slot, code int) (err error) {
	if code < 0 || code > 255 {
		return fmt.Errorf("exit: %d is no exit status (they are 0 to 255)", code)
	}
	if !m.ask(func() {
		if slot < 1 || slot > len(m.slots) {
			err = fmt.Errorf("exit: there is no worker %d (they are 1 to %d)", slot, len(m.slots))
			return
		}
		w := m.slots[slot-1].current
		if len(m.Config.Exec) > 0 {
			err = errors.New("exit: only the reference application can be told to exit (kill ends other programs)")
			return
		}
		if w == nil || w.member == nil || w.member.wire == nil {
			err = fmt.Errorf("exit: worker %d has no process that can be told: %w", slot, os.ErrProcessDone)
			return
		}
		err = w.member.wire.send(frame{kind: exit, x: uint32(code)}, -1)
	}) {
		return errStopping
	}
	return err
}

// watcher is a client that wants to know of every change.
type watcher struct {
	changes chan Change // closed when there will be no more
	slow    atomic.Bool // because it did not take them
}

// serveWatcher sends every change until the client or the master goes.
func (m *master) serveWatcher(conn *net.UnixConn) error {
	w := &watcher{changes: make(chan Change, watchBacklog)}
	if !m.ask(func() {
		m.watchers[w] = struct{}{}
		w.changes <- Change{At: clock.Now(), State: Serving, Ready: m.countReady(), What: fmt.Sprintf("%d of %d workers are ready", m.countReady(), len(m.slots))}
	}) {
		return nil
	}
	defer m.post(func() { delete(m.watchers, w) })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m.wg.Go(func() { // a client that goes is noticed without a change
		defer cancel()
		_ = conn.SetReadDeadline(time.Time{})
		_, _ = conn.Read(make([]byte, 1))
	})
	defer conn.SetReadDeadline(time.Unix(1, 0))
	for {
		select {
		case c, ok := <-w.changes:
			switch {
			case !ok && w.slow.Load():
				return send(conn, reply{Error: fmt.Sprintf("watch: more than %d changes behind", watchBacklog)})
			case !ok:
				return nil
			}
			if err := send(conn, reply{Change: &c}); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// change tells watchers and the log what happened to a worker.
func (m *master) change(w *worker, format string, args ...any) {
	m.tell(Change{Slot: w.slot.number, PID: w.PID(), State: w.state, What: fmt.Sprintf(format, args...)})
}

// announce tells what concerns the whole cluster.
func (m *master) announce(format string, args ...any) {
	state := Serving
	if m.stopping {
		state = Leaving
	}
	m.tell(Change{State: state, What: fmt.Sprintf(format, args...)})
}

func (m *master) tell(c Change) {
	m.show(c)
	m.Log.Info(c.What, "ready", m.countReady())
}

// show tells watchers alone.
func (m *master) show(c Change) {
	c.At, c.Ready = clock.Now(), m.countReady()
	for w := range m.watchers {
		select {
		case w.changes <- c:
		default:
			w.slow.Store(true)
			delete(m.watchers, w)
			close(w.changes)
		}
	}
}

func (m *master) countReady() int {
	n := 0
	for w := range m.living {
		if w.state == Serving {
			n++
		}
	}
	return n
}

// status gathers what the master knows.
func (m *master) status() Status {
	s := Status{
		PID: os.Getpid(), Address: m.address, TLS: m.Config.TLS != nil, Admin: m.admin.address(), Dispatch: m.Config.Dispatch, Generation: m.generation,
		Reloading: m.reloads.running, Stopping: m.stopping, Ready: m.countReady(), Queued: m.dispatch.queued(), Queries: m.broadcasts.queries,
	}
	all := m.page.Processes()
	of := map[proc.ID]page.Process{}
	for _, p := range all {
		of[p.ID] = p
	}
	for _, slot := range m.slots {
		ws := WorkerStatus{Slot: slot.number, State: Ended, Restarts: slot.restarts}
		w := slot.current
		if w == nil {
			w = slot.next
		}
		if w != nil {
			p := of[w.ID()]
			ws.PID, ws.State, ws.Started, ws.UptimeS = w.PID(), w.state, w.began, clock.Since(w.began).Seconds()
			ws.Generation, ws.Ready, ws.InFlight, ws.Requests, ws.Errors = w.generation, w.state == Serving, p.InFlight, p.Served, p.Errors
			ws.CPU, ws.Memory = w.usage.share, w.usage.memory
		} else if slot.timer != nil {
			ws.State = Waiting
		} else if slot.errored {
			ws.State = Errored
		}
		s.Workers = append(s.Workers, ws)
	}
	for _, p := range all {
		if p.Slot > 0 {
			s.Processes = append(s.Processes, ProcessStatus{PID: p.ID.PID, Slot: p.Slot, Started: p.Started, Ended: p.Ended, Requests: p.Served})
		}
	}
	return s
}
