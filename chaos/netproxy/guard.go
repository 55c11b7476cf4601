package netproxy

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// guard refuses what a page in a browser could send. A page is told from a
// program by what browsers add and pages cannot take away: Origin, which must
// be the API's own, and Sec-Fetch-Site. A page whose name an attacker points at
// this address (DNS rebinding) has the API's own origin, but its name in Host.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Toxiproxy-Request-Id", strconv.FormatUint(s.requests.Add(1), 36))
		if why := s.refusal(r); why != "" {
			s.log.Warn("request refused", "remote", r.RemoteAddr, "method", r.Method, "path", r.URL.Path, "reason", why)
			s.answer(w, 0, nil, &Error{why, http.StatusForbidden})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refusal says why a request is refused; "" if it is not.
func (s *Server) refusal(r *http.Request) string {
	if !s.knownHost(r.Host) {
		return "host " + strconv.Quote(r.Host) + " not allowed: use an address, or allow the name"
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return "request from another site not allowed"
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return "origin " + strconv.Quote(origin) + " not allowed"
		}
	}
	return ""
}

// knownHost tells whether a Host can be trusted: an address, a name that no
// public name server answers for (one without a dot, such as localhost or a
// container's, and those below localhost), or one that was allowed. An HTTP/1.0
// client need not send any; a browser always does.
func (s *Server) knownHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") && !strings.Contains(host, ":") || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return slices.ContainsFunc(s.opts.Hosts, func(name string) bool { return strings.EqualFold(name, host) })
}
