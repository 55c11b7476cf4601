package reports

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

const (
	// never is the moment of what did not happen.
	never = time.Duration(math.MaxInt64)
	// noticed is within what time of its end a killed process is missed, at
	// most: a fault that strikes sooner after a kill does not end the search
	// for the workers that the kill took.
	noticed = 100 * time.Millisecond
)

// window is an injected fault and the time in which it is held to act.
type window struct {
	event *chaos.Event
	index int           // in Run.Faults
	end   time.Duration // the next fault's start; never for the last one
	over  time.Duration // when its recovery was over; never if it was not, or is unknown
	acts  time.Duration // until when it can have broken something: over, or the end of its injection
	cured bool          // who watches over its victims has ended them: that is the recovery
}

// faultWindows returns the faults that were injected, in order of their start.
func faultWindows(run *Run) []window {
	var ws []window
	for i := range run.Faults {
		if run.Faults[i].State == chaos.Done {
			ws = append(ws, window{event: &run.Faults[i], index: i, end: never, over: never})
		}
	}
	slices.SortStableFunc(ws, func(a, b window) int { return cmp.Compare(a.event.Start, b.event.Start) })
	probes := uptimeProbes(run.Probes)
	for i := range ws {
		ws[i].cured = ws[i].event.Ended && !slices.ContainsFunc(ws, ws[i].killedBy)
		if i+1 < len(ws) {
			ws[i].end = ws[i+1].event.Start
		}
		ws[i].over = recoveredAt(ws, i, probes, run.Ready)
		// A reload that no probe sees goes on all the same, and so does a command.
		ws[i].acts = max(ws[i].over, ws[i].event.Start+ws[i].event.Took)
	}
	return ws
}

// killedBy tells whether another fault ended a process that this one had struck,
// while it lasted.
func (w window) killedBy(other window) bool {
	if other.index == w.index || !ends(other.event) || other.event.Start < w.event.Start || other.event.Start > w.event.End {
		return false
	}
	return slices.ContainsFunc(other.event.Victims, func(v chaos.Victim) bool {
		return slices.ContainsFunc(w.event.Victims, func(own chaos.Victim) bool { return own.PID == v.PID })
	})
}

func ends(e *chaos.Event) bool { return e.Kind == "kill" || e.Kind == "exit" }

// since is the moment that recovery counts from: the start, or the revert of a
// fault that lasts; never if that one was not reverted.
func (w window) since() time.Duration {
	if !w.event.Lasting || w.cured {
		return w.event.Start
	}
	if w.event.End < w.event.Start {
		return never
	}
	return w.event.End
}

// recovery returns recovery_s: nil if the service had not recovered when the
// run ended, or nobody watched it.
func (w window) recovery() *float64 {
	if w.over == never {
		return nil
	}
	return known(seconds(w.over - w.since()))
}

// endsProcesses tells whether processes ended by the fault, or because of it: one
// that hangs is killed by who watches over it.
func (w window) endsProcesses() bool {
	return ends(w.event) || w.event.Ended
}

// recoveredAt returns the later of two moments, and never before recovery counts
// from: the first good probe after the last failed one of its window, and, for
// faults that end processes, the number of ready workers back. Of one whose
// victims hung first these end when it does, and workers are missed then.
//
// Failed probes are in the window if they were sent and had begun to fail before
// the window's end, and finished after the fault's start: the one that was under
// way when a worker died is that fault's, and not the one before's.
func recoveredAt(ws []window, i int, probes *loadgen.ProbeRecording, ready []ReadyCount) time.Duration {
	w := ws[i]
	if probes == nil || len(probes.Runs) == 0 || probes.Runs[len(probes.Runs)-1].Last < w.since() {
		return never // nobody looked afterwards
	}
	over := max(w.since(), goodAgain(probes, w.event.Start, w.end))
	ended := w.event.Start
	if w.event.Ended {
		ended = w.event.End
		over = max(over, ended)
	}
	if w.endsProcesses() && w.event.Dependency == "" {
		until := w.end
		for _, next := range ws[i+1:] {
			until = next.event.Start
			if until >= ended+noticed {
				break
			}
			until = never
		}
		over = max(over, workersBack(ready, w.event.Start, max(w.event.Start, ended-noticed), until))
	}
	return over
}

// goodAgain returns the send of the first good probe after the last failed one
// of the window; 0 if none failed in it, never if no good one followed.
func goodAgain(probes *loadgen.ProbeRecording, start, end time.Duration) time.Duration {
	// Runs are in order of sending: the last one sent before the end comes first.
	n := sort.Search(len(probes.Runs), func(i int) bool { return probes.Runs[i].First >= end })
	for i := n - 1; i >= 0; i-- {
		run := probes.Runs[i]
		if run.Good || run.N <= 0 || run.Broke >= end || run.Finish <= start && run.Last < start {
			continue
		}
		if good := nextGood(probes.Runs, i+1); good >= 0 {
			return probes.Runs[good].First
		}
		return never
	}
	return 0
}

// workersBack returns the first moment at which the number of ready workers
// reached again what it was just before start, after it had been below that
// between from, which is not before start, and until; 0 if it was not or is unknown,
// never if it stayed below.
func workersBack(ready []ReadyCount, start, from, until time.Duration) time.Duration {
	since := func(t time.Duration) int {
		return sort.Search(len(ready), func(i int) bool { return ready[i].At >= t })
	}
	first := since(start)
	if first == 0 {
		return 0
	}
	before, next := ready[first-1].Ready, since(from)
	fallen := ready[next-1].Ready < before
	for _, r := range ready[next:] {
		if !fallen && r.At >= until {
			return 0
		}
		fallen = fallen || r.Ready < before
		if fallen && r.Ready >= before {
			return r.At
		}
	}
	if fallen {
		return never
	}
	return 0
}

// explains tells whether the fault has a hand in an outage: it started before
// the outage's last probe had failed, and it still acted when the outage began.
func (w window) explains(o outage) bool {
	return w.event.Start <= o.finish && w.acts > o.start
}

// foldFaults lists every fault of the run with what it cost.
func foldFaults(run *Run, ws []window, charged []charge) []Fault {
	faults := make([]Fault, len(run.Faults))
	for i, e := range run.Faults {
		faults[i] = newFault(e)
	}
	var down []float64
	if rec := uptimeProbes(run.Probes); rec != nil {
		_, down = chargeProbes(rec, ws)
	}
	for i, w := range ws {
		f := &faults[w.index]
		if down != nil {
			f.DownS = known(clear9(down[i]))
		}
		f.FailedRequests, f.RetriedRequests = charged[i].failed, charged[i].retried
		f.RecoveryS = w.recovery()
	}
	foldPhases(run, ws, faults)
	return faults
}

// newFault describes an injection before anything is known of what it cost.
func newFault(e chaos.Event) Fault {
	f := Fault{
		ID: e.ID, Name: e.Name, Kind: e.Kind, N: e.N, Dependency: e.Dependency,
		AtS: seconds(e.At), StartS: seconds(e.Start), TookS: seconds(e.Took), EndS: seconds(e.End), Lasting: e.Lasting, VictimsEnded: e.Ended,
		State: string(e.State), Detail: e.Detail, Error: e.Error,
		Victims: []Victim{},
	}
	for _, v := range e.Victims {
		f.Victims = append(f.Victims, Victim(v))
	}
	return f
}
