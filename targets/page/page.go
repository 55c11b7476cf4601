// Package page is a file of counters that a target's processes and their
// controller share as memory, one [Entry] for each process that ever ran. What
// a process counted survives it, even SIGKILL, and reading costs neither side a
// message: it works while the master is frozen or dead. On Linux the file is in
// memory alone: a process that counts in a file on a disk waits when the disk does,
// and may be killed (SIGBUS) where it is full.
//
// Whoever starts processes makes the page with [New], takes an [Entry] for
// each with [Page.Add], and writes when it ended. The process inherits the same
// file, or opens it, and counts in its entry. [Page.Processes] reads them all. How requests
// were answered is counted by slot, over all its processes: [Page.Requests]. Those
// who take in clients before the processes do count at a [Desk].
package page

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/proc"
)

// capacity is how many processes a page remembers; beyond it the entry of the
// one that ended first is used again.
const capacity = 4096

// entrySize is a multiple of two cache lines, so that no two processes write to
// the same one, nor to one that the processor fetches along with it.
const entrySize = 384

// Entry is what one process counts. All of it may be read and written by
// several processes at once.
type Entry struct {
	pid, born      atomic.Int64 // proc.ID
	started, ended atomic.Int64 // clock.Time; ended is 0 while it lives
	slot, life     atomic.Int64
	generation     atomic.Int64
	ready          atomic.Int64
	cpu, rss       atomic.Int64 // ns, bytes
	restarts       atomic.Int64

	Served   atomic.Int64 // requests of the application that were answered
	InFlight atomic.Int64 // requests of the application that are being worked on, see Beside
	Busy     atomic.Int64 // processor tokens in use
	Errors   atomic.Int64 // answers of the application with a status of 500 or more
	Conns    atomic.Int64 // connections that clients have open
	offers   [2]atomic.Uint64
	port     atomic.Int64
	Resent   atomic.Int64 // requests that a proxy sent to another worker, because this one failed
	Retries  Retries      // of what depends on others
	beside   [seats]atomic.Int64
	_        [4]int64
}

var _ [entrySize]byte = [unsafe.Sizeof(Entry{})]byte{}

// layout is what the file is as memory. Most of it is never written, and takes no
// room.
type layout struct {
	entries  [capacity]Entry
	requests [shards]Requests
	seats    [seats]seat
	desks    [seats]holdings
	ledger   Ledger
}

// size of the file, in bytes.
const size = int(unsafe.Sizeof(layout{}))

// Page is a mapped page.
type Page struct {
	*layout
	file   *os.File
	path   string
	memory []byte
	once   sync.Once
	seat   int // this process's; -1: there was none
	seated bool
	next   int
}

// Process is what is known of one process.
type Process struct {
	ID         proc.ID
	Slot       int // of a worker, from 1; 0 is the master
	Life       int // which process of its slot it is, from 1
	Generation int // 1, and one more with each reload
	Restarts   int // how often a process of the slot had been replaced before
	Port       int // that it listens on by itself; 0 if it does not, or says so otherwise
	Started    clock.Time
	Ended      clock.Time // 0 while it lives
	Ready      bool
	Served     int64
	InFlight   int64
	Unfinished int64 // requests that it was working on when it ended; 0 while it lives
	Conns      int64
	Errors     int64
	Resent     int64
	Failed     int64         // calls to what it depends on whose first try failed
	Succeeded  int64         // of those that did when they were tried again
	Pauses     [pauses]Pause // before first, second, and later tries again
	CPU        time.Duration // what it used in all; 0 while it lives
	RSSMax     int64         // bytes, as it last reported itself; 0 if it never did
}

// New makes an empty page: in memory where the system has files that are nowhere
// else, or as [Create] does.
func New(path string) (*Page, error) {
	f, err := inMemory()
	if err != nil {
		return nil, fmt.Errorf("create the page of counters: %w", err)
	}
	if f == nil {
		return Create(path)
	}
	return fresh(f)
}

// Create makes an empty page in a new file that only this user may open. One that
// is there already stays that of the processes that have it open: they may count on.
func Create(path string) (*Page, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace the page of counters: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the page of counters: %w", err)
	}
	p, err := fresh(f)
	if err == nil {
		p.path = path
	}
	return p, err
}

// fresh maps a file that is empty still.
func fresh(f *os.File) (*Page, error) {
	if err := f.Truncate(int64(size)); err != nil {
		f.Close()
		return nil, fmt.Errorf("create the page of counters: %w", err)
	}
	return Map(f)
}

// Open opens an existing page.
func Open(path string) (*Page, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the page of counters: %w", err)
	}
	return Map(f)
}

// Map maps the page in an open file, such as an inherited one, and owns the
// file from then on, even if that fails.
func Map(f *os.File) (*Page, error) {
	info, err := f.Stat()
	if err == nil && info.Size() < int64(size) {
		err = fmt.Errorf("it has %d bytes instead of %d", info.Size(), size)
	}
	var memory []byte
	if err == nil {
		memory, err = mapFile(f, size)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("map the page of counters: %w", err)
	}
	return &Page{file: f, memory: memory, layout: (*layout)(unsafe.Pointer(unsafe.SliceData(memory)))}, nil
}

// Inherited maps the page that this process got as a descriptor, and keeps that
// from what it starts.
func Inherited(fd int) (*Page, error) {
	closeOnExec(fd)
	return Map(os.NewFile(uintptr(fd), "page"))
}

// File is the page's file, to be inherited by a process that maps it.
func (p *Page) File() *os.File { return p.file }

// Path is the file's, of a page that was made here; "" if it is in memory, and can
// only be inherited.
func (p *Page) Path() string { return p.path }

// Close unmaps the page. Its entries must not be used any more. It stays mapped for
// who has a seat: the last of its clients may go when nobody waits for them any
// more, and be counted.
func (p *Page) Close() error {
	var err error
	if !p.seated {
		err = unmap(p.memory)
	}
	if cerr := p.file.Close(); err == nil {
		err = cerr
	}
	return err
}

// Add takes an entry for a process that is about to start. One process alone
// adds.
func (p *Page) Add(slot, life, generation, restarts int) (index int, e *Entry) {
	index = p.next
	if index < capacity {
		p.next++
	} else {
		index = p.oldest()
	}
	e = &p.entries[index]
	e.pid.Store(0)
	for _, counter := range []*atomic.Int64{&e.born, &e.ended, &e.ready, &e.cpu, &e.rss, &e.Served, &e.InFlight, &e.Busy, &e.Conns, &e.Errors, &e.port, &e.Resent} {
		counter.Store(0)
	}
	e.Retries.reset()
	for i := range e.beside {
		e.beside[i].Store(0)
	}
	for i := range e.offers {
		e.offers[i].Store(0)
	}
	e.slot.Store(int64(slot))
	e.life.Store(int64(life))
	e.generation.Store(int64(generation))
	e.restarts.Store(int64(restarts))
	e.started.Store(int64(clock.Now()))
	return index, e
}

// SetRestarts corrects what [Page.Add] was given as restarts.
func (e *Entry) SetRestarts(n int) { e.restarts.Store(int64(n)) }

// Resume lets this process add entries after another one that did has ended,
// and returns those of all processes so far.
func (p *Page) Resume() []*Entry {
	var used []*Entry
	for i := range p.entries {
		if e := &p.entries[i]; e.pid.Load() != 0 {
			used = append(used, e)
			p.next = i + 1
		}
	}
	return used
}

// oldest is the index of the process that ended first.
func (p *Page) oldest() int {
	oldest := 0
	for i := range p.entries {
		ended, best := p.entries[i].ended.Load(), p.entries[oldest].ended.Load()
		if ended != 0 && (best == 0 || ended < best) {
			oldest = i
		}
	}
	return oldest
}

// Entry returns the entry at an index that [Page.Add] gave.
func (p *Page) Entry(index int) (*Entry, error) {
	if index < 0 || index >= capacity {
		return nil, fmt.Errorf("the page of counters has no entry %d", index)
	}
	return &p.entries[index], nil
}

// Processes lists every process that ever ran, in the order in which they
// started.
func (p *Page) Processes() []Process {
	var all []Process
	lives := remembered()
	for i := range p.entries {
		if e := &p.entries[i]; e.pid.Load() != 0 {
			all = append(all, e.process(e.inFlight(lives, &p.seats)))
		}
	}
	slices.SortStableFunc(all, func(a, b Process) int { return cmp.Compare(a.Started, b.Started) })
	return all
}

// Process reads an entry, without what others count beside it.
func (e *Entry) Process() Process { return e.process(e.InFlight.Load()) }

func (e *Entry) process(inFlight int64) Process {
	p := Process{
		ID:         proc.ID{PID: int(e.pid.Load()), Started: e.born.Load()},
		Slot:       int(e.slot.Load()),
		Life:       int(e.life.Load()),
		Generation: int(e.generation.Load()),
		Restarts:   int(e.restarts.Load()),
		Port:       int(e.port.Load()),
		Started:    clock.Time(e.started.Load()),
		Ended:      clock.Time(e.ended.Load()),
		Ready:      e.ready.Load() != 0,
		Served:     e.Served.Load(),
		InFlight:   inFlight,
		Conns:      e.Conns.Load(),
		Errors:     e.Errors.Load(),
		Resent:     e.Resent.Load(),
		Failed:     e.Retries.Failed.Load(),
		Succeeded:  e.Retries.Succeeded.Load(),
		Pauses:     e.Retries.Pauses(),
		CPU:        time.Duration(e.cpu.Load()),
		RSSMax:     e.rss.Load(),
	}
	if p.Ended != 0 {
		p.InFlight, p.Unfinished = 0, p.InFlight
	}
	return p
}

// Start notes which process the entry belongs to.
func (e *Entry) Start(id proc.ID) {
	e.born.Store(id.Started)
	e.pid.Store(int64(id.PID))
}

// SetReady notes whether the process takes requests.
func (e *Entry) SetReady(ready bool) {
	if ready {
		e.ready.Store(1)
	} else {
		e.ready.Store(0)
	}
}

// End notes that the process has ended, and what it used. How much memory it
// had is what it reported itself: what the system says of a child that has
// ended (ru_maxrss) includes its parent's memory from before exec.
func (e *Entry) End(x proc.Exit) {
	e.SetReady(false)
	e.Busy.Store(0)
	e.Conns.Store(0)
	e.cpu.Store(int64(x.CPU))
	e.ended.Store(int64(clock.Now()))
}

// SetPort notes on which port the process listens by itself.
func (e *Entry) SetPort(port int) { e.port.Store(int64(port)) }

// SetRSSMax notes the most memory that the process has had, in bytes.
func (e *Entry) SetRSSMax(n int64) { e.rss.Store(n) }

// SecondOffer is the bit in which the numbers of two sides that offer at the
// same time differ.
const SecondOffer = 1 << 63

// Offer puts something up under a number other than 0, for whoever claims it
// first. An entry has one offer at a time, and one more with [SecondOffer] set.
func (e *Entry) Offer(n uint64) { e.offers[n>>63].Store(n) }

// Claim takes what was offered under the number; false says that the other side
// had it already. The page decides, so it needs no message, and stays right if
// either side is frozen or dies.
func (e *Entry) Claim(n uint64) bool { return e.offers[n>>63].CompareAndSwap(n, 0) }
