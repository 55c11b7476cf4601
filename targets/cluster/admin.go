//go:build unix

package cluster

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/hachaos/hachaos/targets/port"
)

// admin serves what people and monitors ask the master itself: /health,
// /health/detailed, /ready, /live and /metrics.
type admin struct {
	ln     net.Listener
	server http.Server
	gate   gate
}

// newAdmin listens; a nil admin has no address.
func newAdmin(address string) (*admin, error) {
	if address == "" || address == NoAdmin {
		return nil, nil
	}
	ln, err := port.Listen(address)
	if err != nil {
		return nil, err
	}
	return &admin{ln: ln}, nil
}

func (a *admin) address() string {
	if a == nil {
		return ""
	}
	return a.ln.Addr().String()
}

// serve serves h until close.
func (a *admin) serve(h http.Handler) {
	a.server.Handler = a.gate.before(h)
	a.server.ReadHeaderTimeout, a.server.ReadTimeout, a.server.WriteTimeout = adminTimeout, adminTimeout, adminTimeout
	_ = a.server.Serve(a.ln) // it ends when it is closed
}

func (a *admin) close() {
	if a != nil {
		_ = a.ln.Close() // if it never served
		_ = a.server.Close()
		a.gate.close()
	}
}

// askMaster answers, beside a master, what that answers at its admin address. One
// that takes over finds who asks meanwhile in the line of the listener, which it has.
func askMaster(address string) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/", &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: address}) },
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true, ResponseHeaderTimeout: adminTimeout},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			failed(w, r, errNobody) // the master has just ended
		},
	})
	return mux
}

// adminHandler routes what the master answers itself.
func (m *master) adminHandler() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.metrics())
	mux.HandleFunc("GET /health", m.serveHealth)
	mux.HandleFunc("GET /health/detailed", m.serveDetails)
	mux.HandleFunc("GET /ready", m.serveReady)
	mux.HandleFunc("GET /live", m.serveLive)
	return mux
}
