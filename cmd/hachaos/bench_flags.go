package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/scenarios/bench"
	"github.com/spf13/pflag"
)

// benchFlags binds every flag: ab's by its letter, those beyond ab by name.
func benchFlags(f *pflag.FlagSet, o *bench.Options) {
	f.VarP(positive[int64]{&o.Requests}, "requests", "n", "requests to send in all (default 1, or no limit with -t)")
	f.VarP(positive[int]{&o.Concurrency}, "concurrency", "c", "clients at a time (default 1); with --rate, requests in flight at most (default 1000)")
	f.VarP((*seconds)(&o.TimeLimit), "timelimit", "t", "time to send for, in seconds or as 1m30s")
	f.VarP((*seconds)(&o.Timeout), "timeout", "s", "time to wait for each answer, from connecting to its last byte (default 30)")
	f.VarP(positive[int]{&o.Window}, "window", "b", "size of a socket's buffers in bytes")
	f.StringVarP(&o.Bind, "bind", "B", "", "local `ADDRESS` of connections")
	f.StringVarP(&o.PostFile, "post", "p", "", "send `FILE` with POST; see -T")
	f.StringVarP(&o.PutFile, "put", "u", "", "send `FILE` with PUT; see -T")
	f.StringVarP(&o.ContentType, "content-type", "T", "", "`TYPE` of what is sent (default text/plain)")
	f.VarP((*level)(&o.Verbosity), "verbosity", "v", "2: print the first request, every answer's header (not of HTTP/2), and which are not 2xx; 3: every status")
	f.BoolVarP(&o.HTML, "html", "w", false, "print the results as an HTML table")
	f.BoolVarP(&o.Head, "head", "i", false, "use HEAD instead of GET")
	f.StringVarP(&o.Table, "table", "x", "", "`ATTRIBUTES` of the HTML table")
	f.StringVarP(&o.Row, "row", "y", "", "`ATTRIBUTES` of its rows")
	f.StringVarP(&o.Cell, "cell", "z", "", "`ATTRIBUTES` of its cells")
	f.StringArrayVarP(&o.Cookies, "cookie", "C", nil, "add a cookie, such as `Apache=1234` (repeatable)")
	f.StringArrayVarP(&o.Headers, "header", "H", nil, "add a header line, such as `'Accept-Encoding: gzip'` (repeatable)")
	f.StringVarP(&o.Auth, "auth", "A", "", "`USER:PASSWORD` for the server")
	f.StringVarP(&o.ProxyAuth, "proxy-auth", "P", "", "`USER:PASSWORD` for the proxy")
	f.StringVarP(&o.Proxy, "proxy", "X", "", "`HOST:PORT` of an HTTP proxy to go through")
	f.BoolP("version", "V", false, "print the version and exit")
	f.BoolVarP(&o.KeepAlive, "keepalive", "k", false, "keep connections open between requests")
	f.BoolVarP(&o.NoPercentiles, "no-percentiles", "d", false, "do not print the table of percentiles")
	f.BoolVarP(&o.NoConfidence, "no-confidence", "S", false, "print neither deviation and median nor warnings about them")
	f.BoolVarP(&o.Quiet, "quiet", "q", false, "do not show progress")
	f.BoolVarP(&o.Variable, "variable-length", "l", false, "answers may differ in length (dynamic pages)")
	f.StringVarP(&o.Gnuplot, "gnuplot", "g", "", "write every request to `FILE`, tab separated")
	f.StringVarP(&o.CSV, "csv", "e", "", "write the percentiles to `FILE`, comma separated")
	f.BoolVarP(&o.GoOn, "go-on", "r", false, "go on after socket errors; open load always does")
	f.StringVarP(&o.Method, "method", "m", "", "`METHOD` to use instead of GET, or of POST with -p")
	f.BoolVarP(&o.NoSNI, "no-sni", "I", false, "do not send the server's name over TLS")
	f.StringVarP(&o.Ciphers, "ciphers", "Z", "", "`SUITES` for TLS up to 1.2, by OpenSSL's names, separated by colons")
	f.StringVarP(&o.Protocol, "protocol", "f", "", "TLS1, TLS1.1, TLS1.2, TLS1.3 or ALL")
	f.StringVarP(&o.CertFile, "client-cert", "E", "", "`FILE` (PEM) of the client's certificate chain and key")

	f.Var((*rate)(&o.Rate), "rate", "open load: send this many requests a second, whatever the answers (use -k to keep connections)")
	f.StringVar(&o.Ramp, "ramp", "", "open load whose rate goes `FROM..TO` over -t, such as 100/s..1000/s")
	f.Var((*seconds)(&o.RampUp), "ramp-up", "closed load: let the clients begin one after the other over this time")
	f.StringVar(&o.Until, "until", "", "search for the highest rate that keeps `OBJECTIVE`, such as \"p99 < 50ms\", in trials of -t (default 5)")
	f.StringVar(&o.Targets, "targets", "", "ask for what `FILE` says, in vegeta's HTTP or JSON format; the URL may be left out")
	f.BoolVar(&o.HTTP2, "h2", false, "speak HTTP/2, without TLS by prior knowledge")
	f.StringVar(&o.CA, "ca", "", "trust the certificates in `FILE` (PEM) instead of the system's")
	f.BoolVar(&o.Insecure, "insecure", false, "accept any certificate")
	f.StringVar(&o.Cert, "cert", "", "`FILE` (PEM) of the client's certificate")
	f.StringVar(&o.Key, "key", "", "`FILE` (PEM) of its key (default: that of --cert)")
	f.StringVar(&o.SNI, "sni", "", "`NAME` to ask for and check over TLS instead of the URL's host")
	f.BoolVar(&o.NoProbe, "no-probe", false, "no prober beside the load: no uptime, no outages")
	f.Var((*seconds)(&o.ProbeEvery), "probe-every", "time between two probes: the resolution of uptime (default 10ms)")
	f.BoolVar(&o.AllowRemote, "allow-remote", false, "allow hosts that are not loopback")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of which target is asked for when")
}

// positive is a whole number from 1 on; 0 means that it was not given.
type positive[T int | int64] struct{ n *T }

func (p positive[T]) String() string {
	if p.n == nil || *p.n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*p.n), 10)
}

func (positive[T]) Type() string { return "N" }

func (p positive[T]) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, strconv.IntSize)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is not a number from 1 on", s)
	}
	*p.n = T(n)
	return nil
}

// level is a whole number.
type level int

func (l *level) String() string { return strconv.Itoa(int(*l)) }

func (*level) Type() string { return "LEVEL" }

func (l *level) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fmt.Errorf("%q is not a number", s)
	}
	*l = level(n)
	return nil
}

// seconds is a time as ab takes it, in whole seconds, or with units.
type seconds time.Duration

func (s *seconds) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

func (*seconds) Type() string { return "SECONDS" }

func (s *seconds) Set(text string) error {
	withUnit := text
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		withUnit = strconv.FormatInt(n, 10) + "s"
	}
	d, err := units.ParseDuration(withUnit)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a time such as 10, 500ms or 1m30s", text)
	}
	*s = seconds(d)
	return nil
}

// rate is a number of requests a second, with or without "/s".
type rate units.Rate

func (r *rate) String() string {
	if *r == 0 {
		return ""
	}
	return units.Rate(*r).String()
}

func (*rate) Type() string { return "RATE" }

func (r *rate) Set(text string) error {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "/s"
	}
	v, err := units.ParseRate(text)
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is not a rate such as 500/s", text)
	}
	*r = rate(v)
	return nil
}
