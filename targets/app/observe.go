package app

import (
	"bufio"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/page"
)

// routes are the paths that are told apart where requests are counted. What is
// counted keeps their indices: add new ones at the end.
var routes = []string{
	"other", "/", "/health", "/health/detailed", "/ready", "/live", "/metrics",
	"/login", "/profile", "/items", "/docs", "/cached", "/payments", "/users", "/compute",
}

// RouteName is what a [page.Key]'s route stands for.
func RouteName(route uint8) string {
	if int(route) < len(routes) {
		return routes[route]
	}
	return routes[0]
}

func routeOf(path string) uint8 { return uint8(max(slices.Index(routes, path), 0)) }

// Observe counts what h answers, by method, route and status, and how long it
// took until the answer began. It is counted just before the client can see it,
// so that nobody who has an answer finds a count without it; a request that is
// never answered is not counted.
func Observe(h http.Handler, counts *page.Requests) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := &observed{ResponseWriter: w, counts: counts, began: clock.Now(), key: page.Key{Method: page.MethodOf(r.Method), Route: routeOf(r.URL.Path)}}
		h.ServeHTTP(o, r)
		if r.Context().Err() == nil {
			o.count(http.StatusOK) // unless it was
		}
	})
}

// handler serves the application, and counts if that is its task.
func (a *App) handler() http.Handler {
	if a.requests == nil {
		return a
	}
	return Observe(a, a.requests)
}

// observed is an answer that is counted when it begins.
type observed struct {
	http.ResponseWriter
	counts *page.Requests
	began  clock.Time
	key    page.Key
}

func (o *observed) count(status int) {
	if o.key.Status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		o.key.Status = uint16(status)
		o.counts.Observe(o.key, time.Duration(clock.Since(o.began)))
	}
}

func (o *observed) WriteHeader(status int) {
	o.count(status)
	o.ResponseWriter.WriteHeader(status)
}

func (o *observed) Write(p []byte) (int, error) {
	o.count(http.StatusOK)
	return o.ResponseWriter.Write(p)
}

// Flush implements [http.Flusher].
func (o *observed) Flush() { _ = o.FlushError() }

// FlushError is what [http.ResponseController] calls.
func (o *observed) FlushError() error {
	o.count(http.StatusOK)
	return http.NewResponseController(o.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]: the connection is upgraded.
func (o *observed) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(o.ResponseWriter).Hijack()
	if err == nil {
		o.count(http.StatusSwitchingProtocols)
	}
	return c, rw, err
}

// Unwrap lets a response controller reach what is wrapped.
func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }
