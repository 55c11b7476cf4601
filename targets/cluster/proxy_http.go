//go:build unix

package cluster

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// ServeHTTP passes a request to a worker, unless it is for the master itself.
func (p *proxy) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	limit := int64(p.config.Limits.Body)
	idle, control := p.config.Timeouts.Idle.Std(), http.NewResponseController(to)
	w := &patientWriter{ResponseWriter: to, control: control, idle: idle, last: endless(r), ends: &p.ends}
	var body *patientBody
	if r.ContentLength != 0 {
		body = &patientBody{ReadCloser: http.MaxBytesReader(w, r.Body, limit), length: r.ContentLength, control: control, idle: idle}
		if r.ProtoMajor == 1 {
			body.screen = screenOf(r)
		}
		w.body = body
		defer body.over()
	}
	if doubtful(r) {
		w.Header().Set("Connection", "close")
		http.Error(w, "malformed request", http.StatusBadRequest)
		return
	}
	if own := p.own.Load(); own != nil && (r.URL.Path == "/metrics" || r.URL.Path == "/health") {
		own.ServeHTTP(w, r)
		return
	}
	if p.rejects.Load() {
		w.Header().Set("Connection", "close")
		failed(w, r, errNobody)
		return
	}
	if wait, ok := p.rate.admit(clock.Now()); !ok {
		p.turned.counts[tooFast].Add(1)
		w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	}
	if r.ContentLength > limit {
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	if body != nil {
		// The server sees by its own request's body whether the client still waits to
		// be told to send it, and reads to its end what it does not know.
		r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, body))
		r.Body = body
	}
	if p.sticky != nil {
		r = p.sticky.begin(r, time.Now())
	}
	p.reverse.ServeHTTP(w, r)
}

// rewrite tells the worker who asks. What a client says of itself in these
// headers is not passed on.
func (p *proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.Host = r.In.Host
	r.Out.URL.RawQuery = r.In.URL.RawQuery // what cannot be parsed has been left out
	r.SetXForwarded()
	if p.secure != nil {
		r.Out.Header.Set("X-Forwarded-Proto", "https")
	}
	// The body is sent without waiting. A worker that was told otherwise and breaks
	// off may wait for a body that the transport then keeps.
	r.Out.Header.Del("Expect")
	r.Out.Header.Set("X-Real-IP", clientIP(r.In))
	r.Out.Header["Via"] = append(r.Out.Header["Via"], via(r.In.ProtoMajor))
	r.Out.URL.Scheme = "http"
}

func (p *proxy) finish(r *http.Response) error {
	r.Header.Add("Via", via(1))
	if p.sticky != nil {
		p.sticky.end(r, time.Now())
	}
	return nil
}

// failed answers when no worker did.
func failed(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errNobody):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	case errors.Is(err, errSlow):
		status = http.StatusGatewayTimeout
	case errors.Is(err, errSlowClient):
		status = http.StatusRequestTimeout
		w.Header().Set("Connection", "close")
	case isBad(r): // if the client has hung up in it, the error may say no more than that
		status = http.StatusBadRequest
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Via", via(1))
	http.Error(w, http.StatusText(status), status)
}

// isBad tells whether a request's body was malformed or broke off.
func isBad(r *http.Request) bool {
	body, _ := r.Context().Value(bodyKey{}).(*patientBody)
	return body != nil && body.bad.Load()
}

// via is what the proxy adds to Via: over which HTTP a message came to it, and
// its name (RFC 9110 §7.6.3).
func via(major int) string {
	if major == 2 {
		return "2.0 hachaos"
	}
	return "1.1 hachaos"
}

// doubtful tells whether a request says something else than its worker would be
// told: HTTP/2's fields can hold what a line of HTTP/1.1 cannot (RFC 9113 §8.2.1,
// §8.3.1, §8.1.1), and net/http mends some of that in silence.
func doubtful(r *http.Request) bool {
	if strings.ContainsFunc(r.Host, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`/\?#@"<>`, c) }) {
		return true
	}
	if r.ProtoMajor != 2 {
		return false // see screen
	}
	if strings.ContainsFunc(r.RequestURI, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return true
	}
	length := r.Header.Get("Content-Length")
	return length != "" && length != strconv.FormatInt(r.ContentLength, 10)
}

// endless tells whether a request's end was not seen: see screen.
func endless(r *http.Request) bool {
	_, upgrade := r.Header["Upgrade"]
	return upgrade || len(r.TransferEncoding) > 0
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
