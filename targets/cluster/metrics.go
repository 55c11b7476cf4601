//go:build unix

package cluster

import (
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var (
	requestLabels = []string{"method", "route", "status"}

	descDuration = prometheus.NewDesc("http_request_duration_seconds", "Time from a request to the beginning of its answer.", requestLabels, nil)
	descRequests = prometheus.NewDesc("http_requests_total", "Requests that were answered.", requestLabels, nil)
	descInFlight = prometheus.NewDesc("http_requests_in_flight", "Requests that are being worked on.", nil, nil)
	descRetries  = prometheus.NewDesc("http_request_retries_total", "Requests that the proxy sent to one more worker.", nil, nil)
	descRefused  = prometheus.NewDesc("http_requests_refused_total", "Connections and requests that no worker saw.", []string{"reason"}, nil)
	descConns    = prometheus.NewDesc("active_connections", "Connections that clients have open.", nil, nil)
	descQueue    = prometheus.NewDesc("queue_length", "Connections that wait for a worker.", nil, nil)
	descWorkers  = prometheus.NewDesc("workers", "Workers by state.", []string{"state"}, nil)
	descRestarts = prometheus.NewDesc("worker_restarts_total", "How often the worker of a slot was replaced, but for reloads.", []string{"worker"}, nil)
	descServed   = prometheus.NewDesc("worker_requests_total", "Requests that the proxy sent to the worker of a slot.", []string{"worker"}, nil)
	descFailures = prometheus.NewDesc("worker_failures_total", "Requests that the worker of a slot failed, seen by the proxy.", []string{"worker"}, nil)
	descHealthy  = prometheus.NewDesc("worker_healthy", "1 if the proxy sends requests to the worker of a slot.", []string{"worker"}, nil)
)

// states are all that a worker can be in, so that a count that becomes 0 is
// said and not left out.
var states = []State{Starting, Serving, Leaving, Resting, Waiting, Errored, Ended}

// metrics serves what this master counts, and its process.
func (m *master) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{master: m}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// collector reads what the master knows, and what it shares with its workers.
type collector struct {
	master *master
	slots  atomic.Int64 // the most that there were: what they counted stays
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descDuration, descRequests, descInFlight, descRetries, descRefused, descConns,
		descQueue, descWorkers, descRestarts, descServed, descFailures, descHealthy,
	} {
		descs <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(out chan<- prometheus.Metric) {
	var status Status
	if !c.master.ask(func() { status = c.master.status() }) {
		return // it ends
	}
	number := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	slots := len(status.Workers)
	for _, p := range status.Processes { // also those of a master before this one
		slots = max(slots, p.Slot)
	}
	c.collectRequests(out, slots)
	conns, inFlight := c.live()
	if d, ok := c.master.dispatch.(counting); ok {
		f := d.figures()
		conns += f.conns
		for reason, n := range f.refused {
			number(descRefused, prometheus.CounterValue, float64(n), reason)
		}
		if f.workers != nil { // a proxy: what workers have open is what it has open to them
			conns, inFlight = f.conns, f.inFlight
			number(descRetries, prometheus.CounterValue, float64(f.retries))
		}
		for _, w := range f.workers {
			slot := strconv.Itoa(w.slot)
			healthy := 0.0
			if w.healthy {
				healthy = 1
			}
			number(descServed, prometheus.CounterValue, float64(w.requests), slot)
			number(descFailures, prometheus.CounterValue, float64(w.failures), slot)
			if w.slot <= len(status.Workers) { // the others were removed
				number(descHealthy, prometheus.GaugeValue, healthy, slot)
			}
		}
	}
	number(descConns, prometheus.GaugeValue, float64(conns))
	number(descInFlight, prometheus.GaugeValue, float64(inFlight))
	number(descQueue, prometheus.GaugeValue, float64(status.Queued))
	in := map[State]int{}
	for _, w := range status.Workers {
		in[w.State]++
		number(descRestarts, prometheus.CounterValue, float64(w.Restarts), strconv.Itoa(w.Slot))
	}
	for _, s := range states {
		number(descWorkers, prometheus.GaugeValue, float64(in[s]), string(s))
	}
}

// collectRequests adds up what the master and all slots counted.
func (c *collector) collectRequests(out chan<- prometheus.Metric, slots int) {
	most := c.slots.Load()
	for int64(slots) > most && !c.slots.CompareAndSwap(most, int64(slots)) {
		most = c.slots.Load()
	}
	all := map[page.Key]page.Series{}
	for slot := range int(max(most, int64(slots))) + 1 {
		c.master.page.Requests(slot).Add(all)
	}
	for k, s := range all {
		labels := []string{k.Method.String(), app.RouteName(k.Route), strconv.Itoa(int(k.Status))}
		buckets, n := map[float64]uint64{}, uint64(0)
		for i, b := range page.Bounds {
			n += uint64(s.Buckets[i])
			buckets[b.Seconds()] = n
		}
		total := uint64(s.Count())
		out <- prometheus.MustNewConstHistogram(descDuration, total, s.Sum.Seconds(), buckets, labels...)
		out <- prometheus.MustNewConstMetric(descRequests, prometheus.CounterValue, float64(total), labels...)
	}
}

// live adds up what the workers have open and work on.
func (c *collector) live() (conns, inFlight int64) {
	for _, p := range c.master.page.Processes() {
		if p.Slot > 0 && p.Ended == 0 {
			conns += p.Conns
			inFlight += p.InFlight
		}
	}
	return conns, inFlight
}
