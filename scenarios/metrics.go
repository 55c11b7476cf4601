package scenarios

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hachaos/hachaos/reports"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// MetricsServer lets Prometheus read the figures of runs while they go on.
type MetricsServer struct {
	ln     net.Listener
	server *http.Server
	served chan error
}

// ServeMetrics serves the reports of latest under /metrics, as they are when
// they are asked for. An address without a host listens on loopback only; port 0
// takes a free one. The caller closes the server.
func ServeMetrics(address string, latest *Latest) (*MetricsServer, error) {
	if !strings.Contains(address, ":") {
		address = ":" + address
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("metrics address: %w (want HOST:PORT, or :PORT for loopback)", err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w (choose another port, or :0 for a free one)", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(reports.NewCollector(latest.Reports))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	s := &MetricsServer{
		ln:     ln,
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute},
		served: make(chan error, 1),
	}
	go func() { s.served <- s.server.Serve(ln) }()
	return s, nil
}

// URL returns where the metrics are.
func (s *MetricsServer) URL() string { return "http://" + s.ln.Addr().String() + "/metrics" }

// Close ends the server, and waits until it has ended.
func (s *MetricsServer) Close() error {
	err := s.server.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
