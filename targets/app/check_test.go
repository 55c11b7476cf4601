package app

import (
	"slices"
	"testing"

	"github.com/hachaos/hachaos/targets/app/protect"
)

func TestCheckFindsEachMistake(t *testing.T) {
	seven := 700
	none := Config{}
	full := Config{
		Crash: &Crash{After: 1}, Pool: &protect.Pool{Max: 1}, Retry: &protect.Retry{}, Breaker: &protect.Breaker{}, Cache: &Cache{SingleFlight: true},
		Compute: "child", Ready: "deep", Sessions: "redis", Fallback: "stale", DependencyTimeout: 1,
	}
	byRate := Config{Breaker: &protect.Breaker{ErrorRate: 0.5}}
	empty := Config{Crash: &Crash{}, Pool: &protect.Pool{}, Cache: &Cache{}}
	bad := Config{
		Work: -1, Wait: -1, Start: -1, DependencyTimeout: -1,
		Compute: "gpu", Ready: "medium", Sessions: "cloud", Fallback: "luck",
		Crash:   &Crash{After: -1, Code: &seven},
		Pool:    &protect.Pool{Max: -1, Wait: -1},
		Retry:   &protect.Retry{Attempts: -1, Backoff: "cubic", Base: -1, Budget: 1.5},
		Breaker: &protect.Breaker{Failures: -1, ErrorRate: -0.5, Open: -1, HalfOpen: -1, Successes: -1},
		Cache:   &Cache{LocalTTL: -1, TTL: 1},
	}
	for _, c := range []struct {
		name   string
		config *Config
		want   []string
	}{
		{"none", &none, nil},
		{"full", &full, nil},
		{"by rate", &byRate, nil},
		{"empty", &empty, []string{"crash.after", "pool.max", "cache"}},
		{"bad", &bad, []string{
			"work", "wait", "start", "dependency_timeout", "compute", "ready", "sessions", "fallback",
			"crash.after", "crash.code", "pool.max", "pool.wait",
			"retry.attempts", "retry.backoff", "retry.base", "retry.budget",
			"breaker.failures", "breaker.error_rate", "breaker.open", "breaker.half_open", "breaker.successes",
			"cache.local_ttl", "cache.ttl",
		}},
	} {
		var got []string
		c.config.SetDefaults()
		c.config.Check(func(path, message string) {
			got = append(got, path)
			if message == "" {
				t.Errorf("%s: nothing is said of %s", c.name, path)
			}
		})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: mistakes in\n%q, want\n%q", c.name, got, c.want)
		}
	}
	if byRate.Breaker.Failures != 0 {
		t.Error("a breaker by error rate counts failures in a row too")
	}
}
