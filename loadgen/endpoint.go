package loadgen

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/hachaos/hachaos/loadgen/http1"
)

// endpoint is a parsed URL: where to connect, and what requests say.
type endpoint struct {
	tls        bool
	host, port string // to connect to
	authority  string // the Host header
	base       string // path before every request's own, without a final slash
	path       string // path and query of the URL itself
	query      string // added to requests that have none
	user       string // value of Authorization, or ""
	proxyUser  string // value of Proxy-Authorization, or ""
	origin     string // "http://host", before paths in requests to a proxy; or ""
}

// parseEndpoint reads the URL of a target: http or https, a host, and what may
// follow.
func parseEndpoint(raw string) (endpoint, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// Its text repeats the URL, which may hold a password.
		return endpoint{}, fmt.Errorf("the URL cannot be read: %w", err.(*url.Error).Err)
	}
	e := endpoint{host: u.Hostname(), port: u.Port(), authority: u.Host, query: u.RawQuery}
	switch u.Scheme {
	case "http":
		e.port = orDefault(e.port, "80")
	case "https":
		e.tls = true
		e.port = orDefault(e.port, "443")
	case "":
		return endpoint{}, fmt.Errorf("URL %q has no scheme (write http:// before it)", u.Redacted())
	default:
		return endpoint{}, fmt.Errorf("URL %q: the scheme %s is not known (http or https)", u.Redacted(), u.Scheme)
	}
	switch {
	case e.host == "":
		return endpoint{}, fmt.Errorf("URL %q has no host", u.Redacted())
	case !http1.IsTarget(e.host):
		return endpoint{}, fmt.Errorf("URL %q: the host is not ASCII (write its xn-- form)", u.Redacted())
	}
	if host, _, zoned := strings.Cut(e.host, "%"); zoned {
		e.authority = "[" + host + "]"
		if u.Port() != "" {
			e.authority = net.JoinHostPort(host, u.Port())
		}
	}
	e.base = strings.TrimSuffix(u.EscapedPath(), "/")
	e.path = u.EscapedPath()
	if u.User != nil {
		password, _ := u.User.Password()
		e.user = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
	}
	return e, nil
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// target returns the target of the request line for a path below the URL. The
// path / is the URL itself.
func (e endpoint) target(path string) string {
	path, query, hasQuery := strings.Cut(path, "?")
	switch {
	case path == "/" && e.path != "":
		path = e.path
	default:
		path = e.base + path
	}
	if !hasQuery {
		query = e.query
	}
	if query != "" || hasQuery {
		path += "?" + query
	}
	return e.origin + path
}
