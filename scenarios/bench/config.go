package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/loadgen/ab"
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/scenarios"
)

const (
	defaultTimeout   = 30 * time.Second // ab's
	defaultTimeLimit = 10 * time.Second // of open load
	trialTime        = 5 * time.Second  // of a search's trials
)

// Config is a bench, ready to be played. Make one with [Options.Config].
type Config struct {
	URL     string // with user info, if there is any
	Stream  loadgen.Stream
	Limit   time.Duration // of a stream that has a count too; 0: none
	Seed    uint64
	TLS     loadgen.TLSOptions
	Connect loadgen.Connect
	HTTP2   bool
	Probe   loadgen.Probe

	GoOn      bool // socket errors do not end it
	Verbosity int
	Page      ab.Page
	HTML      bool
	Quiet     bool

	Gnuplot, CSV string             // files; "" for none
	Until        *reports.Objective // search for the highest rate that keeps it
}

// Config checks what was asked for and makes it ready. rawURL may be empty if
// targets are given. The error says what is wrong and what to do.
func (o Options) Config(rawURL string) (*Config, error) {
	if err := o.contradictions(rawURL); err != nil {
		return nil, err
	}
	requests, rawURL, err := o.requests(rawURL)
	if err != nil {
		return nil, err
	}
	u, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	if !o.AllowRemote {
		if err := onlyLoopback(u.Hostname(), "the host"); err != nil {
			return nil, err
		}
	}
	c := &Config{
		URL: u.String(), Seed: o.Seed, Verbosity: o.Verbosity, Quiet: o.Quiet,
		HTML:  o.HTML || o.Table != "" || o.Row != "" || o.Cell != "",
		HTTP2: o.HTTP2, Gnuplot: o.Gnuplot, CSV: o.CSV, Probe: loadgen.Probe{Off: o.NoProbe, Every: units.Duration(o.ProbeEvery)},
	}
	if c.Stream, c.Limit, err = o.stream(requests); err != nil {
		return nil, err
	}
	if c.TLS, err = o.tls(); err != nil {
		return nil, err
	}
	if c.Connect, err = o.connect(); err != nil {
		return nil, err
	}
	if o.Until != "" {
		if c.Until, err = parseUntil(o.Until); err != nil {
			return nil, err
		}
	}
	// Open load does not wait for answers, nor do failures end it.
	c.GoOn = o.GoOn || c.Stream.Open != nil
	c.Page = o.page(u, &c.Stream)
	// What the generator itself would refuse is the command line's fault too.
	if _, err := loadgen.New(loadgen.Options{URL: c.URL, Stream: c.Stream, Connect: c.Connect}); err != nil {
		return nil, err
	}
	return c, nil
}

// contradictions finds options that exclude each other.
func (o Options) contradictions(rawURL string) error {
	open := o.Rate > 0 || o.Ramp != "" || o.Until != ""
	for _, c := range []struct {
		wrong   bool
		message string
	}{
		{rawURL == "" && o.Targets == "", "a URL is missing (such as http://127.0.0.1:8080/)"},
		{o.PostFile != "" && o.PutFile != "", "-p and -u: a request has one body (choose one)"},
		{o.Head && (o.PostFile != "" || o.PutFile != ""), "-i asks with HEAD, which has no body: leave out -p and -u"},
		{o.Head && o.Method != "", "-i asks with HEAD: leave out -m"},
		{o.Targets != "" && (o.Head || o.Method != "" || o.PostFile != "" || o.PutFile != ""), "--targets says each request's method and body: leave out -i, -m, -p and -u"},
		{o.Rate > 0 && o.Ramp != "", "--rate and --ramp: choose one"},
		{o.Until != "" && (o.Rate > 0 || o.Ramp != ""), "--until searches for the rate: leave out --rate and --ramp"},
		{open && o.RampUp > 0, "--ramp-up is for the clients of closed load: leave it out, or use --ramp FROM..TO"},
		{o.Until != "" && o.Requests > 0, "--until plays trials of a time (-t): leave out -n"},
		{o.Until != "" && (o.Gnuplot != "" || o.CSV != ""), "--until plays many trials: leave out -g and -e, which hold the requests of one"},
		{o.Until != "" && (o.HTML || o.Table != "" || o.Row != "" || o.Cell != ""), "--until prints none of ab's lines: leave out -w, -x, -y and -z (-o x.html writes the report of the rate that was found)"},
		{o.Until != "" && o.Verbosity > 1, "--until prints no requests: leave out -v"},
		{o.Ramp != "" && o.TimeLimit == 0 && o.Requests > 0, "--ramp goes over a time: say it with -t"},
		{!open && o.Requests > 0 && int64(o.Concurrency) > o.Requests, fmt.Sprintf("-c %d is above -n %d: there are no requests for all clients", o.Concurrency, o.Requests)},
		{!open && o.Requests == 0 && o.TimeLimit == 0 && o.Concurrency > 1, fmt.Sprintf("-c %d is above the one request that is sent without -n or -t", o.Concurrency)},
		{o.Insecure && o.CA != "", "--insecure accepts any certificate: leave out --ca"},
		{o.NoSNI && o.SNI != "", "-I sends no server name: leave out --sni"},
		{o.CertFile != "" && o.Cert != "", "-E and --cert: choose one"},
		{o.Key != "" && o.Cert == "", "--key belongs to a certificate: give --cert too"},
		{o.ProxyAuth != "" && o.Proxy == "", "-P is for a proxy: give it with -X"},
		{o.ProbeEvery > 0 && o.NoProbe, "--no-probe and --probe-every: choose one"},
		{o.ProbeEvery > 0 && o.ProbeEvery < time.Millisecond, "--probe-every: 1ms at least, what is shorter cannot be timed"},
		{o.HTTP2 && o.Proxy != "", "--h2 does not go through a proxy: leave out -X"},
		{o.HTTP2 && (o.Window > 0 || o.Bind != ""), "--h2 takes neither -b nor -B"},
	} {
		if c.wrong {
			return errors.New(c.message)
		}
	}
	return nil
}

// parseURL reads a URL as ab takes it: without a scheme it is http.
func parseURL(raw string) (*url.URL, error) {
	if strings.ContainsAny(raw, " \t\r\n") {
		return nil, errors.New("the URL holds a space (write it as %20)")
	}
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		// Its text repeats the URL, which may hold a password.
		return nil, fmt.Errorf("the URL cannot be read: %w", err.(*url.Error).Err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the URL's scheme %s is not known (http or https)", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("the URL has no host (such as http://127.0.0.1:8080/)")
	}
	u.Fragment = "" // it is never sent
	return u, nil
}

func onlyLoopback(host, what string) error {
	if scenarios.IsLoopback(host) {
		return nil
	}
	return fmt.Errorf("%s %s is not loopback: load is for your own services (use --allow-remote if it is yours)", what, host)
}

// stream is what is sent, and the time limit of a stream that has a count too.
func (o Options) stream(requests []loadgen.Request) (loadgen.Stream, time.Duration, error) {
	s := loadgen.Stream{Name: "bench", Requests: requests, Timeout: units.Duration(orDefault(o.Timeout, defaultTimeout))}
	limit := o.TimeLimit
	if open, err := o.open(); err != nil {
		return s, 0, err
	} else if open != nil {
		s.Open = open
		if o.Until != "" {
			limit = orDefault(limit, trialTime)
		} else if o.Requests == 0 {
			limit = orDefault(limit, defaultTimeLimit)
		}
	} else {
		pause := units.Duration(0)
		s.Closed, s.FailurePause = &loadgen.Closed{Concurrency: max(1, o.Concurrency), Keepalive: o.KeepAlive || o.HTTP2, RampUp: units.Duration(o.RampUp)}, &pause
	}
	switch {
	case o.Requests > 0:
		s.Count = o.Requests
		s.SetDefaults()
		return s, limit, nil
	case limit > 0:
		s.Duration = units.Duration(limit)
	default:
		s.Count = 1
	}
	s.SetDefaults()
	return s, 0, nil
}

// open is the schedule of open load; nil if closed load is asked for.
func (o Options) open() (*loadgen.Open, error) {
	keep := o.KeepAlive || o.HTTP2
	open := &loadgen.Open{Senders: o.Concurrency, Keepalive: &keep}
	switch {
	case o.Rate > 0:
		open.Rate = o.Rate
	case o.Until != "":
		open.Rate = 1 // each trial has its own
	case o.Ramp != "":
		from, to, ok := strings.Cut(o.Ramp, "..")
		lo, err1 := units.ParseRate(from)
		hi, err2 := units.ParseRate(to)
		if !ok || err1 != nil || err2 != nil {
			return nil, fmt.Errorf("--ramp %q is not FROM..TO (such as 100/s..1000/s)", o.Ramp)
		}
		open.Ramp = &loadgen.Ramp{From: units.Rate(lo), To: units.Rate(hi), Over: units.Duration(orDefault(o.TimeLimit, defaultTimeLimit))}
	default:
		return nil, nil
	}
	return open, nil
}

func (o Options) connect() (loadgen.Connect, error) {
	c := loadgen.Connect{Buffers: o.Window, NoSNI: o.NoSNI}
	if o.Bind != "" {
		addr, err := netip.ParseAddr(o.Bind)
		if err != nil {
			return c, fmt.Errorf("-B %s is not an address (such as 127.0.0.2)", o.Bind)
		}
		c.Local = addr
	}
	if o.Proxy == "" {
		return c, nil
	}
	host, port, ok := strings.Cut(o.Proxy, ":")
	if i := strings.LastIndexByte(o.Proxy, ':'); strings.HasPrefix(o.Proxy, "[") && i > 0 {
		host, port, ok = strings.Trim(o.Proxy[:i], "[]"), o.Proxy[i+1:], true
	}
	if !ok || host == "" || port == "" {
		return c, fmt.Errorf("-X %q is not host:port", o.Proxy)
	}
	if !o.AllowRemote {
		if err := onlyLoopback(host, "the proxy"); err != nil {
			return c, err
		}
	}
	c.Proxy = o.Proxy
	if o.ProxyAuth != "" {
		c.ProxyAuthorization = basic(o.ProxyAuth)
	}
	return c, nil
}

// page is what the report says besides the figures.
func (o Options) page(u *url.URL, s *loadgen.Stream) ab.Page {
	p := ab.Page{
		Host: u.Hostname(), Port: u.Port(), Path: u.RequestURI(),
		Concurrency: max(1, o.Concurrency), KeepAlive: o.KeepAlive, Variable: o.Variable,
		NoPercentiles: o.NoPercentiles, NoConfidence: o.NoConfidence,
		Table: o.Table, Row: o.Row, Cell: orDefault(o.Cell, "bgcolor=white"),
	}
	if p.Port == "" {
		p.Port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if o.Targets != "" && len(s.Requests) == 1 {
		p.Path = s.Requests[0].Path
	} else if o.Targets != "" {
		p.Path = fmt.Sprintf("%d targets", len(s.Requests))
		p.Variable = true
	}
	if s.Open != nil {
		p.Concurrency, p.Open = s.Open.Senders, true
	}
	for _, r := range s.Requests {
		p.SentBody = p.SentBody || r.Body != "" || r.Method == "POST" || r.Method == "PUT"
	}
	return p
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}
