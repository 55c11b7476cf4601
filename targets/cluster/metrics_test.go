//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// scrape reads metrics: values by series as they are written.
func (f *fixture) scrape(url string) map[string]float64 {
	f.t.Helper()
	status, body := f.fetch(url)
	if status != http.StatusOK {
		f.t.Fatalf("%s: status %d", url, status)
	}
	values := map[string]float64{}
	for line := range strings.Lines(body) {
		i := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || i < 0 {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		if err != nil {
			f.t.Fatalf("%q: %v", line, err)
		}
		values[line[:i]] = v
	}
	return values
}

func (f *fixture) fetch(url string) (status int, body string) {
	f.t.Helper()
	ctx, cancel := timeout()
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Close = true
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

// What is scraped is what was asked, by every way in which connections reach
// workers, also when those that answered have been killed since.
func TestScrapedTotalsAreThoseOfTheClients(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			f := start(t, masterOptions{Config: config(2, dispatch, 0)})
			admin := "http://" + f.status().Admin
			const requests, lost = 40, 7
			ctx, cancel := timeout()
			defer cancel()
			for _, path := range []string{"/", "/no-such-thing"} {
				n := requests
				if path != "/" {
					n = lost
				}
				for range n {
					c := &caller{address: f.address}
					if _, _, err := c.get(ctx, path); err != nil {
						t.Fatal(err)
					}
				}
			}
			f.signal(f.id(1), "SIGKILL")
			f.await("the replacement", func(s Status) bool { return s.Ready == 2 && s.Workers[0].Restarts == 1 })
			got := f.scrape(admin + "/metrics")
			for series, want := range map[string]float64{
				`http_requests_total{method="GET",route="/",status="200"}`:                            requests,
				`http_requests_total{method="GET",route="other",status="404"}`:                        lost,
				`http_request_duration_seconds_count{method="GET",route="/",status="200"}`:            requests,
				`http_request_duration_seconds_bucket{method="GET",route="/",status="200",le="+Inf"}`: requests,
				`worker_restarts_total{worker="1"}`:                                                   1,
				`worker_restarts_total{worker="2"}`:                                                   0,
				`workers{state="serving"}`:                                                            2,
				`workers{state="waiting"}`:                                                            0,
				`queue_length`:                                                                        0,
				`http_requests_in_flight`:                                                             0,
			} {
				if v, ok := got[series]; !ok || v != want {
					t.Errorf("%s is %v, want %v", series, v, want)
				}
			}
			if n := f.counted(); n != requests {
				t.Errorf("the workers count %d requests", n)
			}
			if dispatch != "proxy" {
				return
			}
			if n := got[`worker_requests_total{worker="1"}`] + got[`worker_requests_total{worker="2"}`]; n != requests+lost {
				t.Errorf("the proxy sent %v requests", n)
			}
			// Scraped where it serves, that is counted too.
			service := "http://" + f.address
			if status, _ := f.fetch(service + "/health"); status != http.StatusOK {
				t.Errorf("/health where it serves: %d", status)
			}
			if v := f.scrape(service + "/metrics")[`http_requests_total{method="GET",route="/health",status="200"}`]; v != 1 {
				t.Errorf("/health was counted %v times", v)
			}
		})
	}
}

func TestActiveConnectionsAndRequestsInFlight(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			c := config(2, dispatch, 0)
			c.App.Wait = units.Duration(time.Hour)
			c.KillTimeout = units.Duration(time.Millisecond)
			f := start(t, masterOptions{Config: c})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			answers := f.burst(ctx, 3)
			metrics := "http://" + f.status().Admin + "/metrics"
			await := func(want float64) {
				var got map[string]float64
				if !eventually(func() bool {
					got = f.scrape(metrics)
					return got["active_connections"] == want && got["http_requests_in_flight"] == want
				}) {
					t.Errorf("%v connections and %v requests are said, want %v", got["active_connections"], got["http_requests_in_flight"], want)
				}
			}
			await(3)
			cancel()
			for range 3 {
				<-answers
			}
			await(0)
		})
	}
}

// What workers counted for which there is no place any more stays counted, also by
// who looks for the first time.
func TestTotalsOutliveTheirSlots(t *testing.T) {
	t.Parallel()
	f := start(t, masterOptions{Config: config(3, "handoff", 0)})
	ctx, cancel := timeout()
	defer cancel()
	sent := 0
	f.await("each worker to have answered", func(s Status) bool {
		if a := <-f.burst(ctx, 1); a.err != nil {
			t.Fatal(a.err)
		}
		sent++
		return !slices.ContainsFunc(s.Workers, func(w WorkerStatus) bool { return w.Requests == 0 })
	})
	if err := f.Scale(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if n := f.scrape("http://" + f.status().Admin + "/metrics")[`http_requests_total{method="GET",route="/",status="200"}`]; n != float64(sent) {
		t.Errorf("of %d requests %v are counted", sent, n)
	}
}

// A worker that is not to be there is not missing.
func TestSmallerClusterIsHealthy(t *testing.T) {
	t.Parallel()
	conf := config(2, "proxy", 0)
	conf.Balance = "round-robin"
	f := start(t, masterOptions{Config: conf})
	ctx, cancel := timeout()
	defer cancel()
	for range 4 {
		if a := <-f.burst(ctx, 1); a.err != nil {
			t.Fatal(a.err)
		}
	}
	if err := f.Scale(ctx, 1); err != nil {
		t.Fatal(err)
	}
	admin := "http://" + f.status().Admin
	if status, body := f.fetch(admin + "/health"); status != http.StatusOK || !strings.Contains(body, `"healthy"`) {
		t.Errorf("/health answers %d %q", status, body)
	}
	got := f.scrape(admin + "/metrics")
	if _, there := got[`worker_healthy{worker="2"}`]; there || got[`worker_healthy{worker="1"}`] != 1 || got[`worker_requests_total{worker="2"}`] != 2 {
		t.Errorf("the metrics are %v", got)
	}
}

func TestHealthSaysWhatIsMissing(t *testing.T) {
	c := config(2, "handoff", 0)
	c.Restart.When = "never"
	f := start(t, masterOptions{Config: c})
	admin := "http://" + f.status().Admin
	expect := func(path string, status int, health string) string {
		t.Helper()
		got, body := f.fetch(admin + path)
		if got != status || !strings.Contains(body, health) {
			t.Errorf("%s answers %d %q, want %d with %s", path, got, body, status, health)
		}
		return body
	}
	expect("/health", 200, `"healthy"`)
	expect("/ready", 200, "")
	f.signal(f.id(2), "SIGKILL")
	f.await("one worker", func(s Status) bool { return s.Ready == 1 })
	expect("/health", 200, `"degraded"`)
	expect("/live", 200, "")
	var h HealthReport
	if err := json.Unmarshal([]byte(expect("/health/detailed", 200, `"degraded"`)), &h); err != nil {
		t.Fatal(err)
	}
	if h.Status != degraded || h.Components["worker 1"].Status != healthy || h.Components["worker 2"].Status != unhealthy ||
		h.Components["master"].PID != f.process.ID().PID || h.UptimeS <= 0 || h.Memory.MasterRSS <= 0 || h.Version == "" {
		t.Errorf("in detail: %+v", h)
	}
	for s, want := range map[*Status]string{
		{Ready: 2, Workers: make([]WorkerStatus, 2)}:                 healthy,
		{Ready: 1, Workers: make([]WorkerStatus, 2)}:                 degraded,
		{Workers: make([]WorkerStatus, 2)}:                           unhealthy,
		{Ready: 2, Workers: make([]WorkerStatus, 2), Stopping: true}: unhealthy,
	} {
		if got := judge(*s, 0); got != want {
			t.Errorf("%+v is %s, want %s", s, got, want)
		}
	}
	if got := judge(Status{Ready: 2, Workers: make([]WorkerStatus, 2)}, 1); got != degraded {
		t.Errorf("with one that fails its checks it is %s", got)
	}
}

func TestAdminAddress(t *testing.T) {
	for _, address := range []string{"", NoAdmin} {
		if a, err := newAdmin(address); a != nil || err != nil || a.address() != "" {
			t.Errorf("%q: %v, %v", address, a, err)
		}
	}
	a, err := newAdmin("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if b, err := newAdmin(a.address()); err == nil {
		b.close()
		t.Error("an address that is taken was taken")
	} else if !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
}
