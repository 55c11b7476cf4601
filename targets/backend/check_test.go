package backend_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/backend"
)

func TestCheck(t *testing.T) {
	second := units.Duration(time.Second)
	for _, c := range []struct {
		config backend.Config
		want   []string // paths, or paths with what the message contains
	}{
		{backend.Config{Kind: "redis"}, nil},
		{backend.Config{Kind: "redis", Topology: "sentinel", Replicas: 1, Sentinels: 2, FailoverAfter: 2 * second}, nil},
		{backend.Config{Kind: "redis", Topology: "cluster"}, nil},
		{backend.Config{Kind: "postgres", Replicas: 2, Replication: "sync", Port: 5432}, nil},
		{backend.Config{Kind: "postgres", Mode: "embedded", Replicas: 1}, nil},
		{backend.Config{Kind: "http"}, nil},
		{backend.Config{Kind: "tcp", Mode: "embedded", Port: 7}, nil},
		{backend.Config{Kind: "mongodb", URL: "mongodb://127.0.0.1"}, nil},
		{backend.Config{Kind: "http", URL: "https://api.example/v1"}, nil},
		{backend.Config{Kind: "redis", URL: "${env:REDIS}"}, nil},
		{backend.Config{Kind: "postgres", URL: "postgres://app:secret@127.0.0.1/app?sslmode=disable&target_session_attrs=any"}, nil},

		{backend.Config{}, []string{"kind: \"\" is not one of"}},
		{backend.Config{Kind: "mysql"}, []string{"kind: \"mysql\" is not one of"}},
		{backend.Config{Kind: "redis", Mode: "remote"}, []string{"mode: \"remote\" is not one of"}},
		{backend.Config{Kind: "mongodb"}, []string{"url: an external dependency needs the url"}},
		{backend.Config{Kind: "mongodb", Mode: "local"}, []string{"mode: hachaos starts no MongoDB"}},
		{backend.Config{Kind: "http", Mode: "local"}, []string{"mode: there is no local server of kind http"}},
		{backend.Config{Kind: "redis", Port: 70000}, []string{"port"}},
		{backend.Config{Kind: "redis", Mode: "local", URL: "redis://h"}, []string{"url: url is that of an external dependency: mode is local"}},
		{backend.Config{Kind: "redis", URL: "http://h"}, []string{`url: the url of a redis begins with redis:// or rediss://, not with "http://"`}},
		{backend.Config{Kind: "mongodb", URL: "mongodb+srv://h"}, []string{"url: the url of a mongodb begins with mongodb://"}},
		{backend.Config{Kind: "redis", URL: "redis://"}, []string{"url: the url names no host"}},
		{backend.Config{Kind: "tcp", URL: "tcp://h"}, []string{"url: the url names no port"}},
		{backend.Config{Kind: "postgres", URL: "postgres://u:secret@h:port/"}, []string{"url: url cannot be read"}},
		{backend.Config{Kind: "mongodb", URL: "mongodb://a,b/"}, []string{"url: the url names several hosts"}},
		{backend.Config{Kind: "mongodb", URL: "mongodb://a/?replicaSet=r"}, []string{"url: with replicaSet"}},
		{backend.Config{Kind: "redis", URL: "redis://a?addr=b:1"}, []string{"url: with several addr"}},
		{backend.Config{Kind: "postgres", URL: "postgres://app@127.0.0.1/app?host=db.example"}, []string{"url: with host in its query clients go round the proxy"}},
		{backend.Config{Kind: "postgres", URL: "postgresql://127.0.0.1/app?sslmode=disable&hostaddr=192.0.2.1"}, []string{"url: with hostaddr"}},
		{backend.Config{Kind: "postgres", URL: "postgres://127.0.0.1/app?port=5433"}, []string{"url: with port"}},
		{backend.Config{Kind: "postgres", URL: "postgres://127.0.0.1/app?service=production"}, []string{"url: with service in"}},
		{backend.Config{Kind: "postgres", URL: "postgres://127.0.0.1/app?servicefile=f"}, []string{"url: with servicefile"}},
		{backend.Config{Kind: "postgres", URL: "postgres://127.0.0.1/app?h%6Fst=db.example"}, []string{"url: with host in"}},
		{backend.Config{Kind: "postgres", URL: "postgres://127.0.0.1/app?host=db.example;x"}, []string{"url: the url's query cannot be read"}},
		{backend.Config{Kind: "postgres", URL: "postgres://127.0.0.1/app#?host=db.example"}, []string{"url: the url has a fragment"}},
		{
			backend.Config{Kind: "redis", URL: "redis://h", Topology: "cluster", Replicas: 1, Sentinels: 1, Replication: "sync", FailoverAfter: second},
			[]string{"topology", "replicas", "sentinels", "replication", "failover_after: failover_after says how hachaos starts servers"},
		},
		{backend.Config{Kind: "redis", Topology: "ring"}, []string{"topology: \"ring\" is not one of"}},
		{backend.Config{Kind: "postgres", Topology: "single"}, []string{"topology: topology is that of Redis"}},
		{backend.Config{Kind: "redis", Mode: "embedded", Topology: "sentinel"}, []string{"topology: an embedded Redis is a single one"}},
		{backend.Config{Kind: "redis", Topology: "cluster", Port: 1}, []string{"port: port is for a single server"}},
		{backend.Config{Kind: "redis", Replicas: 1}, []string{"replicas: a single Redis has no replicas"}},
		{backend.Config{Kind: "http", Replicas: 1}, []string{"replicas: a http has no replicas"}},
		{backend.Config{Kind: "postgres", Replicas: 6}, []string{"replicas: replicas is a number from 0 to 5"}},
		{backend.Config{Kind: "postgres", Mode: "embedded", Replicas: 2}, []string{"replicas: an embedded PostgreSQL"}},
		{backend.Config{Kind: "redis", Sentinels: 3}, []string{"sentinels: sentinels watch"}},
		{backend.Config{Kind: "redis", Topology: "sentinel", Sentinels: 8}, []string{"sentinels: sentinels is a number"}},
		{backend.Config{Kind: "redis", Topology: "sentinel", Replication: "sync"}, []string{"replication: replication is that of PostgreSQL"}},
		{backend.Config{Kind: "postgres", Replicas: 1, Replication: "maybe"}, []string{"replication: \"maybe\" is not one of"}},
		{backend.Config{Kind: "postgres", Replication: "sync"}, []string{"replication: there is nothing to replicate to"}},
		{backend.Config{Kind: "postgres", FailoverAfter: second}, []string{"failover_after: there is no replica"}},
		{backend.Config{Kind: "postgres", Replicas: 1, FailoverAfter: -1}, []string{"failover_after: failover_after is negative"}},
		{backend.Config{Kind: "postgres", Mode: "embedded", Replicas: 1, FailoverAfter: second}, []string{"failover_after: an embedded server cannot fail over"}},
	} {
		c.config.SetDefaults()
		var got []string
		c.config.Check(func(path, message string) {
			if strings.Contains(message, "secret") {
				t.Errorf("a password is told: %s", message)
			}
			got = append(got, path+": "+message)
		})
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%+v:\nreported %q\nwant     %q", c.config, got, c.want)
		}
	}
}

// TestCheckNoReplica writes replicas: 0, which the defaults would fill in if it was
// left out: what is refused is that key, and none that nobody wrote.
func TestCheckNoReplica(t *testing.T) {
	for _, topology := range []string{"sentinel", "cluster"} {
		c := backend.Config{Kind: "redis", Topology: topology}
		c.SetDefaults()
		c.Replicas = 0
		var got []string
		c.Check(func(path, message string) { got = append(got, path+": "+message) })
		if len(got) != 1 || !strings.HasPrefix(got[0], "replicas: without a replica there is nothing that a "+topology+" could promote: 1 or more") {
			t.Errorf("%s: reported %q", topology, got)
		}
	}
}

func TestEnv(t *testing.T) {
	s := newStage(t)
	cache := s.play("session-cache", backend.Config{Kind: "redis", Mode: "embedded"})
	pay := s.play("pay", backend.Config{Kind: "http"})
	want := []string{"PAY_URL=" + pay.URL(), "REDIS_URL=" + cache.URL(), "SESSION_CACHE_URL=" + cache.URL()}
	if got := backend.Env([]*backend.Backend{pay, cache}); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	other := s.play("other", backend.Config{Kind: "redis", Mode: "embedded"})
	want = []string{"OTHER_URL=" + other.URL(), "SESSION_CACHE_URL=" + cache.URL()}
	if got := backend.Env([]*backend.Backend{cache, other}); !slices.Equal(got, want) {
		t.Errorf("two of a kind: got %q, want %q", got, want)
	}
}
