package reports

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

const (
	// blockLength is the least length of a block of time outside faults.
	blockLength = time.Second
	// apart is how far a block's end lies at least from failures on both sides
	// of it, so that it cuts no burst of them in two.
	apart = 100 * time.Millisecond
)

// foldIntervals puts the 95 % intervals of availability and uptime into a, or
// the reason why there are none. They answer: this scenario, played again. What
// faults do is compared between the repetitions of a fault, what happens outside
// of them between blocks of time; a single request is never a unit.
func foldIntervals(run *Run, ws []window, a *Availability) {
	if a.CI95Reason = noInterval(run, ws); a.CI95Reason != "" {
		return
	}
	if a.Availability != nil {
		a.AvailabilityCI95 = goodShare(requestLosses(run, ws))
	}
	if rec := uptimeProbes(run.Probes); rec != nil && a.Uptime != nil {
		a.UptimeCI95 = goodShare(probeLosses(run, rec, ws))
	}
}

// noInterval says why a run carries no interval; "" if it does.
func noInterval(run *Run, ws []window) string {
	if reason := unreliable(run); reason != "" {
		return reason
	}
	for _, f := range byFault(ws) {
		if n := len(f); n < minRepetitions {
			return f[0].event.Name + " struck " + times(n) + ": an interval needs 5 repetitions of each fault, or --repeat 5"
		}
	}
	if len(ws) == 0 && run.Duration < minRepetitions*blockLength {
		return "the run was too short: an interval needs 5 blocks of a second"
	}
	return ""
}

// unreliable says why a run's figures are not those of its scenario, however
// often its faults struck; "" if they are.
func unreliable(run *Run) string {
	switch {
	case run.Interrupted != "" || run.Aborted != "" || run.Failure != "":
		return "the run did not last as long as its scenario"
	case len(generatorFaults(run)) > 0:
		return "the generator's own limits are in the figures"
	case len(blindness(run)) > 0:
		return "the prober did not see enough of the run"
	}
	return ""
}

// byFault groups windows by their fault's name, in the order of their first one.
func byFault(ws []window) [][]window {
	var groups [][]window
	index := map[string]int{}
	for _, w := range ws {
		i, ok := index[w.event.Name]
		if !ok {
			i = len(groups)
			index[w.event.Name], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], w)
	}
	return groups
}

func goodShare(l losses) *[2]float64 {
	if l.total <= 0 {
		return nil
	}
	low, high := l.interval()
	share := [2]float64{1 - high/l.total, 1 - low/l.total}
	if math.IsNaN(share[0]) || math.IsNaN(share[1]) {
		return nil
	}
	return &share
}

// lost is a loss at a moment.
type lost struct {
	at     time.Duration
	amount float64
}

// requestLosses divides failed requests, as they are charged to faults.
func requestLosses(run *Run, ws []window) losses {
	var total int64
	var outside []lost
	perWindow := make([]float64, len(ws))
	overBy := overBy(ws)
	for _, rec := range run.Loads {
		total += counted(rec)
		for _, c := range rec.Cells {
			if i := chargedWindow(ws, overBy, c); i >= 0 {
				perWindow[i] += float64(c.Failed)
			} else if c.Failed > 0 {
				outside = append(outside, lost{c.Began(), float64(c.Failed)})
			}
		}
	}
	l := losses{total: float64(total), grain: 1}
	if run.Duration > 0 {
		l.worst = l.total / seconds(run.Duration)
	}
	l.divide(ws, perWindow, outside, run.Duration)
	return l
}

// probeLosses divides failed probes, in seconds, in the same way.
func probeLosses(run *Run, rec *loadgen.ProbeRecording, ws []window) losses {
	interval := seconds(rec.Every)
	l := losses{total: float64(rec.Sent) * interval, grain: interval, worst: 1}
	outside, perWindow := chargeProbes(rec, ws)
	l.divide(ws, perWindow, outside, run.Duration)
	return l
}

// failedProbes yields when each failed probe was sent, taking those of one run as
// evenly spaced, with its run.
func failedProbes(rec *loadgen.ProbeRecording) iter.Seq2[time.Duration, loadgen.ProbeRun] {
	return func(yield func(time.Duration, loadgen.ProbeRun) bool) {
		for _, run := range rec.Runs {
			if run.Good {
				continue
			}
			for k := range run.N {
				at := run.First
				if run.N > 1 {
					at += time.Duration(float64(run.Last-run.First) * float64(k) / float64(run.N-1))
				}
				if !yield(at, run) {
					return
				}
			}
		}
	}
}

// chargeProbes puts the downtime of each failed probe down to a fault as
// requests are. It returns what no fault explains, and the downtime of each
// window, both in seconds.
func chargeProbes(rec *loadgen.ProbeRecording, ws []window) (outside []lost, perWindow []float64) {
	perWindow = make([]float64, len(ws))
	overBy := overBy(ws)
	interval := seconds(rec.Every)
	for at, r := range failedProbes(rec) {
		// One that was under way when the fault struck failed by it.
		if i := windowOf(ws, overBy, at, max(at, r.Broke)+1); i >= 0 {
			perWindow[i] += interval
		} else {
			outside = append(outside, lost{at, interval})
		}
	}
	return outside, perWindow
}

// divide fills in the units: one for each repetition of a fault, and blocks of
// the time outside faults.
func (l *losses) divide(ws []window, perWindow []float64, outside []lost, duration time.Duration) {
	index := map[string]int{}
	for i, w := range ws {
		k, ok := index[w.event.Name]
		if !ok {
			k = len(l.faults)
			index[w.event.Name], l.faults = k, append(l.faults, repetitions{fault: w.event.Name})
		}
		l.faults[k].lost = append(l.faults[k].lost, perWindow[i])
	}
	l.outside = blocksOf(outside)
	l.quiet = seconds(duration - covered(ws, duration))
	for _, b := range l.outside {
		l.quiet -= b.seconds
	}
	l.quiet = max(0, l.quiet)
}

// covered is how much of the time until end lies in faults' windows, for as long
// as they act.
func covered(ws []window, end time.Duration) (sum time.Duration) {
	until := time.Duration(0)
	for _, w := range ws {
		from, to := max(until, w.event.Start), min(end, w.acts)
		if to > from {
			sum += to - from
			until = to
		}
	}
	return sum
}

// blocksOf groups losses into blocks: whole seconds from t = 0 on, the next one
// joined where a failure lies closer than apart to the cut between them.
func blocksOf(all []lost) []block {
	slices.SortFunc(all, func(a, b lost) int { return cmp.Compare(a.at, b.at) })
	var blocks []block
	var end, last time.Duration
	for _, loss := range all {
		n := len(blocks)
		second := loss.at.Truncate(blockLength)
		joined := n > 0 && (loss.at < end || second == end && loss.at-last < 2*apart && (end-last < apart || loss.at-end < apart))
		if !joined {
			blocks = append(blocks, block{})
			n++
			end = second
		}
		b := &blocks[n-1]
		if grown := second + blockLength - end; grown > 0 {
			b.seconds += seconds(grown)
			end = second + blockLength
		}
		b.lost += loss.amount
		last = loss.at
	}
	return blocks
}

// overBy[i] is until when one of ws[:i+1] acts.
func overBy(ws []window) []time.Duration {
	over := make([]time.Duration, len(ws))
	for i, w := range ws {
		over[i] = w.acts
		if i > 0 {
			over[i] = max(over[i], over[i-1])
		}
	}
	return over
}

// windowOf returns the index of the latest window that started before a moment
// and still acted at another, or -1.
func windowOf(ws []window, overBy []time.Duration, began, finished time.Duration) int {
	started := sort.Search(len(ws), func(i int) bool { return ws[i].event.Start >= finished })
	for i := started - 1; i >= 0 && overBy[i] > began; i-- {
		if ws[i].acts > began {
			return i
		}
	}
	return -1
}
