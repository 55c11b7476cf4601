package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/port"
	"golang.org/x/sys/unix"
)

func TestReuseportSparesASlotWithoutWorker(t *testing.T) {
	t.Parallel()
	conf := config(2, "reuseport", 0)
	conf.Restart.When = "never"
	f := start(t, masterOptions{Config: conf})
	ctx, cancel := timeout()
	defer cancel()
	pids := map[int]int{}
	if !eventually(func() bool {
		a := <-f.burst(ctx, 1)
		pids[a.pid]++
		return len(pids) == 2
	}) {
		t.Fatalf("not both workers got connections: %v", pids)
	}
	left := f.id(2)
	f.signal(f.id(1), "SIGKILL")
	f.await("one worker to be left", func(s Status) bool { return s.Workers[0].State == Ended })
	for range 40 {
		if a := <-f.burst(ctx, 1); a.err != nil || a.pid != left.PID {
			t.Fatalf("with one slot empty: %+v", a)
		}
	}
	// A reload fills the slot again, and its listener is there again.
	if err := f.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	now := f.id(1).PID
	if !eventually(func() bool { return (<-f.burst(ctx, 1)).pid == now }) {
		t.Error("the slot that was filled again gets nothing")
	}
}

// Nobody waits for a worker that is replaced only later, and when that is there it
// gets its share again.
func TestReuseportSparesASlotThatWaits(t *testing.T) {
	t.Parallel()
	conf := config(2, "reuseport", 0)
	conf.Restart, conf.Queue.Timeout = Restart{Backoff: never, MaxBackoff: never, MinUptime: never}, never
	f := start(t, masterOptions{Config: conf})
	victim, left := f.id(1), f.id(2)
	f.freeze(victim)
	clients := f.waiting(40) // the kernel has given some to the frozen one
	f.signal(victim, "SIGKILL")
	f.await("one worker to be left", func(s Status) bool { return s.Ready == 1 })
	f.answeredBy(clients, left.PID)
	f.answeredBy(f.waiting(40), left.PID)
	ctx, cancel := timeout()
	defer cancel()
	if err := f.Reload(ctx); err != nil { // which waits for nothing
		t.Fatal(err)
	}
	now := f.id(1).PID
	if !eventually(func() bool { return (<-f.burst(ctx, 1)).pid == now }) {
		t.Error("the slot that was filled again gets nothing")
	}
}

// What came to a slot that has no worker is served also if the cluster stops.
func TestReuseportStopsWhileASlotWaits(t *testing.T) {
	t.Parallel()
	conf := config(2, "reuseport", 0)
	conf.Restart, conf.Queue.Timeout = Restart{Backoff: never, MaxBackoff: never, MinUptime: never}, never
	f := start(t, masterOptions{Config: conf})
	victim, left := f.id(1), f.id(2)
	f.freeze(left) // what is handed to it waits
	f.freeze(victim)
	clients := f.waiting(20)
	f.signal(victim, "SIGKILL")
	f.await("one worker to be left", func(s Status) bool { return s.Ready == 1 })
	f.signal(f.process.ID(), "SIGTERM")
	if !eventually(func() bool { return f.status().Stopping }) {
		t.Fatal("it does not stop")
	}
	f.signal(left, "SIGCONT")
	f.answeredBy(clients, left.PID)
	<-f.process.Done()
}

// A slot without a worker is chosen if there is no other one, and if one comes to
// another slot what waits is that one's.
func TestReuseportSparesNotAll(t *testing.T) {
	t.Parallel()
	conf := config(2, "reuseport", 0)
	conf.Restart, conf.Queue.Timeout = Restart{Backoff: never, MaxBackoff: never, MinUptime: never}, never
	f := start(t, masterOptions{Config: conf})
	for slot := 1; slot <= 2; slot++ {
		f.signal(f.id(slot), "SIGKILL")
	}
	f.await("no worker to be left", func(s Status) bool { return s.Ready == 0 })
	clients := f.waiting(40)
	f.await("nobody to wait in a line for workers that there are not", func(s Status) bool { return s.Queued == 0 })
	f.mood("second hangs")
	ctx, cancel := timeout()
	defer cancel()
	go func() { _ = f.Reload(ctx) }() // it waits for the second one in vain
	f.await("one worker", func(s Status) bool { return s.Workers[0].State == Serving })
	f.answeredBy(clients, f.id(1).PID)
}

func TestReuseportScalesDownWithoutLoss(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(4, "reuseport", 0)})
	ctx, cancel := timeout()
	defer cancel()
	l := f.load(16, false)
	for range 4 {
		for _, n := range []int{3, 1, 4} {
			if !l.after(100) {
				t.Fatal("no load")
			}
			if err := f.Scale(ctx, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.lostNothing(t, 0)
	// What the kernel chooses among are the listeners of those that are left.
	seen := map[int]bool{}
	if pids := f.status().pids(); !eventually(func() bool {
		a := <-f.burst(ctx, 1)
		if !slices.Contains(pids, a.pid) {
			t.Fatalf("%+v, the workers are %v", a, pids)
		}
		seen[a.pid] = true
		return len(seen) == len(pids)
	}) {
		t.Errorf("only %v get connections of %v", seen, pids)
	}
}

// A standby has the listeners too, and none of them may go on getting connections
// when the master ends it.
func TestReuseportScalesDownWithAStandby(t *testing.T) {
	t.Parallel()
	conf := config(4, "reuseport", 0)
	conf.Standby, conf.KillTimeout = "passive", units.Duration(3*time.Second)
	f := start(t, masterOptions{Config: conf})
	f.awaitStandby(1)
	ctx, cancel := timeout()
	defer cancel()
	l := f.load(8, false)
	if err := f.Scale(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool { return listening(t, f.address) == 2 }) {
		t.Errorf("%d listeners are left", listening(t, f.address))
	}
	l.lostNothing(t, 500)
}

// listening is how many sockets listen on an address.
func listening(t *testing.T, address string) (n int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) > 3 && fields[1] == fmt.Sprintf("0100007F:%04X", number) && fields[3] == "0A" { // TCP_LISTEN
			n++
		}
	}
	return n
}

// waiting are n clients that have sent a request each.
func (f *fixture) waiting(n int) (clients []net.Conn) {
	f.t.Helper()
	for range n {
		c := f.dial()
		f.t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"); err != nil {
			f.t.Fatal(err)
		}
		clients = append(clients, c)
	}
	return clients
}

// answeredBy checks that each client is answered by one worker.
func (f *fixture) answeredBy(clients []net.Conn, pid int) {
	f.t.Helper()
	for _, c := range clients {
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			f.t.Errorf("a client is not answered: %v", err)
		} else if a.StatusCode != http.StatusOK || a.Header.Get("X-Worker") != strconv.Itoa(pid) {
			f.t.Errorf("a client is answered %s by worker %s", a.Status, a.Header.Get("X-Worker"))
		}
	}
}

// What waits at a worker that is gone for good is served by the others.
func TestReuseportHandsOverWhatWaits(t *testing.T) {
	t.Parallel()
	conf := config(2, "reuseport", 0)
	conf.Restart.When = "never"
	f := start(t, masterOptions{Config: conf})
	victim, survivor := f.id(1), f.id(2)
	f.freeze(victim)
	clients := f.waiting(40) // the kernel has given some to the frozen one
	f.signal(victim, "SIGKILL")
	f.answeredBy(clients, survivor.PID)
}

func TestReuseportSharesItsPortWithNoOther(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(1, "reuseport", 0)})
	o := Options{Config: config(1, "reuseport", 0), Listen: f.address, Dir: f.Dir + "2", Log: slog.New(slog.DiscardHandler)}
	o.setDefaults()
	if _, err := o.found(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second master on the same port: %v", err)
	}
}

// The kernel numbers listeners as reuseport thinks it does, also after one of
// them was ended that a standby has open too.
func TestSteer(t *testing.T) { // alone: a process that starts has the first listener for a moment
	first, err := port.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := config(4, "reuseport", 0)
	c.SetDefaults()
	r, err := newReuseport(&estate{ln: first, address: first.Addr().String()}, 4, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	heir := heirOf(t, r)
	// chosen connects until n have come, and returns the slots where they are.
	chosen := func(n int) (slots []int) {
		t.Helper()
		for range n {
			conn, err := net.Dial("tcp", r.address)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write([]byte("x")); err != nil { // it is in no queue before
				t.Fatal(err)
			}
			if !eventually(func() bool {
				for _, l := range r.listeners {
					if fd, err := accept(int(l.file.Fd())); err == nil {
						unix.Close(fd)
						slots = append(slots, l.slot)
						return true
					}
				}
				return false
			}) {
				t.Fatal("a connection has come to no listener")
			}
			conn.Close()
		}
		slices.Sort(slots)
		return slices.Compact(slots)
	}
	mark := func(deserted ...int) {
		for _, l := range r.listeners {
			l.deserted = slices.Contains(deserted, l.slot)
		}
		r.steer()
	}
	check := func(want ...int) {
		t.Helper()
		if got := chosen(20 * len(want)); !slices.Equal(got, want) {
			t.Errorf("connections come to %v, want %v", got, want)
		}
	}
	check(1, 2, 3, 4)
	mark(2)
	check(1, 3, 4)
	mark(1, 3)
	check(2, 4)
	r.remove(r.listeners[0])
	mark(3, 4)
	check(2)
	mark(2, 3)
	check(4)
	mark()
	check(2, 3, 4)
	// The standby that now takes over thinks so too.
	next, err := newReuseport(heir, 4, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	numbers := func(all []*slotListener) (slots []int) {
		for _, l := range all {
			slots = append(slots, l.slot)
		}
		return slots
	}
	if got, want := numbers(next.listeners), numbers(r.listeners); !slices.Equal(got, want) {
		t.Errorf("another master has %v, this one %v", got, want)
	}
}

// heirOf is what the next master inherits of r's listeners.
func heirOf(t *testing.T, r *reuseport) *estate {
	t.Helper()
	heir := &estate{inherited: true, address: r.address}
	for _, l := range r.listeners {
		file, err := duplicate(l.file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() }) // an error says that it is closed
		heir.listeners = append(heir.listeners, &slotListener{slot: l.slot, file: file})
	}
	return heir
}

// A master that dies while it makes the cluster smaller leaves a listener to which
// no worker belongs.
func TestReuseportInheritsMoreThanItsSlots(t *testing.T) { // alone: a process that starts has the first listener for a moment
	first, err := port.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := config(3, "reuseport", 0)
	c.SetDefaults()
	log := slog.New(slog.DiscardHandler)
	r, err := newReuseport(&estate{ln: first, address: first.Addr().String()}, 3, c, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	heir := heirOf(t, r)
	next, err := newReuseport(heir, 2, c, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.close)
	next.open()
	if slots, _ := next.bequeath(); !slices.Equal(slots, []int{1, 2, -3}) {
		t.Errorf("it has the listeners of %v", slots)
	}
	const clients = 40
	for range clients {
		conn, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	came := 0
	if !eventually(func() bool {
		for _, l := range r.listeners[:2] {
			if fd, err := accept(int(l.file.Fd())); err == nil {
				unix.Close(fd)
				came++
			}
		}
		return came == clients
	}) {
		t.Errorf("%d of %d connections came to workers that there are", came, clients)
	}
}
