//go:build unix

package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hachaos/hachaos/targets/page"
	"golang.org/x/sys/unix"
)

// estate is what one master holds at a time, and leaves to the next: as long as
// one of them has a listener open, no connection in its queue is lost.
type estate struct {
	inherited bool // from another master
	left      bool // to another master
	address   string
	claim     *claim
	page      *page.Page
	control   *net.UnixListener
	workers   *net.UnixListener
	admin     net.Listener            // nil: none
	ln        *net.TCPListener        // for clients; nil with reuseport
	begun     dispatcher              // that accepts already; nil: there is none
	reached   map[*page.Entry]*member // to whom it has wires already
	listeners []*slotListener         // reuseport's
	second    bool                    // this master offers as the second one: see newHandoff
	secrets   secrets
}

// found opens everything for the first master in a control directory.
func (o *Options) found() (*estate, error) {
	c, err := claimDir(o.Dir)
	if err != nil {
		return nil, err
	}
	e := &estate{claim: c}
	if err := e.open(o); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *estate) open(o *Options) (err error) {
	if e.ln, err = listen(o.Listen); err != nil {
		return err
	}
	e.address = e.ln.Addr().String()
	if e.page = o.Page; e.page == nil {
		if e.page, err = page.New(filepath.Join(o.Dir, "page")); err != nil {
			return err
		}
	}
	a, err := newAdmin(o.Admin)
	if err != nil {
		return fmt.Errorf("admin address: %w", err)
	}
	if a != nil {
		e.admin = a.ln
	}
	if e.control, err = listenUnix("unix", controlSocket(o.Dir)); err != nil {
		return err
	}
	if e.workers, err = listenUnix(wireNetwork, workerSocket(o.Dir)); err != nil {
		return err
	}
	return nil
}

// close lets everything go. What was closed before, or cannot be removed, does
// no harm.
func (e *estate) close() {
	if e.ln != nil {
		e.ln.Close()
	}
	for _, l := range e.listeners {
		l.file.Close()
	}
	if e.admin != nil {
		e.admin.Close()
	}
	for _, ln := range []*net.UnixListener{e.control, e.workers} {
		if ln != nil {
			ln.Close()
		}
	}
	if e.page != nil {
		e.page.Close()
		if !e.left {
			_ = os.Remove(filepath.Join(e.claim.dir, "page"))
		}
	}
	if e.left {
		e.claim.lock.Close()
		return
	}
	e.claim.release()
}

// leave keeps what is in the control directory for the next master.
func (e *estate) leave() {
	e.left = true
	e.control.SetUnlinkOnClose(false)
	e.workers.SetUnlinkOnClose(false)
}

// enter lets what is in the control directory go when this master ends.
func (e *estate) enter() error {
	e.control.SetUnlinkOnClose(true)
	e.workers.SetUnlinkOnClose(true)
	return e.claim.sign()
}

// will says what the descriptors are that a standby inherits.
type will struct {
	Address string `json:"address"`
	Made    bool   `json:"made"` // the control directory
	Admin   bool   `json:"admin"`
	Slots   []int  `json:"slots"` // of reuseport's listeners, see its bequeath; otherwise there is one
}

// Descriptors that every standby inherits; then the admin's listener and those
// for clients follow.
const (
	standbyConfigFD = 3 + iota
	standbyWireFD
	standbyLockFD
	standbyPageFD
	standbyControlFD
	standbyWorkersFD
	standbyMoreFD
)

// bequeath returns the files that a standby inherits after its configuration, in
// their order, which the caller closes.
func (m *master) bequeath(wire *os.File) (w will, files []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(files)
		}
	}()
	w.Address, w.Made = m.address, m.claim.made
	add := func(c syscall.Conn) {
		if err != nil {
			return
		}
		var f *os.File
		if f, err = duplicate(c); err == nil {
			files = append(files, f)
		}
	}
	for _, c := range []syscall.Conn{wire, m.claim.lock, m.page.File(), m.control, m.workers} {
		add(c)
	}
	if w.Admin = m.admin != nil; w.Admin {
		add(m.admin.ln.(syscall.Conn))
	}
	slots, conns := m.dispatch.bequeath()
	w.Slots = slots
	for _, c := range conns {
		add(c)
	}
	return w, files, err
}

// inherit takes what bequeath left.
func inherit(dir string, w will) (e *estate, err error) {
	e = &estate{inherited: true, address: w.Address, claim: &claim{dir: dir, made: w.Made, lock: inheritFile(standbyLockFD, "lock")}}
	if e.page, err = page.Inherited(standbyPageFD); err != nil {
		return nil, err
	}
	if e.control, err = inheritUnix(standbyControlFD); err != nil {
		return nil, err
	}
	if e.workers, err = inheritUnix(standbyWorkersFD); err != nil {
		return nil, err
	}
	next := standbyMoreFD
	if w.Admin {
		if e.admin, err = inheritListener(next); err != nil {
			return nil, err
		}
		next++
	}
	if w.Slots == nil {
		ln, err := inheritListener(next)
		if err != nil {
			return nil, err
		}
		e.ln = ln.(*net.TCPListener)
		return e, nil
	}
	e.listeners = inheritSlots(w.Slots, next)
	return e, nil
}

// inheritFile takes an inherited file, and keeps it from what this process starts.
func inheritFile(fd int, name string) *os.File {
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name)
}

func inheritListener(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("use an inherited listener: %w", err)
	}
	return ln, nil
}

func inheritUnix(fd int) (*net.UnixListener, error) {
	ln, err := inheritListener(fd)
	if err != nil {
		return nil, err
	}
	u, ok := ln.(*net.UnixListener)
	if !ok {
		return nil, fmt.Errorf("descriptor %d is no Unix listener", fd)
	}
	return u, nil
}

// duplicate returns a file for a child, which shares what c has open and leaves
// its mode alone.
func duplicate(c syscall.Conn) (*os.File, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var derr error
	err = raw.Control(func(of uintptr) { fd, derr = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, derr); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "inherited"), nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
