package reports

import (
	"fmt"

	"github.com/hachaos/hachaos/reports/units"
)

const (
	// enoughPauses is how many second tries show whether the pauses grow. Each
	// pause is drawn from 0 to its full length: of pauses that do not grow, the
	// second ones last growth times as long as the first ones in one of seventy
	// such runs at most; of pauses that double, in all but one of a hundred.
	enoughPauses = 30
	growth       = 1.4
)

// retriesWithBackoff are shown by calls to dependencies that failed and went well
// when they were tried again, after pauses that grew.
func retriesWithBackoff(r *Report) Practice {
	p := Practice{Name: "retries with backoff", State: NotTried, Figure: "no failed call to a dependency was counted"}
	all := Retries{Pauses: make([]Pause, 3)}
	for _, resource := range r.Resources {
		all.add(resource.Retries)
	}
	first, second, later := all.Pauses[0], all.Pauses[1], all.Pauses[2]
	switch {
	case all.Failed == 0 && all.Resent > 0:
		p.Figure = countOf(all.Resent, "request") + " sent to another worker at once: nothing called for a pause"
	case all.Failed == 0:
	case first.Tries == 0:
		p.State, p.Figure = NotShown, failedCalls(all.Failed)+", and none was tried again"
	case all.Succeeded == 0:
		p.State, p.Figure = NotShown, failedCalls(first.Tries)+" and were tried again, and none succeeded"
	default:
		p.Figure = fmt.Sprintf("%s of %s succeeded when tried again", units.FormatCount(all.Succeeded), countOf(all.Failed, "failed call"))
		switch {
		case second.Tries < enoughPauses:
			p.Figure += "; too few were tried twice to see whether the pauses grow"
		case second.mean() < growth*first.mean():
			p.State = NotShown
			p.Figure += fmt.Sprintf(", but the pauses did not grow: on average %s, then %s", first, second)
		default:
			p.State = Shown
			p.Figure += fmt.Sprintf(", after pauses of %s, then %s", first, second)
			if later.Tries > 0 {
				p.Figure += fmt.Sprintf(", then %s", later)
			}
			p.Figure += " on average"
		}
	}
	return p
}

func failedCalls(n int64) string { return countOf(n, "call") + " to dependencies failed" }

// add counts what one more process did again. What is beyond r's last pause
// belongs to it.
func (r *Retries) add(one *Retries) {
	if one == nil {
		return
	}
	r.Failed += one.Failed
	r.Succeeded += one.Succeeded
	r.Resent += one.Resent
	for i, p := range one.Pauses {
		sum := &r.Pauses[min(i, len(r.Pauses)-1)]
		sum.Tries += p.Tries
		sum.WaitedS += p.WaitedS
	}
}

// mean is in seconds, 0 of no pause.
func (p Pause) mean() float64 { return p.WaitedS / float64(max(p.Tries, 1)) }

func (p Pause) String() string { return units.FormatDuration(duration(p.mean())) }
