package page

import "sync/atomic"

// Held is something that a process that takes in clients has of them for a while.
type Held int

const (
	Conns   Held = iota // connections of clients, but for those in line
	Waiting             // connections of clients in line for a worker
	Passing             // requests that it passes on
	kindsHeld
)

// MaxReasons is how many reasons there can be for which clients are refused.
const MaxReasons = 8

// Desk is where a process that takes in clients counts. Several may at the same
// time, and one after the other: what they hold each counts for itself, and it goes
// with its process; what has happened they count together, and it stays.
type Desk struct {
	*Ledger
	page *Page // nil: it is alone
	seat int   // -1: it has none
	mine *holdings
}

// Ledger is what all desks of a page have in common.
type Ledger struct {
	Due     atomic.Int64             // a [clock.Time]: when the next request is due, where their rate is limited
	Again   atomic.Int64             // requests that were sent to one more worker
	Refused [MaxReasons]atomic.Int64 // connections and requests, by a reason that only those who share the page give a meaning
	sent    [shards]Sent
}

// Sent is what was sent to the workers of one slot.
type Sent struct{ Requests, Failures atomic.Int64 }

// Sent returns what is counted of a slot.
func (l *Ledger) Sent(slot int) *Sent { return &l.sent[slot%shards] }

// Slots are those to which something was sent, in order.
func (l *Ledger) Slots() (slots []int) {
	for i := range l.sent {
		if s := &l.sent[i]; s.Requests.Load() != 0 || s.Failures.Load() != 0 {
			slots = append(slots, i)
		}
	}
	return slots
}

// holdings has the size of two cache lines.
type holdings struct {
	counts [kindsHeld]atomic.Int64
	_      [16 - kindsHeld]int64
}

// NewDesk returns the desk of a process that shares it with nobody.
func NewDesk() *Desk { return &Desk{Ledger: new(Ledger), seat: -1, mine: new(holdings)} }

// Desk returns this process's desk.
func (p *Page) Desk() *Desk {
	d := &Desk{Ledger: &p.ledger, page: p, seat: p.sit(), mine: new(holdings)}
	if d.seat >= 0 {
		d.mine = &p.desks[d.seat]
	}
	return d
}

// Mine is where this process counts what it holds.
func (d *Desk) Mine(h Held) *atomic.Int64 { return &d.mine.counts[h] }

// All is what this process and the others that live hold.
func (d *Desk) All(h Held) int64 {
	return d.sum(h, func(seat int) bool { return d.page.seats[seat].lives() })
}

// Exceeds tells whether that is more than most. It is cheap unless it may be so.
func (d *Desk) Exceeds(h Held, most int64) bool {
	return d.sum(h, func(int) bool { return true }) > most && d.All(h) > most
}

// sum adds up what is held by this process and by others that count.
func (d *Desk) sum(h Held, counts func(seat int) bool) int64 {
	n := d.Mine(h).Load()
	if d.page == nil {
		return n
	}
	for i := range d.page.desks {
		if other := d.page.desks[i].counts[h].Load(); i != d.seat && other != 0 && counts(i) {
			n += other
		}
	}
	return n
}
