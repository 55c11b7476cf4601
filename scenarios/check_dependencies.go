package scenarios

import (
	"fmt"
	"strings"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/targets/backend"
)

// checkDependencies looks at the names of dependencies: they become templates,
// proxies and environment variables.
func (s *Scenario) checkDependencies(k *checker) {
	taken := map[string]string{}
	for _, name := range s.dependencyNames() {
		path := dependencyPath + name
		if !checkName(k, path, name) {
			continue
		}
		switch variable := variableOf(name); {
		case name == frontName:
			k.report(path, "front is the name of the proxy before the target: a dependency needs another one")
		case taken[variable] != "":
			k.report(path, fmt.Sprintf("the target could not tell %s from %s: both are told it as %s", name, taken[variable], variable))
		default:
			taken[variable] = name
		}
	}
	for kind, variable := range map[string]string{"redis": "REDIS_URL", "postgres": "DATABASE_URL", "mongodb": "MONGODB_URL"} {
		other := taken[variable]
		if other == "" || s.Dependencies[other].Kind == kind {
			continue
		}
		for _, name := range s.dependencyNames() {
			if s.Dependencies[name].Kind == kind {
				k.report(dependencyPath+other, fmt.Sprintf("%s is what programs expect %s to be in: a %s needs another name", variable, name, s.Dependencies[other].Kind))
				break
			}
		}
	}
}

func variableOf(dependency string) string {
	return strings.ToUpper(strings.ReplaceAll(dependency, "-", "_")) + "_URL"
}

// spot is where a fault strikes, if that is not the target's own processes.
type spot struct {
	kind, dependency string
	front, network   bool
	process          string
}

func spotOf(f *chaos.Fault) spot {
	network := func(kind string, s chaos.Spot) spot {
		return spot{kind: kind, dependency: s.Dependency, front: s.Front, network: true, process: s.Process}
	}
	servers := func(kind string, s chaos.Selector) spot {
		return spot{kind: kind, dependency: s.Dependency, process: s.Process}
	}
	switch {
	case f.Cut != nil:
		return network("cut", f.Cut.Spot)
	case f.Latency != nil:
		return network("latency", f.Latency.Spot)
	case f.Toxic != nil:
		return network("toxic", f.Toxic.Spot)
	case f.Kill != nil:
		return servers("kill", f.Kill.Selector)
	case f.Pause != nil:
		return servers("pause", f.Pause.Selector)
	case f.Exit != nil:
		return servers("exit", f.Exit.Selector)
	case f.Stop != nil:
		return servers("stop", f.Stop.Selector)
	case f.Promote != nil:
		return spot{kind: "promote", dependency: f.Promote.Dependency}
	case f.Lag != nil:
		return spot{kind: "lag", dependency: f.Lag.Dependency}
	case f.Fill != nil:
		return spot{kind: "fill", dependency: f.Fill.Dependency}
	}
	return spot{}
}

// checkPlace compares where a fault strikes with what the scenario has.
func (s *Scenario) checkPlace(k *checker, path string, f *chaos.Fault) {
	at := spotOf(f)
	path += "." + at.kind
	if at.front && !s.Front {
		k.report(path+".front", "there is no proxy before the target (write front: true beside target)")
	}
	if at.dependency == "" {
		return
	}
	config, declared := s.Dependencies[at.dependency]
	if !declared {
		k.report(path+".dependency", chaos.NoSuch("dependency", at.dependency, s.dependencyNames()))
		return
	}
	if message := unsuited(at, config); message != "" {
		k.report(path+".dependency", at.dependency+" "+message)
		return
	}
	if message := roleless(at.process, config); message != "" {
		k.report(path+".process", at.dependency+" "+message)
	}
	if t := f.Toxic; t != nil {
		if protocol := map[string]string{"redis": "redis", "postgres": "postgres", "http": "http"}[t.Type]; protocol != "" && config.Kind != protocol && config.Kind != "tcp" {
			k.report(path+".type", fmt.Sprintf("%s speaks no %s: its kind is %s", at.dependency, protocol, config.Kind))
		}
	}
}

// unsuited says why a fault cannot be injected into a dependency; "" if it can,
// as far as that is known before it has started.
func unsuited(at spot, c backend.Config) string {
	replicated := c.Replicas > 0 && (c.Kind == "redis" || c.Kind == "postgres")
	switch {
	case at.kind == "exit":
		return "is a server: exit is the reference application's own crash (use kill)"
	case !at.network && c.Mode == "external":
		return "is external: only its network can be broken (cut, latency, toxic)"
	case at.kind == "fill" && c.Kind != "redis" && c.Kind != "postgres":
		return "is of kind " + c.Kind + ": only a redis and a postgres can be filled"
	case at.kind == "lag" && c.Kind != "postgres":
		return "is of kind " + c.Kind + ": only the replicas of a postgres can be held back"
	case (at.kind == "lag" || at.kind == "promote") && !replicated:
		return "has no replica (set replicas)"
	}
	return ""
}

// roleless says why a dependency has no server of a role; "" if it has.
func roleless(role string, c backend.Config) string {
	switch {
	case c.Mode == "external" && role != "" && role != "main":
		return "is external: hachaos does not know the roles of its servers"
	case role == "sentinel" && c.Topology != "sentinel":
		return "has no sentinels (topology: sentinel)"
	case role == "replica" && c.Replicas == 0:
		return "has no replica (set replicas)"
	}
	return ""
}
