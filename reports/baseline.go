package reports

import (
	"fmt"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// Warmup is what a stream counted in the warm-up, before any fault.
type Warmup struct {
	Stream     string
	OK, Failed int64
	Example    string // the first failure, in words

	// Pending is how many were begun and have no answer yet. They have waited for
	// Waited at least, the time since the warm-up's end, and for Length more at
	// most, that of the warm-up.
	Pending        int64
	Waited, Length time.Duration
	Slowest        time.Duration // of the good answers
	Timeout        time.Duration // of the stream's requests
}

// minHang is the least time without an answer that is not put down to chance: a
// little less than the second after which many a first fault strikes.
const minHang = 900 * time.Millisecond

// hung returns how many requests have no answer and, by what others took, will
// have none: they have waited twice as long as the slowest good answer took. In a
// line that grows they wait about as long. Where none was answered nothing can be
// compared.
func (w Warmup) hung() int64 {
	if w.OK > 0 && w.Waited >= max(2*w.Slowest, minHang) {
		return w.Pending
	}
	return 0
}

// silent returns how many requests of a stream without any good answer have none
// at all, if half of the time has passed that the scenario gives one. Before that
// nothing tells a service that hangs from a slow one.
func (w Warmup) silent() int64 {
	if w.OK == 0 && 2*(w.Length+w.Waited) >= w.Timeout {
		return w.Pending
	}
	return 0
}

// baseline is the warm-up of the streams that an objective is on.
type baseline struct {
	ok, failed, hung int64
	since            time.Duration // the warm-up's beginning
	example          string
}

func (b baseline) all() int64     { return b.ok + b.failed + b.hung }
func (b baseline) share() float64 { return float64(b.ok) / float64(b.all()) }

// sumWarmup adds up the streams of a scope; "" is all of them.
func sumWarmup(scope string, warmup []Warmup) baseline {
	var b baseline
	var silent int64
	for _, w := range warmup {
		if scope != "" && scope != w.Stream {
			continue
		}
		b.ok += w.OK
		b.failed += w.Failed
		b.hung += w.hung()
		silent += w.silent()
		b.since = max(b.since, w.Length+w.Waited)
		if b.example == "" {
			b.example = w.Example
		}
	}
	if b.ok == 0 { // else that stream may be a slow one
		b.hung = silent
	}
	return b
}

// CheckBaseline returns an error if the warm-up already misses an availability
// objective, on the run or on a stream: then a run would measure the service's
// own trouble, and no fault's. A request that hangs has failed. Of several
// objectives missed it names the one that asks least. A warm-up without requests
// misses nothing.
func CheckBaseline(objectives []Objective, warmup []Warmup) error {
	var missed *Objective
	var seen baseline
	for i, o := range objectives {
		if o.Metric != "availability" {
			continue
		}
		b := sumWarmup(o.Scope, warmup)
		if b.all() == 0 || o.Holds(b.share()) {
			continue
		}
		if missed == nil || o.Value < missed.Value {
			missed, seen = &objectives[i], b
		}
	}
	if missed == nil {
		return nil
	}
	return fmt.Errorf("the baseline is already bad: %s, %s are good, but the objective is %s; no fault was injected (%s)",
		seen.trouble(), units.FormatPercent(seen.share()), missed.Expr, seen.remedy())
}

// trouble says what was wrong with a warm-up.
func (b baseline) trouble() string {
	all := countOf(b.all(), "request")
	without := fmt.Sprintf("had no answer %s after it had begun", units.FormatDuration(b.since))
	if b.failed == 0 {
		return fmt.Sprintf("%s of %s of the warm-up %s", units.FormatCount(b.hung), all, without)
	}
	text := fmt.Sprintf("%s of %s failed in the warm-up", units.FormatCount(b.failed), all)
	if b.example != "" {
		text += " (" + b.example + ")"
	}
	if b.hung > 0 {
		text += fmt.Sprintf(" and %s %s", units.FormatCount(b.hung), without)
	}
	return text
}

func (b baseline) remedy() string {
	if b.hung > 0 {
		return "mend the target, or raise warmup if it takes that long to answer"
	}
	return "mend the target, or lower the objective"
}
