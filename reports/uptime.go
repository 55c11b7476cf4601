package reports

import (
	"math"
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

// mergeWithin is how close failed probes lie that belong to one outage.
const mergeWithin = time.Second

// outage is a set of failed probes each less than mergeWithin from the next. A
// gap in the prober's own sending does not divide one: only a good probe shows
// that the service was back.
type outage struct {
	start, last  time.Duration // sends of the first and the last failed probe
	end          time.Duration // send of the first good one after last, or the end of the probes
	open         bool          // there was no good one after last
	finish       time.Duration // when the last of its probes had failed
	failed, sent int64         // from start to last
}

// uptimeProbes returns the recording that uptime is measured by: that on new
// connections, else the first that has any probes; nil if there is none.
func uptimeProbes(recs []*loadgen.ProbeRecording) *loadgen.ProbeRecording {
	var chosen *loadgen.ProbeRecording
	for _, r := range recs {
		if r == nil || r.Sent == 0 || r.Every <= 0 {
			continue
		}
		if r.Connections == "new" {
			return r
		}
		if chosen == nil {
			chosen = r
		}
	}
	return chosen
}

// findOutages folds the runs of equal outcome into outages.
func findOutages(rec *loadgen.ProbeRecording) []outage {
	var found []outage
	for i, run := range rec.Runs {
		if run.Good || run.N <= 0 {
			continue
		}
		end, open := run.Last+rec.Every, true
		if good := nextGood(rec.Runs, i+1); good >= 0 {
			end, open = rec.Runs[good].First, false
		}
		finish := max(run.Finish, run.Last)
		if n := len(found); n > 0 {
			prev := &found[n-1]
			good, goodBetween := goodSince(rec.Runs[:i], prev.last)
			if run.First-prev.last < mergeWithin || !goodBetween {
				prev.last, prev.end, prev.open = run.Last, end, open
				prev.finish = max(prev.finish, finish)
				prev.failed += run.N
				prev.sent += good + run.N
				continue
			}
		}
		found = append(found, outage{start: run.First, last: run.Last, end: end, open: open, finish: finish, failed: run.N, sent: run.N})
	}
	return found
}

// nextGood returns the index of the first good run from i on, or -1.
func nextGood(runs []loadgen.ProbeRun, i int) int {
	for ; i < len(runs); i++ {
		if runs[i].Good && runs[i].N > 0 {
			return i
		}
	}
	return -1
}

// goodSince counts the good probes of the runs that follow the failed one which
// ended at last.
func goodSince(runs []loadgen.ProbeRun, last time.Duration) (n int64, any bool) {
	for i := len(runs) - 1; i >= 0 && runs[i].First > last; i-- {
		if runs[i].Good {
			n, any = n+runs[i].N, any || runs[i].N > 0
		}
	}
	return n, any
}

// share is the share of probes that failed meanwhile. The first failed one only
// marks the start and the last one the end: counting both as found by chance
// would overstate a partial outage, so the first is left out.
func (o outage) share() float64 {
	if o.sent <= 1 {
		return 1
	}
	return float64(o.failed-1) / float64(o.sent-1)
}

// length is how long the outage lasted, without the time in which the prober
// itself did not send: that is never held against the target.
func (o outage) length(rec *loadgen.ProbeRecording) time.Duration {
	length := o.end - o.start
	for _, g := range rec.Gaps {
		from, to := max(g.From+rec.Every, o.start), min(g.To, o.end)
		if to > from {
			length -= to - from
		}
	}
	return length
}

// unobserved is the time in which the prober did not send although probes were
// due. The probe before a gap still stands for the interval after it.
func unobserved(rec *loadgen.ProbeRecording) time.Duration {
	var sum time.Duration
	for _, g := range rec.Gaps {
		sum += max(0, g.To-g.From-rec.Every)
	}
	return sum
}

// foldAvailability computes the figures of both views.
//
//   - Availability: good ÷ all requests over the streams. Requests that failed
//     by the generator's own limits never reached the target and count in
//     neither (they make the verdict inconclusive).
//   - Uptime: good ÷ sent probes, which is 1 − downtime ÷ observed time, with
//     downtime = failed × interval; time without probes is in neither.
//   - MTTR: mean time to restoration (IEC 60050-192, 192-07-23), here the mean
//     length of the outages; null without an outage, and null if one lasted to
//     the end, because its restoration was not seen.
//   - MTBF: mean operating time between failures (IEC 60050-192, 192-05-13),
//     here the time in which probes were good ÷ the number of outages.
//   - Nines: −log10(1 − uptime).
func foldAvailability(run *Run, outages []outage, faults []window) Availability {
	a := Availability{Outages: []Outage{}}
	var ok, all int64
	for _, rec := range run.Loads {
		ok += rec.OK
		all += counted(rec)
	}
	a.Availability = ratio(ok, all)

	rec := uptimeProbes(run.Probes)
	if rec == nil {
		return a
	}
	good := rec.Sent - rec.Failed
	a.Uptime = ratio(good, rec.Sent)
	a.DowntimeS = known(seconds(time.Duration(rec.Failed) * rec.Every))
	a.LongestStallS = known(seconds(rec.LongestStall))
	a.ResolutionMS = known(milliseconds(rec.Every))
	if rec.Failed > 0 {
		a.Nines = known(math.Abs(math.Log10(float64(rec.Failed) / float64(rec.Sent))))
	}
	var lengths time.Duration
	restored := true
	for _, o := range outages {
		lengths += o.length(rec)
		restored = restored && !o.open
		out := Outage{
			StartS:      seconds(o.start),
			LengthS:     seconds(o.length(rec)),
			DownS:       seconds(time.Duration(o.failed) * rec.Every),
			FailedShare: o.share(),
			Faults:      []string{},
		}
		if !o.open {
			out.EndS = known(seconds(o.end))
		}
		for _, f := range faults {
			if f.explains(o) {
				out.Faults = append(out.Faults, f.event.ID)
			}
		}
		a.Outages = append(a.Outages, out)
	}
	if n := len(outages); n > 0 {
		a.MTBFS = known(seconds(time.Duration(good)*rec.Every) / float64(n))
		if restored {
			a.MTTRS = known(seconds(lengths) / float64(n))
		}
	}
	return a
}

// counted is how many requests of a stream count: those that failed by the
// generator's own limits do not.
func counted(rec *loadgen.Recording) int64 {
	return rec.OK + rec.Failed - rec.Failures[loadgen.CauseGenerator]
}

func ratio(part, whole int64) *float64 {
	if whole <= 0 {
		return nil
	}
	return known(float64(part) / float64(whole))
}

// known is a figure for the report: nil if it is none (NaN or infinite).
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func seconds(d time.Duration) float64      { return d.Seconds() }
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
