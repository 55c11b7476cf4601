package backend

import (
	"slices"
	"strings"
)

// classic are the variables that programs look for when there is one of a kind.
var classic = map[string]string{"redis": "REDIS_URL", "postgres": "DATABASE_URL", "mongodb": "MONGODB_URL"}

// Env returns what a target is told of its dependencies, "NAME=value", sorted:
// <NAME>_URL of each, with "-" as "_", <NAME>_REPLICA_URL of one that has a
// replica to read from, and the classic REDIS_URL, DATABASE_URL,
// DATABASE_REPLICA_URL and MONGODB_URL where there is one of the kind.
func Env(backends []*Backend) []string {
	kinds := map[string]int{}
	for _, b := range backends {
		kinds[b.config.Kind]++
	}
	var env []string
	for _, b := range backends {
		names := []string{strings.ToUpper(strings.ReplaceAll(b.name, "-", "_")) + "_URL"}
		if name := classic[b.config.Kind]; name != "" && kinds[b.config.Kind] == 1 && name != names[0] {
			names = append(names, name)
		}
		for _, name := range names {
			env = append(env, name+"="+b.URL())
			if replica := b.ReplicaURL(); replica != "" {
				env = append(env, strings.TrimSuffix(name, "_URL")+"_REPLICA_URL="+replica)
			}
		}
	}
	slices.Sort(env)
	return env
}
