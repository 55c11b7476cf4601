package backend

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

const mostReplicas = 5

// Check reports what is wrong with c, after its defaults were set; path is that
// of a key in it, such as "topology".
func (c *Config) Check(report func(path, message string)) {
	if !slices.Contains([]string{"redis", "postgres", "mongodb", "http", "tcp"}, c.Kind) {
		report("kind", fmt.Sprintf("%q is not one of redis, postgres, mongodb, http and tcp", c.Kind))
		return
	}
	c.checkMode(report)
	if c.Port < 0 || c.Port > 65535 {
		report("port", "a port is a number from 1 to 65535")
	}
	if c.Mode == "external" {
		c.checkURL(report)
		c.checkNothingToStart(report)
		return
	}
	if c.URL != "" {
		report("url", "url is that of an external dependency: mode is "+c.Mode)
	}
	c.checkTopology(report)
	c.checkReplicas(report)
}

func (c *Config) checkMode(report func(path, message string)) {
	switch {
	case !slices.Contains([]string{"auto", "embedded", "local", "external"}, c.Mode):
		report("mode", fmt.Sprintf("%q is not one of auto, embedded, local and external", c.Mode))
	case c.Kind == "mongodb" && c.Mode != "external":
		report("mode", "hachaos starts no MongoDB: give the url of one (mode: external)")
	case (c.Kind == "http" || c.Kind == "tcp") && c.Mode == "local":
		report("mode", fmt.Sprintf("there is no local server of kind %s: it is embedded or external", c.Kind))
	}
}

// checkNothingToStart reports keys that say how a server is started.
func (c *Config) checkNothingToStart(report func(path, message string)) {
	for _, key := range []struct {
		path string
		set  bool
	}{
		{"topology", c.Topology != ""}, {"replicas", c.Replicas != 0}, {"sentinels", c.Sentinels != 0},
		{"replication", c.Replication != ""}, {"failover_after", c.FailoverAfter != 0},
	} {
		if key.set {
			report(key.path, key.path+" says how hachaos starts servers; an external one is used as it is")
		}
	}
}

func (c *Config) checkTopology(report func(path, message string)) {
	if c.Kind != "redis" {
		if c.Topology != "" {
			report("topology", "topology is that of Redis: a "+c.Kind+" has none")
		}
		return
	}
	switch {
	case !slices.Contains([]string{"single", "sentinel", "cluster"}, c.Topology):
		report("topology", fmt.Sprintf("%q is not one of single, sentinel and cluster", c.Topology))
	case c.Topology != "single" && c.Mode == "embedded":
		report("topology", "an embedded Redis is a single one: "+c.Topology+" needs real servers (mode: local)")
	case c.Topology != "single" && c.Port != 0:
		report("port", "port is for a single server: the nodes of a "+c.Topology+" take free ones")
	}
}

func (c *Config) checkReplicas(report func(path, message string)) {
	redis := c.Topology == "sentinel" || c.Topology == "cluster"
	switch {
	case c.Replicas < 0 || c.Replicas > mostReplicas:
		report("replicas", fmt.Sprintf("replicas is a number from 0 to %d", mostReplicas))
	case c.Replicas == 0 && redis:
		report("replicas", fmt.Sprintf("without a replica there is nothing that a %s could promote: 1 or more (left out: %d)", c.Topology, usualReplicas[c.Topology]))
	case c.Replicas > 0 && c.Kind == "redis" && !redis:
		report("replicas", "a single Redis has no replicas (topology: sentinel or cluster)")
	case c.Replicas > 0 && c.Kind != "redis" && c.Kind != "postgres":
		report("replicas", "a "+c.Kind+" has no replicas")
	case c.Replicas > 1 && c.Kind == "postgres" && c.Mode == "embedded":
		report("replicas", "an embedded PostgreSQL has one replica at most: more need real servers (mode: local)")
	}
	if c.Topology == "sentinel" && (c.Sentinels < 1 || c.Sentinels > 7) {
		report("sentinels", "sentinels is a number from 1 to 7")
	} else if c.Topology != "sentinel" && c.Sentinels != 0 {
		report("sentinels", "sentinels watch a Redis with topology: sentinel")
	}
	switch {
	case c.Replication == "":
	case c.Kind != "postgres":
		report("replication", "replication is that of PostgreSQL")
	case c.Replication != "sync" && c.Replication != "async":
		report("replication", fmt.Sprintf("%q is not one of sync and async", c.Replication))
	case c.Replicas == 0:
		report("replication", "there is nothing to replicate to: set replicas")
	}
	switch {
	case c.FailoverAfter < 0:
		report("failover_after", "failover_after is negative")
	case c.FailoverAfter == 0 && c.Replicas > 0 && c.Mode != "embedded":
		report("failover_after", "failover_after must be longer than 0s: a primary that lives would be replaced too")
	case c.FailoverAfter > 0 && c.Replicas == 0 && redis: // said of replicas
	case c.FailoverAfter > 0 && c.Replicas == 0:
		report("failover_after", "there is no replica that could take over: set replicas")
	case c.FailoverAfter > 0 && c.Mode == "embedded":
		report("failover_after", "an embedded server cannot fail over: that needs real servers (mode: local)")
	}
}

// schemes are those of each kind's URL, and the port that one without a port
// means.
var schemes = map[string]map[string]string{
	"redis":    {"redis": "6379", "rediss": "6379"},
	"postgres": {"postgres": "5432", "postgresql": "5432"},
	"mongodb":  {"mongodb": "27017"},
	"http":     {"http": "80", "https": "443"},
	"tcp":      {"tcp": ""},
}

func (c *Config) checkURL(report func(path, message string)) {
	if c.URL == "" {
		report("url", "an external dependency needs the url where it is")
		return
	}
	// Templates such as ${env:NAME} are expanded when the run begins.
	if strings.Contains(c.URL, "${") {
		return
	}
	if _, _, err := parseURL(c.Kind, c.URL); err != nil {
		report("url", err.Error())
	}
}

// parseURL returns an external URL and the one host:port in it.
func parseURL(kind, text string) (u *url.URL, address string, err error) {
	u, err = url.Parse(text)
	if err != nil {
		// It is said without the URL and without the cause, which may quote a password.
		return nil, "", errors.New("url cannot be read: something in it is misspelt, or stands in a password and needs escaping, as %40 for @")
	}
	ports := schemes[kind]
	port, known := ports[u.Scheme]
	if !known {
		return nil, "", fmt.Errorf("the url of a %s begins with %s, not with %q", kind, allowed(ports), u.Scheme+"://")
	}
	switch {
	case u.Host == "" || u.Hostname() == "":
		return nil, "", fmt.Errorf("the url names no host: %s://HOST:PORT is wanted", u.Scheme)
	case strings.Contains(u.Host, ","):
		return nil, "", fmt.Errorf("the url names several hosts: clients would be told the real addresses and go round the proxy")
	case kind == "mongodb" && u.Query().Has("replicaSet"):
		return nil, "", fmt.Errorf("with replicaSet clients are told the real addresses and go round the proxy: leave it out")
	case kind == "redis" && u.Query().Has("addr"):
		return nil, "", fmt.Errorf("with several addr clients go round the proxy: name one host")
	case kind == "postgres":
		if err := checkPostgresURL(u); err != nil {
			return nil, "", err
		}
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if port == "" {
		return nil, "", fmt.Errorf("the url names no port: tcp://HOST:PORT is wanted")
	}
	return u, net.JoinHostPort(u.Hostname(), port), nil
}

// elsewhere are the parameters by which a PostgreSQL's URL names a server after
// all, whatever host stands in it.
var elsewhere = []string{"host", "hostaddr", "port", "service", "servicefile"}

// checkPostgresURL refuses what clients read in a URL and this package cannot
// see: libpq knows no fragment, and tells parameters apart by & alone.
func checkPostgresURL(u *url.URL) error {
	query, err := url.ParseQuery(u.RawQuery)
	switch {
	case err != nil:
		return errors.New("the url's query cannot be read: something in it needs escaping, as %3B for ;")
	case u.Fragment != "":
		return errors.New("the url has a fragment: clients take what is behind # for a part of it (write %23 for one in a name)")
	}
	for _, key := range elsewhere {
		if query.Has(key) {
			return fmt.Errorf("with %s in its query clients go round the proxy: name host and port before the path", key)
		}
	}
	return nil
}

func allowed(ports map[string]string) string {
	names := make([]string, 0, len(ports))
	for name := range ports {
		names = append(names, name+"://")
	}
	slices.Sort(names)
	return strings.Join(names, " or ")
}
