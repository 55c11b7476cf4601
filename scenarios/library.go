package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed library/*.yaml
var library embed.FS

const libraryFolder = "library/"

func libraryFile(name string) string { return libraryFolder + name + ".yaml" }

// Entry is a built-in scenario.
type Entry struct {
	Name        string
	Summary     string // the description's first sentence
	Description string
}

// libraryOrder lists the built-in scenarios in the order in which they are best
// read: the baseline, then what breaks more and more.
var libraryOrder = []string{
	"steady", "worker-crash", "random-exit", "single-crash", "single-restart", "cluster-no-restart",
	"kill-modes", "rolling-reload", "reload-modes", "memory-restart", "crash-loop",
	"freeze", "hung-worker", "hung-worker-liveness", "master-kill-passive", "master-kill-active", "broadcast",
	"proxy-retry", "single-vs-cluster", "balancing", "flaky-network", "slow-worker", "weights", "backup", "sticky",
	"overload", "overload-limited", "drain-no-delay", "drain-delay", "redis-cut", "redis-slow", "redis-errors",
	"breaker-off", "breaker-on", "retry-window", "payments-down", "sessions-in-memory", "sessions-in-redis",
	"compute-inline", "compute-child", "readiness-cascade", "cache-stampede", "db-cut", "db-slow",
	"db-failover-sync", "db-failover-async", "db-exhausted", "replica-lag", "replica-kill", "redis-failover",
	"redis-cluster-failover", "sentinel-quorum",
}

// Library lists the built-in scenarios.
func Library() []Entry {
	entries := make([]Entry, 0, len(libraryOrder))
	for _, name := range libraryOrder {
		data, err := Source(name)
		if err != nil {
			continue // cannot be: it is embedded, and a test loads each
		}
		text := description(libraryFile(name), data)
		entries = append(entries, Entry{Name: name, Summary: firstSentence(text), Description: text})
	}
	return entries
}

// description returns a scenario's description on one line.
func description(file string, data []byte) string {
	root := parseYAML(newSource(file, string(data)), data, &collector{})
	if root == nil || root.get("description") == nil {
		return ""
	}
	return strings.Join(strings.Fields(root.get("description").value.text), " ")
}

func firstSentence(s string) string {
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}

// Source returns the file of a built-in scenario; an error if there is none of
// that name.
func Source(name string) ([]byte, error) {
	data, err := builtIn(name)
	if err == nil {
		return data, nil
	}
	hint := "hachaos scenarios lists them"
	if other := resembling(name); other != "" {
		hint = "did you mean " + other + "?"
	}
	return nil, fmt.Errorf("no built-in scenario is named %q (%s)", name, hint)
}

func builtIn(name string) ([]byte, error) {
	if name != path.Base(name) {
		return nil, fs.ErrNotExist
	}
	return library.ReadFile(libraryFile(name))
}
