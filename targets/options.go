package targets

import "github.com/hachaos/hachaos/targets/proc"

// Options say where a target of a run lives and who wants to know of it.
type Options struct {
	Self    []string      // how hachaos itself is started: its path
	Env     []string      // "NAME=value" for every process: the run's id above all
	Folder  string        // the run's folder, for logs
	Sockets string        // folder for sockets and pipes, which no disk should hold up; its path is short
	Seed    uint64        // for what the target itself does at random
	OnStart func(proc.ID) // called for each process that this one starts
	Observe func(Change)  // called for each change, one call at a time
}
