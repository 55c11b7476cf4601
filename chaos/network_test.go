package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos/netproxy"
	"github.com/hachaos/hachaos/reports/units"
)

// wires is a network of two proxies before an echo server.
type wires struct {
	server *netproxy.Server
	api    *httptest.Server
}

func newWires(t *testing.T) *wires {
	t.Helper()
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := upstream.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { io.Copy(c, c); c.Close() })
		}
	})
	server, err := netproxy.New(netproxy.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if _, err := server.Add(netproxy.Config{Name: name, Listen: "127.0.0.1:0", Upstream: upstream.Addr().String(), Enabled: true}); err != nil {
			t.Fatal(err)
		}
	}
	w := &wires{server, httptest.NewServer(server.Handler())}
	t.Cleanup(func() {
		w.api.Close()
		server.Close()
		upstream.Close()
		wg.Wait()
	})
	return w
}

func (w *wires) API() string { return w.api.URL }

func (w *wires) Proxies(s Spot) ([]string, string, error) {
	switch {
	case s.Process == "replica":
		return []string{"two"}, "", nil
	case s.Dependency == "none":
		return nil, "", errors.New("none is there")
	}
	return []string{"one", "two"}, "and replication", nil
}

func (w *wires) toxics(t *testing.T, proxy string) []string {
	t.Helper()
	p, err := w.server.Proxy(proxy)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, toxic := range p.Toxics() {
		names = append(names, toxic.Type+" "+toxic.Name+" "+toxic.Stream)
	}
	return names
}

// dial connects to a proxy and tells whether what is sent comes back.
func (w *wires) echoes(proxy string) bool {
	p, err := w.server.Proxy(proxy)
	if err != nil {
		return false
	}
	c, err := net.Dial("tcp", p.Config().Listen)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	answer := make([]byte, 4)
	_, err = c.Write([]byte("ping"))
	if err == nil {
		_, err = io.ReadFull(c, answer)
	}
	return err == nil
}

func TestNetworkFaultsAreInForceAndPutBack(t *testing.T) {
	w := newWires(t)
	client := netproxy.NewClient(w.API())
	// A toxic that is not the fault's own must stay.
	if _, err := client.AddToxic(t.Context(), "one", netproxy.Toxic{Name: "other", Toxicity: 1, Attributes: &netproxy.Latency{Latency: 1}}); err != nil {
		t.Fatal(err)
	}
	half := 0.5
	for _, c := range []struct {
		fault  Fault
		works  bool
		one    []string
		two    []string
		detail string
	}{
		{Fault{Name: "cut", Cut: &Cut{Spot{Dependency: "db"}}}, false,
			[]string{"down cut#1 downstream"}, []string{"down cut#1 downstream"}, "cut db; and replication"},
		{Fault{Name: "slow", Latency: &Latency{Spot: Spot{Dependency: "db", Process: "replica"}, Add: units.Duration(2 * time.Millisecond), Jitter: units.Duration(time.Millisecond), Direction: "both"}}, true,
			nil, []string{"latency slow#1.2 upstream", "latency slow#1.1 downstream"}, "2 ms ± 1 ms more to and from db (replica)"},
		{Fault{Name: "flaky", Toxic: &Toxic{Spot: Spot{Front: true}, Type: "packet_loss", Toxicity: &half, Attributes: Attributes{"rate": int64(0), "rto": int64(1)}}}, true,
			[]string{"packet_loss flaky#1 downstream"}, []string{"packet_loss flaky#1 downstream"}, "packet_loss (rate 0, rto 1, 50 % of the connections) on the front; and replication"},
	} {
		t.Run(c.fault.Name, func(t *testing.T) {
			c.fault.SetDefaults()
			c.fault.Check(func(path, message string) { t.Errorf("%s: %s", path, message) })
			ctx, cancel := context.WithCancelCause(t.Context())
			var during [2][]string
			works := false
			events, err := conduct(ctx, Target{Network: w}, &journal{}, func(e Event) {
				if e.End > e.Start {
					return
				}
				during = [2][]string{w.toxics(t, "one"), w.toxics(t, "two")}
				works = w.echoes("two")
				cancel(ErrOver)
			}, c.fault)
			if err != nil || len(events) != 1 || events[0].State != Done || !events[0].Lasting || events[0].Detail != c.detail {
				t.Fatalf("events %+v, error %v", events, err)
			}
			one := slices.DeleteFunc(during[0], func(s string) bool { return strings.HasPrefix(s, "latency other") })
			if !slices.Equal(one, c.one) || !slices.Equal(during[1], c.two) || works != c.works {
				t.Errorf("in force were %q and %q, and it worked: %v", one, during[1], works)
			}
			if got := w.toxics(t, "one"); !slices.Equal(got, []string{"latency other downstream"}) {
				t.Errorf("left on one: %q", got)
			}
			if got := w.toxics(t, "two"); len(got) > 0 || !w.echoes("two") {
				t.Errorf("left on two: %q", got)
			}
		})
	}
}

func TestNetworkRevertIsData(t *testing.T) {
	w := newWires(t)
	client := netproxy.NewClient(w.API())
	if _, err := client.AddToxic(t.Context(), "one", netproxy.Toxic{Name: "cut#1", Toxicity: 1, Attributes: &netproxy.Down{}}); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(Revert{API: w.API(), Toxics: []ToxicRef{{"one", "cut#1"}, {"two", "never added"}, {"gone", "cut#1"}}})
	if err != nil {
		t.Fatal(err)
	}
	var r Revert
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for range 2 { // by the conductor, and by a guard that does not know of it
		if err := r.Play(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if !w.echoes("one") {
		t.Error("it is still cut")
	}
	w.api.Close()
	if err := r.Play(t.Context(), nil); err != nil {
		t.Errorf("proxies that have ended need no revert: %v", err)
	}
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	defer failing.Close()
	r.API = failing.URL
	if err := r.Play(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "proxy one") {
		t.Errorf("an answer of 500 gave %v", err)
	}
}

func TestNetworkFaultThatCannotBeInjected(t *testing.T) {
	w := newWires(t)
	// A toxic of the fault's own name is there: the second proxy refuses it, and
	// what the first one took is removed.
	if _, err := netproxy.NewClient(w.API()).AddToxic(t.Context(), "two", netproxy.Toxic{Name: "cut#1", Toxicity: 1, Attributes: &netproxy.Latency{Latency: 1}}); err != nil {
		t.Fatal(err)
	}
	for _, target := range []Target{{}, {Network: w}} {
		_, err := conduct(t.Context(), target, &journal{}, nil, Fault{Name: "cut", Cut: &Cut{Spot{Dependency: "none"}}})
		if err == nil {
			t.Error("a fault without a place was injected")
		}
	}
	_, err := conduct(t.Context(), Target{Network: w}, &journal{}, nil, Fault{Name: "cut", Cut: &Cut{Spot{Dependency: "db"}}})
	if err == nil || !strings.Contains(err.Error(), "toxic already exists") || len(w.toxics(t, "one")) > 0 {
		t.Errorf("error %v, left on one: %q", err, w.toxics(t, "one"))
	}
}
