package scenarios

import (
	"runtime"
	"strings"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/targets"
	"github.com/shirou/gopsutil/v3/host"
)

func (r *run) describeScenario() reports.Scenario {
	s := r.scenario
	return reports.Scenario{Name: s.Name, Variant: s.Variant, Description: strings.TrimSpace(s.Description), File: s.File, Seed: r.seed, SHA256: s.SHA256}
}

func (r *run) describeTarget() reports.Target {
	t := reports.Target{Kind: r.scenario.Target.Kind()}
	if r.subject != nil {
		t.URL = r.subject.URL()
	}
	switch {
	case r.scenario.Target.Cluster != nil:
		t.Workers, t.Dispatch = r.scenario.Target.Cluster.Workers.Number(), r.scenario.Target.Cluster.Dispatch
	case r.scenario.Target.Single != nil:
		t.Workers = 1
	}
	return t
}

func environment(version string) reports.Environment {
	kernel, _ := host.KernelVersion() // left empty where it cannot be read
	return reports.Environment{
		Hachaos: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPUs: runtime.NumCPU(), Kernel: kernel,
	}
}

func resources(usages []targets.Usage) []reports.Resource {
	list := []reports.Resource{}
	for _, u := range usages {
		resource := reports.Resource{Process: u.Process, PID: u.PID, CPUS: u.CPU.Seconds(), RSSMaxBytes: u.RSSMax}
		if u.Served >= 0 {
			resource.Served, resource.Restarts, resource.Unfinished, resource.Retries = &u.Served, &u.Restarts, &u.Unfinished, retries(u)
		}
		list = append(list, resource)
	}
	return list
}

func retries(u targets.Usage) *reports.Retries {
	r := &reports.Retries{Failed: u.Failed, Succeeded: u.Succeeded, Pauses: []reports.Pause{}, Resent: u.Resent}
	for _, p := range u.Pauses {
		r.Pauses = append(r.Pauses, reports.Pause{Tries: p.Tries, WaitedS: p.Waited.Seconds()})
	}
	return r
}

// DescribeEnvironment says where a run of hachaos version is played: here.
func DescribeEnvironment(version string) reports.Environment { return environment(version) }
