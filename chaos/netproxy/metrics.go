package netproxy

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics serves the counters to Prometheus: Toxiproxy's two under its names,
// all of ours, and those of the process.
func (s *Server) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&exporter{s},
		collectors.NewGoCollector(),
		collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// Stats returns the counters of every proxy, by name.
func (s *Server) Stats() []Stats {
	all := []Stats{}
	for _, p := range s.Proxies() {
		all = append(all, p.Stats())
	}
	return all
}

// exporter reads the counters when it is scraped.
type exporter struct{ server *Server }

var (
	linkLabels  = []string{"direction", "proxy", "listener", "upstream"}
	proxyLabels = []string{"proxy"}
	toxicLabels = []string{"proxy", "toxic", "type", "stream"}

	receivedDesc    = prometheus.NewDesc("toxiproxy_proxy_received_bytes_total", "Bytes read from the sender of a direction.", linkLabels, nil)
	sentDesc        = prometheus.NewDesc("toxiproxy_proxy_sent_bytes_total", "Bytes written to the receiver of a direction.", linkLabels, nil)
	connectionsDesc = prometheus.NewDesc("hachaos_proxy_connections_total", "Connections accepted.", proxyLabels, nil)
	activeDesc      = prometheus.NewDesc("hachaos_proxy_connections_active", "Connections that live.", proxyLabels, nil)
	dialDesc        = prometheus.NewDesc("hachaos_proxy_dial_errors_total", "Connections whose upstream could not be reached.", proxyLabels, nil)
	acceptDesc      = prometheus.NewDesc("hachaos_proxy_accept_failures_total", "Connections that could not be accepted, for lack of descriptors.", proxyLabels, nil)
	toxicConnDesc   = prometheus.NewDesc("hachaos_proxy_toxic_connections_total", "Connections that a toxic acted on.", toxicLabels, nil)
	toxicEventDesc  = prometheus.NewDesc("hachaos_proxy_toxic_events_total", "How often a toxic acted.", toxicLabels, nil)
	toxicBytesDesc  = prometheus.NewDesc("hachaos_proxy_toxic_bytes_total", "Bytes that a toxic acted on.", toxicLabels, nil)
)

// Describe implements [prometheus.Collector].
func (e *exporter) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(e, to) }

// Collect implements [prometheus.Collector].
func (e *exporter) Collect(to chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v int64, labels ...string) {
		for i := range labels {
			labels[i] = strings.ToValidUTF8(labels[i], "�")
		}
		to <- prometheus.MustNewConstMetric(d, kind, float64(v), labels...)
	}
	for _, p := range e.server.Proxies() {
		c, s := p.Config(), p.Stats()
		for dir, b := range map[Direction]Bytes{Upstream: s.Upstream, Downstream: s.Downstream} {
			send(receivedDesc, prometheus.CounterValue, b.Received, dir.String(), p.name, c.Listen, c.Upstream)
			send(sentDesc, prometheus.CounterValue, b.Sent, dir.String(), p.name, c.Listen, c.Upstream)
		}
		send(connectionsDesc, prometheus.CounterValue, s.Connections, p.name)
		send(activeDesc, prometheus.GaugeValue, s.Active, p.name)
		send(dialDesc, prometheus.CounterValue, s.DialErrors, p.name)
		send(acceptDesc, prometheus.CounterValue, s.AcceptFails, p.name)
		for _, t := range s.Toxics {
			send(toxicConnDesc, prometheus.CounterValue, t.Connections, p.name, t.Name, t.Type, t.Stream)
			send(toxicEventDesc, prometheus.CounterValue, t.Events, p.name, t.Name, t.Type, t.Stream)
			send(toxicBytesDesc, prometheus.CounterValue, t.Bytes, p.name, t.Name, t.Type, t.Stream)
		}
	}
}
