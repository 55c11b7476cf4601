package cluster

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// awaitMaster waits until another process than those in not is master and all
// workers are ready.
func (f *fixture) awaitMaster(workers int, not ...int) Status {
	f.t.Helper()
	var s Status
	if !eventually(func() bool {
		ctx, cancel := timeout()
		defer cancel()
		var err error
		s, err = f.Status(ctx)
		return err == nil && !slices.Contains(not, s.PID) && s.Ready == workers
	}) {
		f.t.Fatalf("no other master came with %d workers; the status is %+v\n%s", workers, s, proc.Tail(f.log, 30))
	}
	return s
}

// awaitStandby waits until the n-th standby of the cluster stands ready.
func (f *fixture) awaitStandby(n int) {
	f.t.Helper()
	if !eventually(func() bool {
		log, err := os.ReadFile(f.log)
		return err == nil && strings.Count(string(log), "a standby is ready") >= n
	}) {
		f.t.Fatalf("no standby: %s", proc.Tail(f.log, 30))
	}
}

// end stops a cluster whose first master is gone.
func (f *fixture) end() {
	f.t.Helper()
	ctx, cancel := timeout()
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		f.t.Error(err)
	}
	f.awaitNoProcess()
	if _, err := os.Stat(f.Dir); !os.IsNotExist(err) {
		f.t.Errorf("the control directory is left: %v", err)
	}
}

func TestStandbyTakesOver(t *testing.T) {
	for _, mode := range append(slices.Clone(dispatches), "active handoff", "active proxy") {
		for _, how := range []string{"SIGKILL", "SIGSTOP"} {
			t.Run(mode+","+how, func(t *testing.T) {
				t.Parallel()
				conf := config(3, mode, 0)
				conf.Standby = "passive"
				if dispatch, ok := strings.CutPrefix(mode, "active "); ok {
					conf.Dispatch, conf.Standby = dispatch, "active"
				}
				f := start(t, masterOptions{Config: conf})
				before := f.status().pids()
				held := inheritance(t, before[1])
				f.awaitStandby(1)
				sig, err := proc.ParseSignal(how)
				if err != nil {
					t.Fatal(err)
				}
				// On a machine that is very busy its silence may have cost its life already.
				if err := proc.Signal(f.process.ID(), sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Fatal(err)
				}
				// A frozen master is killed before another one rules.
				s := f.awaitMaster(3, f.process.PID())
				if x := f.process.Exit(); x.Signal != "SIGKILL" {
					t.Errorf("the old master %s", x)
				}
				if !slices.Equal(s.pids(), before) {
					t.Errorf("the workers were %v and are %v", before, s.pids())
				}
				ctx, cancel := timeout()
				defer cancel()
				for range 10 {
					if a := <-f.burst(ctx, 1); a.err != nil || a.status != 200 {
						t.Errorf("under the new master: %+v", a)
					}
				}
				// The new master watches the workers that it took over.
				f.signal(f.id(2), "SIGKILL")
				s = f.await("a replacement", func(s Status) bool { return s.Ready == 3 && s.Workers[1].PID != before[1] })
				if s.Workers[1].Restarts != 1 {
					t.Errorf("the status is %+v", s)
				}
				if now := inheritance(t, s.Workers[1].PID); now != held {
					t.Errorf("of a first master a worker inherits %+v, of a second one %+v", held, now)
				}
				if err := f.Reload(ctx); err != nil {
					t.Error(err)
				}
				// And it can die as well.
				f.awaitStandby(2)
				second := s.PID
				f.signal(proc.ID{PID: second, Started: started(t, second)}, "SIGKILL")
				f.awaitMaster(3, f.process.PID(), second)
				f.end()
			})
		}
	}
}

// inherited counts what a worker has open that belongs to its master.
type inherited struct{ locks, listeners int }

func inheritance(t *testing.T, pid int) (n inherited) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	listens := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" { // TCP_LISTEN
			listens["socket:["+f[9]+"]"] = true
		}
	}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		to, err := os.Readlink(link)
		switch {
		case err != nil: // closed meanwhile
		case filepath.Base(to) == "lock":
			n.locks++
		case listens[to]:
			n.listeners++
		}
	}
	return n
}

func started(t *testing.T, pid int) int64 {
	t.Helper()
	info, err := proc.Lookup(pid)
	if err != nil {
		t.Fatal(err)
	}
	return info.Started
}

func TestWorkersServeWithoutAMaster(t *testing.T) {
	for _, dispatch := range []string{"shared", "reuseport"} {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := config(2, dispatch, 0)
			conf.Standby = "passive"
			f := start(t, masterOptions{Config: conf})
			f.awaitStandby(1)
			l := f.load(4, false)
			if !l.after(50) {
				t.Fatal("no load")
			}
			f.signal(f.process.ID(), "SIGKILL")
			f.awaitMaster(2, f.process.PID())
			l.lostNothing(t, 50)
			f.end()
		})
	}
}

func TestStandbyDiesAndIsReplaced(t *testing.T) {
	t.Parallel()
	conf := config(1, "handoff", 0)
	conf.Standby = "passive"
	f := start(t, masterOptions{Config: conf})
	f.awaitStandby(1)
	f.signal(f.standby(), "SIGKILL")
	f.awaitStandby(2)
	f.signal(f.process.ID(), "SIGKILL")
	f.awaitMaster(1, f.process.PID())
	f.end()
}

// standby is the process beside the first master that is no worker.
func (f *fixture) standby() proc.ID {
	f.t.Helper()
	table, err := proc.ReadTable()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, p := range table.OfRun(f.run, []proc.ID{f.process.ID()}) {
		worker := slices.ContainsFunc(f.page.Processes(), func(w page.Process) bool { return w.ID == p.ID && w.Slot > 0 })
		if p.ID != f.process.ID() && !worker {
			return p.ID
		}
	}
	f.t.Fatal("there is no standby")
	return proc.ID{}
}

// A standby has the listener too: who connects while it alone has it is reset. Of
// clients that come one after the other, those at the very moment of the close may
// be, as at any server.
func TestStopRefusesBesideAFrozenStandby(t *testing.T) {
	t.Parallel()
	conf := config(1, "handoff", 0)
	conf.Standby = "passive"
	f := start(t, masterOptions{Config: conf})
	f.awaitStandby(1)
	f.freeze(f.standby())
	f.signal(f.process.ID(), "SIGTERM")
	const waiting, most = 64, 4
	var lost atomic.Int64
	var wg sync.WaitGroup
	places := make(chan struct{}, waiting)
	pace := time.NewTicker(time.Millisecond) // most is what may come while a listener closes
	defer pace.Stop()
	ctx, cancel := timeout()
	defer cancel()
	for came := 0; ; came++ {
		select {
		case <-pace.C:
		case <-ctx.Done():
			t.Fatal("nobody is refused")
		}
		conn, err := net.Dial("tcp", f.address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			t.Logf("%d clients came before the first one was refused", came)
			break
		}
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		}
		if err != nil {
			lost.Add(1)
			if conn != nil {
				conn.Close()
			}
			continue
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			defer conn.Close()
			if a, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || a.StatusCode != http.StatusOK {
				lost.Add(1)
			}
		})
	}
	wg.Wait()
	if n := lost.Load(); n > most {
		t.Errorf("%d clients were neither answered nor refused", n)
	}
	<-f.process.Done()
}

func TestStandbyKnowsTheScale(t *testing.T) {
	for _, c := range []struct {
		name, dispatch string
		standby        int // the one that takes over
	}{
		{"by another standby, which has the new listeners", "reuseport", 2},
		{"by the one that takes over at once", "handoff", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conf := config(1, c.dispatch, 0)
			conf.Standby = "passive"
			f := start(t, masterOptions{Config: conf})
			f.awaitStandby(1)
			ctx, cancel := timeout()
			defer cancel()
			if err := f.Scale(ctx, 3); err != nil {
				t.Fatal(err)
			}
			f.awaitStandby(c.standby)
			f.signal(f.process.ID(), "SIGKILL")
			f.awaitMaster(3, f.process.PID())
			f.end()
		})
	}
}

func TestUpgradeLosesNothing(t *testing.T) {
	for _, mode := range append(slices.Clone(dispatches), "active handoff", "active proxy") {
		for _, keepalive := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,keepalive=%v", mode, keepalive), func(t *testing.T) {
				t.Parallel()
				dispatch, active := strings.CutPrefix(mode, "active ")
				conf := config(2, dispatch, 0)
				if active {
					conf.Standby, conf.Drain.Mode = "active", "reject" // which is for a stop
				}
				f := start(t, masterOptions{Config: conf})
				var silent []net.Conn
				for range 8 { // with an active standby some are its own
					if dispatch != "handoff" {
						break
					}
					conn := f.dial()
					defer conn.Close()
					silent = append(silent, conn)
				}
				l := f.load(6, keepalive)
				ctx, cancel := timeout()
				defer cancel()
				masters := []int{f.process.PID()}
				for n := range 3 {
					if active {
						f.awaitStandby(2*n + 1) // each new master has been one
					}
					if !l.after(100) {
						t.Fatal("no load")
					}
					f.upgrade()
					masters = append(masters, f.awaitMaster(2, masters...).PID)
				}
				<-f.process.Done() // what it owed is answered
				if x := f.process.Exit(); x.Failed() {
					t.Errorf("the first master %s", x)
				}
				l.lostNothing(t, 100)
				for _, conn := range silent { // a client that has said nothing yet moves along
					if _, err := fmt.Fprint(conn, "GET /live HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
						t.Error(err)
					}
					if n, err := conn.Read(make([]byte, 1)); n != 1 {
						t.Errorf("a client that was silent so far: %v", err)
					}
				}
				if err := f.Upgrade(ctx, "/no/such/binary"); err == nil || err.Error() != "upgrade: start /no/such/binary: there is no such program" {
					t.Errorf("an upgrade to nothing: %v", err)
				}
				if err := f.Upgrade(ctx, "/bin/true"); err == nil || !strings.HasPrefix(err.Error(), "upgrade: the new binary ended before it was ready: exit status 0") {
					t.Errorf("an upgrade to what is no hachaos: %v", err)
				}
				f.end()
			})
		}
	}
}

func TestActiveStandbyAcceptsBesideItsMaster(t *testing.T) {
	for _, dispatch := range []string{"handoff", "proxy"} {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := config(2, dispatch, 0)
			conf.Standby = "active"
			f := start(t, masterOptions{Config: conf})
			f.awaitStandby(1)
			ctx, cancel := timeout()
			defer cancel()
			// The workers may change: the standby hears of it through the page.
			for _, keepalive := range []bool{false, true} {
				l := f.load(4, keepalive)
				if err := f.Reload(ctx); err != nil {
					t.Fatal(err)
				}
				l.lostNothing(t, 100)
			}
			f.freeze(f.process.ID())
			for range 5 {
				if a := <-f.burst(ctx, 1); a.err != nil || a.status != 200 {
					t.Errorf("beside a frozen master: %+v", a)
				}
			}
			f.awaitMaster(2, f.process.PID())
			f.end()
		})
	}
}

// Who monitors the cluster hears of what came through its standby too, and hears the
// same of both.
func TestActiveStandbyIsCounted(t *testing.T) {
	t.Parallel()
	conf := config(2, "proxy", 0)
	conf.Standby = "active"
	f := start(t, masterOptions{Config: conf})
	f.awaitStandby(1)
	const requests = 40
	ctx, cancel := timeout()
	defer cancel()
	for range requests {
		if a := <-f.burst(ctx, 1); a.err != nil || a.status != http.StatusOK {
			t.Fatalf("%+v", a)
		}
	}
	for range 20 {
		if status, body := f.fetch("http://" + f.address + "/health"); status != http.StatusOK || !strings.Contains(body, `"healthy"`) {
			t.Errorf("/health answers %d %q", status, body)
		}
	}
	for _, address := range []string{f.status().Admin, f.address, f.address} {
		got := f.scrape("http://" + address + "/metrics")
		sent := got[`worker_requests_total{worker="1"}`] + got[`worker_requests_total{worker="2"}`]
		if answered := got[`http_requests_total{method="GET",route="/",status="200"}`]; sent != requests || answered != requests {
			t.Errorf("%v requests were sent to workers and %v answered, of %d", sent, answered, requests)
		}
	}
}

// A master's death costs what it had taken in and nobody else had yet: of each
// client one request at most, and workers finish what they had been handed.
func TestActiveStandbyBoundsTheLoss(t *testing.T) {
	for _, dispatch := range []string{"handoff", "proxy"} {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := config(2, dispatch, time.Millisecond)
			conf.Standby = "active"
			f := start(t, masterOptions{Config: conf})
			const clients, deaths = 6, 3
			l := f.load(clients, false)
			masters := []int{f.process.PID()}
			for n := range deaths {
				f.awaitStandby(n + 1)
				if !l.after(200) {
					t.Fatal("no load")
				}
				last := masters[len(masters)-1]
				f.signal(proc.ID{PID: last, Started: started(t, last)}, "SIGKILL")
				masters = append(masters, f.awaitMaster(2, masters...).PID)
			}
			if !l.after(200) {
				t.Fatal("no load at the end")
			}
			l.end()
			lost := l.lost.Load()
			t.Logf("%d deaths lost %d of %d requests", deaths, lost, lost+l.good.Load())
			if lost > clients*deaths {
				t.Errorf("of %d clients, %d deaths lost %d requests: %v", clients, deaths, lost, l.errs)
			}
			f.end()
		})
	}
}

// Who trusts the certificate, or has a worker of its own, notices no change of
// master.
func TestStandbyKeepsTheSecrets(t *testing.T) {
	for _, mode := range []string{"passive", "active"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			conf := config(2, "proxy", 0)
			conf.Standby, conf.Sticky, conf.TLS = mode, &Sticky{By: "cookie"}, &TLS{SelfSigned: true}
			f := start(t, masterOptions{Config: conf})
			f.awaitStandby(1)
			conn, err := tls.Dial("tcp", f.address, &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AddCert(conn.ConnectionState().PeerCertificates[0])
			conn.Close()
			ask := func(cookies ...*http.Cookie) (worker string, given []*http.Cookie) {
				transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
				a, _ := answerTo(t, clientOver(t, transport), get(t, "https://"+f.address+"/", cookies...))
				return a.Header.Get("X-Worker"), a.Cookies()
			}
			worker, cookies := ask()
			if len(cookies) != 1 {
				t.Fatalf("%d cookies", len(cookies))
			}
			f.signal(f.process.ID(), "SIGKILL")
			f.awaitMaster(2, f.process.PID())
			for range 6 {
				if got, again := ask(cookies...); got != worker || len(again) != 0 {
					t.Errorf("under the new master worker %s answers with %d cookies, worker %s did before", got, len(again), worker)
				}
			}
			f.end()
		})
	}
}

func TestStandbyCheck(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Standby: "passive"}, ""},
		{Config{Standby: "active", Dispatch: "proxy"}, ""},
		{Config{Standby: "both"}, `standby: "both" is not one of none, passive and active`},
		{Config{Standby: "active"}, ""},
		{Config{Standby: "active", Dispatch: "shared"}, "standby: active is for masters that accept connections themselves: with handoff and proxy; with shared the workers do, and no master's death costs a connection: use passive"},
		{Config{Standby: "active", Dispatch: "reuseport"}, "standby: active is for masters that accept connections themselves"},
		{Config{Standby: "active", Dispatch: "proxy", Sticky: &Sticky{By: "cookie"}}, ""},
	} {
		c.config.SetDefaults()
		got := ""
		c.config.Check(func(path, message string) { got = path + ": " + message })
		if (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.config.Standby, got, c.want)
		}
	}
}
