package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hachaos/hachaos/targets/app/apptest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openRedis(t *testing.T, url string, o Options) *Redis {
	t.Helper()
	r, err := OpenRedis(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), apptest.Patience)
	t.Cleanup(cancel)
	return ctx
}

func TestRedis(t *testing.T) {
	embedded := miniredis.RunT(t)
	for _, c := range []struct {
		name, url string
	}{
		{"embedded", "redis://" + embedded.Addr() + "/0"},
		{"real", ""},
		{"real cluster", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			switch c.name {
			case "real":
				address, _ := apptest.Redis(t)
				c.url = "redis://" + address + "/1"
			case "real cluster":
				address, _, _ := apptest.RedisCluster(t)
				node := openRedis(t, "redis://"+address, Options{})
				apptest.Await(t, "the cluster's slots", func() bool {
					_, _ = node.do(within(t), "cluster", "addslotsrange", 0, 16383)
					return node.Set(within(t), "probe", "", time.Minute) == nil
				})
				c.url = "redis://" + address + "?addr=" + address
			}
			r := openRedis(t, c.url, Options{})
			if err := r.Ping(within(t)); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Get(within(t), "a"); !errors.Is(err, ErrNone) {
				t.Errorf("nothing is %v", err)
			}
			if err := r.Set(within(t), "a", "b", time.Minute); err != nil {
				t.Fatal(err)
			}
			if got, err := r.Get(within(t), "a"); got != "b" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			if err := r.Set(within(t), "a", "b", time.Microsecond); err != nil {
				t.Fatal(err)
			}
			if c.name == "embedded" {
				embedded.FastForward(time.Millisecond)
			}
			apptest.Await(t, "the key's end", func() bool {
				_, err := r.Get(within(t), "a")
				return errors.Is(err, ErrNone)
			})
		})
	}
}

// The client asks the Sentinels who the primary is, and follows them to another.
func TestRedisFollowsSentinels(t *testing.T) {
	primary, kill := apptest.Redis(t)
	host, port, err := net.SplitHostPort(primary)
	if err != nil {
		t.Fatal(err)
	}
	replica, _ := apptest.Redis(t, "--replicaof", host+" "+port)
	sentinel := apptest.Sentinel(t, primary)
	r := openRedis(t, "redis://"+sentinel+"?master_name=main", Options{})
	if err := r.Set(within(t), "a", "b", time.Hour); err != nil {
		t.Fatal(err)
	}
	watching := openRedis(t, "redis://"+sentinel, Options{})
	apptest.Await(t, "the Sentinel to know the replica", func() bool {
		_, err := watching.do(within(t), "sentinel", "ckquorum", "main")
		info, ierr := watching.do(within(t), "info", "sentinel")
		return err == nil && ierr == nil && strings.Contains(info, "slaves=1")
	})
	direct := openRedis(t, "redis://"+replica, Options{})
	apptest.Await(t, "the replica to have it", func() bool {
		got, err := direct.Get(within(t), "a")
		return got == "b" && err == nil
	})
	kill()
	apptest.Await(t, "the replica to be the primary", func() bool {
		return r.Set(within(t), "a", "c", time.Hour) == nil
	})
	if got, err := direct.Get(within(t), "a"); got != "c" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// The client of a cluster learns of a replica that took over without waiting for
// its next look at the cluster, which is up to ten seconds away.
func TestRedisFollowsACluster(t *testing.T) {
	args := []string{"--cluster-require-full-coverage", "no", "--cluster-node-timeout", "60000"}
	primary, bus, kill := apptest.RedisCluster(t, args...)
	replica, _, _ := apptest.RedisCluster(t, args...)
	first, second := openRedis(t, "redis://"+primary, Options{}), openRedis(t, "redis://"+replica, Options{})
	do := func(r *Redis, args ...any) string {
		t.Helper()
		answer, err := r.do(within(t), args...)
		if err != nil {
			t.Fatal(args, err)
		}
		return answer
	}
	do(first, "cluster", "addslotsrange", 0, 16383)
	host, port, _ := net.SplitHostPort(primary)
	do(second, "cluster", "meet", host, port, bus)
	id := do(first, "cluster", "myid")
	apptest.Await(t, "the replica to follow", func() bool {
		_, err := second.do(within(t), "cluster", "replicate", id)
		return err == nil
	})
	r := openRedis(t, "redis://"+primary+"?addr="+replica, Options{})
	apptest.Await(t, "the cluster", func() bool { return r.Set(within(t), "a", "b", time.Hour) == nil })
	apptest.Await(t, "the replica to have it", func() bool {
		info, err := second.do(within(t), "info", "replication")
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	kill()
	if err := r.Set(within(t), "a", "c", time.Hour); err == nil {
		t.Error("a dead primary takes it")
	}
	do(second, "cluster", "failover", "takeover")
	apptest.Await(t, "the replica to be the primary", func() bool {
		return r.Set(within(t), "a", "c", time.Hour) == nil
	})
}

// hanger speaks just enough of Redis's protocol to be connected to, as a server
// and as a cluster's only node, and ends the connection at every GET.
type hanger struct {
	address string
	gets    atomic.Int64
	looks   atomic.Int64 // at the cluster
	frozen  atomic.Bool  // looks are not answered any more
}

func newHanger(t *testing.T) *hanger {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hanger{address: ln.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				h.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return h
}

func (h *hanger) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		var n int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
			return
		}
		words := make([]string, n)
		for i := range words {
			var size int
			if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
				return
			}
			word := make([]byte, size+2)
			if _, err := io.ReadFull(in, word); err != nil {
				return
			}
			words[i] = string(word[:size])
		}
		switch strings.ToLower(words[0]) {
		case "get":
			h.gets.Add(1)
			return
		case "cluster":
			h.looks.Add(1)
			if h.frozen.Load() {
				continue
			}
			host, port, _ := net.SplitHostPort(h.address)
			number, _ := strconv.Atoi(port)
			fmt.Fprintf(conn, "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$%d\r\n%s\r\n:%d\r\n", len(host), host, number)
		case "ping":
			fmt.Fprint(conn, "+PONG\r\n")
		default:
			fmt.Fprint(conn, "-ERR unknown command\r\n")
		}
	}
}

// What is sent once is what a scenario without retries measures.
func TestRedisNeverTriesTwice(t *testing.T) {
	for _, form := range []string{"redis://%s/0", "redis://%[1]s?addr=%[1]s"} {
		h := newHanger(t)
		r := openRedis(t, fmt.Sprintf(form, h.address), Options{})
		if err := r.Ping(within(t)); err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		const calls = 5
		for range calls {
			if _, err := r.Get(within(t), "a"); err == nil {
				t.Errorf("%s: it has an answer", form)
			}
		}
		if got := h.gets.Load(); got != calls {
			t.Errorf("%s: %d calls were sent %d times", form, calls, got)
		}
	}
	// A connection that is refused is not tried again either: each further try
	// would come 100 ms later.
	gone := apptest.NewRelay(t, "127.0.0.1:1")
	gone.Cut()
	refused, quickest := openRedis(t, "redis://"+gone.Address, Options{}), time.Hour
	for range 5 {
		start := time.Now()
		if err := refused.Ping(within(t)); err == nil {
			t.Error("a dead server answers")
		}
		quickest = min(quickest, time.Since(start))
	}
	if quickest >= 100*time.Millisecond {
		t.Errorf("a refusal takes %v", quickest)
	}
	relay := apptest.NewRelay(t, "127.0.0.1:1") // nobody is there: it hangs up at once
	r := openRedis(t, "redis://"+relay.Address, Options{})
	for range 3 {
		if err := r.Ping(within(t)); err == nil {
			t.Error("a dead server answers")
		}
	}
	if got := relay.Taken(); got != 3 {
		t.Errorf("3 calls made %d connections", got)
	}
}

// After a failure the cluster is looked at again without waiting for the next
// call, or for the time when that is done anyway.
func TestRedisLooksAtItsClusterAfterAFailure(t *testing.T) {
	h := newHanger(t)
	r := openRedis(t, fmt.Sprintf("redis://%[1]s?addr=%[1]s", h.address), Options{})
	if err := r.Ping(within(t)); err != nil {
		t.Fatal(err)
	}
	before := h.looks.Load()
	if _, err := r.Get(within(t), "a"); err == nil {
		t.Error("it has an answer")
	}
	apptest.Await(t, "another look", func() bool { return h.looks.Load() > before })
}

// A node that is asked how the cluster stands and says nothing keeps nobody from
// asking again: left to itself the library waits for 3 s each time.
func TestRedisLooksNoLongerThanItsTimeout(t *testing.T) {
	h := newHanger(t)
	r := openRedis(t, fmt.Sprintf("redis://%[1]s?addr=%[1]s", h.address), Options{Timeout: 10 * time.Millisecond})
	if err := r.Ping(within(t)); err != nil {
		t.Fatal(err)
	}
	h.frozen.Store(true)
	start, before := time.Now(), h.looks.Load()
	const looks = 6
	apptest.Await(t, "looks at the cluster", func() bool {
		_, err := r.Get(within(t), "a")
		return err != nil && h.looks.Load() > before+looks
	})
	if took := time.Since(start); took > looks*3*time.Second {
		t.Errorf("%d looks took %v", looks, took)
	}
}

// Neither with a timeout nor without one does a silent server keep a request
// whose client has gone.
func TestRedisLetsGoOfASilentServer(t *testing.T) {
	relay := apptest.NewRelay(t, "127.0.0.1:1")
	relay.Mute()
	for name, with := range map[string]func() (context.Context, context.CancelFunc){
		"canceled": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel)
			return ctx, cancel
		},
		"timed": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 10*time.Millisecond)
		},
	} {
		r := openRedis(t, "redis://"+relay.Address, Options{})
		ctx, cancel := with()
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- r.Ping(ctx) }()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s: it has an answer", name)
			}
		case <-time.After(apptest.Patience):
			t.Fatalf("%s: it waits for ever", name)
		}
	}
}

func TestBadURLs(t *testing.T) {
	for _, c := range []struct {
		url  string
		open func(string, Options) error
		want string
	}{
		{"http://a", openErr(OpenRedis), `its scheme is "http", want redis or rediss`},
		{"redis://a:b:c", openErr(OpenRedis), "it is not a URL"},
		{"redis://a/x", openErr(OpenRedis), "redis: invalid database number: \"x\""},
		{"mysql://a", openErr(OpenSQL), `its scheme is "mysql", want postgres or postgresql`},
		{"postgres://a:b:c", openErr(OpenSQL), "it is not a URL"},
		{"redis://a", openErr(OpenMongo), `its scheme is "redis", want mongodb or mongodb+srv`},
		{"ftp://a", openErr(OpenPayments), `its scheme is "ftp", want http or https`},
		{"http://a:b:c", openErr(OpenPayments), "it is not a URL"},
	} {
		if err := c.open(c.url, Options{}); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.url, err, c.want)
		}
	}
}

func openErr[C any](open func(string, Options) (C, error)) func(string, Options) error {
	return func(url string, o Options) error { _, err := open(url, o); return err }
}
