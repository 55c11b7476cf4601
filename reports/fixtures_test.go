package reports

import (
	"fmt"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

const every = 10 * time.Millisecond

// probesOf makes a recording of one probe every 10 ms from a string of good (.)
// and failed (x) ones; a blank is a probe that was not sent, and a number after
// a mark repeats it: ".100 x5 .".
func probesOf(pattern string) *loadgen.ProbeRecording {
	rec := &loadgen.ProbeRecording{Connections: "new", Every: every, Timeout: time.Second, Priority: "default"}
	at, lastSend := time.Duration(0), time.Duration(-1)
	for i := 0; i < len(pattern); i++ {
		mark, n, digits := pattern[i], int64(1), 0
		if rest := pattern[i+1:]; rest != "" {
			digits = len(rest) - len(strings.TrimLeft(rest, "0123456789"))
			if digits > 0 {
				fmt.Sscan(rest[:digits], &n)
			}
		}
		i += digits
		if mark == ' ' {
			at += time.Duration(n) * every
			continue
		}
		if lastSend >= 0 && at-lastSend > 2*every {
			rec.Gaps = append(rec.Gaps, loadgen.ProbeGap{From: lastSend, To: at})
		}
		last := at + time.Duration(n-1)*every
		run := loadgen.ProbeRun{First: at, Last: last, Finish: last + time.Millisecond, N: n, Good: mark == '.'}
		if !run.Good {
			run.Broke = at + time.Millisecond
		}
		if k := len(rec.Runs); k > 0 && rec.Runs[k-1].Good == run.Good {
			rec.Runs[k-1].Last, rec.Runs[k-1].Finish, rec.Runs[k-1].N = run.Last, run.Finish, rec.Runs[k-1].N+n
		} else {
			rec.Runs = append(rec.Runs, run)
		}
		rec.Sent += n
		if mark == 'x' {
			rec.Failed += n
			rec.Failures[loadgen.CauseRefused] += n
		}
		at, lastSend = last+every, last
	}
	return rec
}

// kill is a kill of worker 1 at a moment, done.
func kill(name string, n int, at time.Duration) chaos.Event {
	return chaos.Event{
		ID: fmt.Sprintf("%s#%d", name, n), Name: name, Kind: "kill", N: n, At: at, Start: at, End: at, State: chaos.Done,
		Victims: []chaos.Victim{{Worker: n, PID: 4710 + n}},
		Detail:  fmt.Sprintf("SIGKILL worker %d (pid %d)", n, 4710+n),
	}
}

// pause is a fault that lasts from start to end.
func pause(name string, start, end time.Duration) chaos.Event {
	return chaos.Event{
		ID: name + "#1", Name: name, Kind: "pause", N: 1, At: start, Start: start, End: end, Lasting: true, State: chaos.Done,
		Victims: []chaos.Victim{{Worker: 2, PID: 4712}},
		Detail:  "SIGSTOP worker 2 (pid 4712)",
	}
}

// cell is n failed requests that started and finished at these moments.
func cell(start, finish time.Duration, failed int32) loadgen.Cell {
	return loadgen.Cell{Start: int32(start / loadgen.CellWidth), Finish: int32(finish / loadgen.CellWidth), Failed: failed}
}

// stream is a closed stream with ok good requests and the failures of its cells.
func stream(name string, ok int64, cells ...loadgen.Cell) *loadgen.Recording {
	rec := &loadgen.Recording{
		Stream: name, Model: "closed", Engine: "http1", Concurrency: 50,
		End: 15 * time.Second, OK: ok, Cells: cells,
		Latency: latencies(ok), Service: latencies(ok),
		Statuses: map[int]int64{200: ok}, Examples: map[loadgen.Cause]string{}, Workers: map[string]int64{"4711": ok},
		Timeline: loadgen.Timeline{Width: 100 * time.Millisecond, Buckets: make([]loadgen.Bucket, 150)},
	}
	for _, c := range cells {
		rec.Failed += int64(c.Failed)
		rec.Retried += int64(c.Retried)
		rec.Failures[loadgen.CauseReset] += int64(c.Failed)
	}
	if rec.Failed > 0 {
		rec.Examples[loadgen.CauseReset] = "read tcp 127.0.0.1:4000: connection reset by peer"
	}
	rec.Sent = rec.OK + rec.Failed
	return rec
}

// latencies is a histogram of n latencies: nine of ten 50 ms, then up to 160 ms.
func latencies(n int64) *hdrhistogram.Histogram {
	h := hdrhistogram.New(1, 1_000_000, 3)
	for _, step := range []struct {
		ms    int64
		share float64
	}{{51, 0.899}, {74, 0.09}, {161, 0.01}} {
		h.RecordValues(step.ms*1000, int64(float64(n)*step.share))
	}
	if rest := n - h.TotalCount(); rest > 0 {
		h.RecordValues(410_000, rest)
	}
	return h
}

func objectives(exprs ...string) []Objective {
	var parsed []Objective
	for _, expr := range exprs {
		o, err := ParseObjective(expr)
		if err != nil {
			panic(err)
		}
		parsed = append(parsed, o)
	}
	return parsed
}

// crashRun is a cluster of four that loses a worker at 3 s and at 6 s.
func crashRun() Run {
	return Run{
		Scenario: Scenario{Name: "worker-crash", File: "worker-crash.yaml", Seed: 42, SHA256: strings.Repeat("0", 64)},
		Started:  time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Duration: 15 * time.Second,
		Environment: Environment{Hachaos: "1.0.0", Go: "go1.26", OS: "linux", Arch: "amd64", CPUs: 2, Kernel: "6.1"},
		Target:      Target{Kind: "cluster", URL: "http://127.0.0.1:8080/", Workers: 4, Dispatch: "handoff"},
		Loads: []*loadgen.Recording{stream("main", 13008,
			cell(2990*time.Millisecond, 3000*time.Millisecond, 1),
			cell(6000*time.Millisecond, 6010*time.Millisecond, 3),
		)},
		Probes: []*loadgen.ProbeRecording{probesOf(".300x.1199")},
		Faults: []chaos.Event{kill("crash", 1, 3*time.Second), kill("crash", 2, 6*time.Second)},
		Ready: []ReadyCount{
			{0, 4}, {3001 * time.Millisecond, 3}, {3048 * time.Millisecond, 4},
			{6002 * time.Millisecond, 3}, {6051 * time.Millisecond, 4},
		},
		Objectives: objectives("availability >= 99%", "downtime < 1s", "crash.recovery < 2s"),
		Budget:     &BudgetPolicy{Objective: 0.999, Window: 30 * day},
	}
}

// dependentRun is a run whose target depends on a Redis that was cut, and on a
// PostgreSQL whose primary was killed.
func dependentRun() Run {
	cut := pause("redis-cut", 3*time.Second, 5*time.Second)
	cut.Kind, cut.Victims, cut.Dependency, cut.Detail = "cut", nil, "cache", "cut cache"
	failover := kill("failover", 1, 8*time.Second)
	failover.Victims[0].Worker, failover.Dependency, failover.Detail = 0, "db", "SIGKILL db node-1, primary (pid 4711)"
	run := crashRun()
	run.Scenario.Name = "redis-cut"
	run.Faults = []chaos.Event{cut, failover}
	run.Ready = []ReadyCount{{0, 4}}
	run.Loads[0].Degraded = 1200
	run.Dependencies = []Dependency{
		{Name: "cache", Kind: "redis", Mode: "embedded", Server: "miniredis 2.40.0", Topology: "single", URL: "redis://127.0.0.1:6379"},
		{Name: "db", Kind: "postgres", Mode: "local", Server: "postgres 15.8", Replicas: 1, Replication: "sync", URL: "postgres://app:pa55word@127.0.0.1:5432/app"},
	}
	run.Proxies = []Proxy{
		{Name: "cache", Dependency: "cache", Connections: 80, BytesUpstream: 123_456, BytesDownstream: 2_345_678, Faults: []ProxyFault{
			{Fault: "redis-cut#1", Toxic: "down", Stream: "downstream", Connections: 40, Actions: 1},
		}},
		{Name: "db-1", Dependency: "db", Connections: 40, BytesUpstream: 1000, BytesDownstream: 2000, Faults: []ProxyFault{}},
	}
	for i := range 4 {
		at := float64(i) / 100
		run.Events = append(run.Events,
			Event{AtS: 3.02 + at, Source: "cache", What: fmt.Sprintf("worker %d: breaker opens after 5 failures in a row: read tcp 127.0.0.1:%d: connection reset by peer", i+1, 4001+i)},
			Event{AtS: 5.5 + at, Source: "cache", What: fmt.Sprintf("worker %d: breaker closes", i+1)})
	}
	run.Events = append(run.Events,
		Event{AtS: 8.001, Source: "db", What: "node-1 (pid 4711) ended: killed by SIGKILL"},
		Event{AtS: 9.3, Source: "db", What: "node-2 is the primary, 1.3 s after node-1 was gone"},
		Event{AtS: 15.2, Source: "db", What: "all 2310 writes that worker 1 acknowledged are there"})
	run.Objectives = objectives("availability >= 99%", "redis-cut.recovery < 2s", "failover.recovery < 5s")
	return run
}
