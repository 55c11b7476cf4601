package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// Health lets the proxy ask each worker whether it is well. One that failed
// Fails checks in a row gets no requests until it passed Passes in a row. When all
// fail, NoneLeft says whether they are tried all the same, or requests refused
// (503), as balancers do that take a check for the truth.
type Health struct {
	Path     string         `yaml:"path" json:"path,omitempty" jsonschema:"description=What is asked for; a status from 200 to 399 passes,default=/health"`
	Interval units.Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Time between two checks,default=1s"`
	Timeout  units.Duration `yaml:"timeout" json:"timeout,omitempty" jsonschema:"description=Time for an answer,default=500ms"`
	Fails    int            `yaml:"fails" json:"fails,omitempty" jsonschema:"description=Failed checks in a row after which a worker gets no requests,minimum=1,default=3"`
	Passes   int            `yaml:"passes" json:"passes,omitempty" jsonschema:"description=Passed checks in a row after which it gets them again,minimum=1,default=2"`
	NoneLeft string         `yaml:"none_left" json:"none_left,omitempty" jsonschema:"description=When all workers fail their checks requests try one all the same or are refused (503),enum=try,enum=refuse,default=try"`
}

// Sticky sends the requests of one client to the same worker for as long as
// that can be chosen: by a signed cookie, or by the client's address.
type Sticky struct {
	By   string         `yaml:"by" json:"by" jsonschema:"required,description=How a client is known again,enum=cookie,enum=ip"`
	Name string         `yaml:"name" json:"name,omitempty" jsonschema:"description=Name of the cookie,default=srv_id"`
	TTL  units.Duration `yaml:"ttl" json:"ttl,omitempty" jsonschema:"description=How long a cookie is good,default=1h"`
	Path string         `yaml:"path" json:"path,omitempty" jsonschema:"description=Path of the cookie,default=/"`
	Key  string         `yaml:"key" json:"key,omitempty" jsonschema:"description=Secret that signs cookies so that they outlive this cluster; a random one by default"`
}

// TLS lets the proxy speak TLS to clients, with a certificate from files or with
// one that it signs itself.
type TLS struct {
	Cert       string `yaml:"cert" json:"cert,omitempty" jsonschema:"description=File with the certificate and those that lead to its root (PEM)"`
	Key        string `yaml:"key" json:"key,omitempty" jsonschema:"description=File with the certificate's private key (PEM)"`
	SelfSigned bool   `yaml:"self_signed" json:"self_signed,omitempty" jsonschema:"description=A certificate for localhost that nobody trusts: for tests"`
	MinVersion string `yaml:"min_version" json:"min_version,omitempty" jsonschema:"description=Oldest version of TLS that clients may speak,enum=1.2,enum=1.3,default=1.2"`
}

func (c *Config) setEdgeDefaults() {
	if h := c.Health; h != nil {
		setDefault(&h.Path, "/health")
		setDefault(&h.Interval, units.Duration(time.Second))
		setDefault(&h.Timeout, units.Duration(500*time.Millisecond))
		setDefault(&h.Fails, 3)
		setDefault(&h.Passes, 2)
		setDefault(&h.NoneLeft, "try")
	}
	if s := c.Sticky; s != nil {
		setDefault(&s.Name, "srv_id")
		setDefault(&s.TTL, units.Duration(time.Hour))
		setDefault(&s.Path, "/")
	}
	if t := c.TLS; t != nil {
		setDefault(&t.MinVersion, "1.2")
	}
}

// checkEdge reports what is wrong with what only a proxy can do. Where another
// dispatch would silently leave it out, that is a mistake too; of what has a
// default, if it is another one.
func (c *Config) checkEdge(report func(path, message string)) {
	var usual Config
	usual.setProxyDefaults()
	for _, k := range []struct {
		key   string
		given bool
		why   string
	}{
		{"sticky", c.Sticky != nil, "sees a request before it chooses a worker"},
		{"health", c.Health != nil, "asks workers for their health"},
		{"tls", c.TLS != nil, "speaks for all workers"},
		{"balance", c.Balance != usual.Balance, "chooses among workers"},
		{"retry", c.Retry.Attempts != usual.Retry.Attempts || !slices.Equal(c.Retry.On, usual.Retry.On), "can send a request to another worker"},
		{"passive", c.Passive != usual.Passive, "sees requests fail"},
		{"timeouts", c.Timeouts != usual.Timeouts, "bounds each phase of a request"},
		{"weights", c.Weights != nil, "chooses among workers"},
		{"backup", c.Backup != nil, "chooses among workers"},
		{"slow_start", c.SlowStart != 0, "chooses among workers"},
		{"limits.body", c.Limits.Body != usual.Limits.Body, "passes bodies on"},
		{"limits.rate", c.Limits.Rate != 0, "counts requests before they reach workers"},
		{"limits.connections", c.Limits.Connections != 0, "knows of all connections"},
	} {
		if k.given && c.Dispatch != "proxy" {
			report(k.key, fmt.Sprintf("%s needs dispatch proxy, which alone %s; the dispatch is %s", k.key, k.why, c.Dispatch))
		}
	}
	if c.Dispatch == "proxy" {
		c.checkBalance(usual.Balance, report)
	}
	if c.Health != nil {
		c.Health.check(report)
	}
	if c.Sticky != nil {
		c.Sticky.check(report)
	}
	if c.TLS != nil {
		c.TLS.check(report)
	}
	if c.Limits.Rate < 0 {
		report("limits.rate", "rate is negative (0 means no limit)")
	}
	if c.Limits.Connections < 0 {
		report("limits.connections", "connections is a number from 0, which means no limit")
	}
}

// checkBalance reports what the way in which workers are chosen leaves out.
func (c *Config) checkBalance(usual string, report func(path, message string)) {
	if c.Sticky != nil && c.Sticky.By == "ip" {
		if c.Balance != usual && c.Balance != "ip-hash" {
			report("balance", fmt.Sprintf("sticky by ip chooses by ip-hash, never by %s: leave one of them out", c.Balance))
		}
		return
	}
	if c.Balance != "round-robin" {
		return
	}
	for _, k := range []struct {
		key   string
		given bool
	}{{"weights", c.Weights != nil}, {"slow_start", c.SlowStart != 0}} {
		if k.given {
			report(k.key, k.key+" has no effect with balance round-robin, which takes workers in turn: use weighted-round-robin, or another one")
		}
	}
}

func (h *Health) check(report func(path, message string)) {
	if !strings.HasPrefix(h.Path, "/") {
		report("health.path", fmt.Sprintf("%q is no path: it begins with /", h.Path))
	}
	if h.Interval <= 0 {
		report("health.interval", "interval must be longer than 0s")
	}
	if h.Timeout <= 0 {
		report("health.timeout", "timeout must be longer than 0s")
	}
	if h.Fails < 1 {
		report("health.fails", "fails is a number from 1")
	}
	if h.Passes < 1 {
		report("health.passes", "passes is a number from 1")
	}
	if h.NoneLeft != "try" && h.NoneLeft != "refuse" {
		report("health.none_left", fmt.Sprintf("%q is not one of try and refuse", h.NoneLeft))
	}
}

func (s *Sticky) check(report func(path, message string)) {
	if s.By != "cookie" && s.By != "ip" {
		report("sticky.by", fmt.Sprintf("%q is not one of cookie and ip", s.By))
	}
	if !isToken(s.Name) {
		report("sticky.name", fmt.Sprintf("%q cannot be the name of a cookie", s.Name))
	}
	if s.TTL.Std() < time.Second {
		report("sticky.ttl", "ttl must be at least 1s")
	}
	if !strings.HasPrefix(s.Path, "/") || strings.ContainsFunc(s.Path, func(c rune) bool { return c < ' ' || c > '~' || c == ';' }) {
		report("sticky.path", fmt.Sprintf("%q cannot be the path of a cookie", s.Path))
	}
}

// isToken tells whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

func (t *TLS) check(report func(path, message string)) {
	switch files := t.Cert != "" || t.Key != ""; {
	case files && t.SelfSigned:
		report("tls.self_signed", "the certificate is from files or self_signed, not both")
	case files && (t.Cert == "" || t.Key == ""):
		report("tls", "a certificate needs both files: cert and key")
	case !files && !t.SelfSigned:
		report("tls", "tls needs a certificate: cert and key, or self_signed: true for tests")
	}
	if t.MinVersion != "1.2" && t.MinVersion != "1.3" {
		report("tls.min_version", fmt.Sprintf("%q is not one of 1.2 and 1.3", t.MinVersion))
	}
}
