package netproxy

import (
	"container/heap"
	"time"

	"golang.org/x/sys/unix"
)

// alarms is a heap of the connections that want to be woken, by the moment at
// which they do. Go's own timers are late by up to a millisecond; a timer
// descriptor is not.
type alarms []*conn

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].wake < a[j].wake }
func (a alarms) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i+1, j+1
}

func (a *alarms) Push(x any) {
	c := x.(*conn)
	*a = append(*a, c)
	c.place = len(*a)
}

func (a *alarms) Pop() any {
	last := len(*a) - 1
	c := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	c.place = 0
	return c
}

// wakeAt wakes the connection at the moment; never takes it out of the heap.
func (l *loop) wakeAt(c *conn, at time.Duration) {
	switch {
	case at == c.wake:
	case at == never:
		heap.Remove(&l.alarms, c.place-1)
		c.wake = never
	case c.place == 0:
		c.wake = at
		heap.Push(&l.alarms, c)
	default:
		c.wake = at
		heap.Fix(&l.alarms, c.place-1)
	}
}

// ring wakes the connections whose moment has come.
func (l *loop) ring() {
	for len(l.alarms) > 0 && l.alarms[0].wake <= l.now {
		c := heap.Pop(&l.alarms).(*conn)
		c.wake = never
		c.pump()
	}
}

// arm sets the timer to the earliest moment.
func (l *loop) arm() {
	next := never
	if len(l.alarms) > 0 {
		next = l.alarms[0].wake
	}
	if next == l.armed {
		return
	}
	l.armed = next
	var spec unix.ItimerSpec // zero disarms it
	if next != never {
		spec.Value = unix.NsecToTimespec(int64(max(next-time.Since(l.started), 1)))
	}
	// It fails only for a descriptor or a time that is not one.
	_ = unix.TimerfdSettime(l.timerfd, 0, &spec, nil)
}
