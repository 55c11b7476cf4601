package reports

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/reports/units"
)

// Practice is one practice of high availability and what the run says of it.
type Practice struct {
	Name   string        `json:"name"`
	State  PracticeState `json:"state"`
	Figure string        `json:"figure"` // what shows it, or what would have to happen to show it
}

// PracticeState says whether a run has shown a practice.
type PracticeState string

const (
	Shown    PracticeState = "shown"
	NotShown PracticeState = "not shown" // it was called for, and was not there
	NotTried PracticeState = "not tried" // nothing in the run called for it
)

// practices goes through what keeps a service available. It judges by what was
// measured alone, never by what the target is configured to do.
func practices(r *Report) []Practice {
	return []Practice{
		redundancy(r), healthChecks(r), gracefulShutdown(r), automaticRestart(r),
		retriesWithBackoff(r),
		circuitBreaker(r), failover(r),
		rateLimiting(r), monitoring(r),
	}
}

// struck returns the injected faults of some kinds that hit processes of the
// target.
func struck(r *Report, kinds ...string) []Fault {
	var list []Fault
	for _, f := range r.Faults {
		if f.State == string(chaos.Done) && len(f.Victims) > 0 && f.Dependency == "" && slices.Contains(kinds, f.Kind) {
			list = append(list, f)
		}
	}
	return list
}

// struckWorkers leaves out of those the ones that hit no worker, but a master,
// and counts the workers.
func struckWorkers(r *Report, kinds ...string) (list []Fault, workers int64) {
	for _, f := range struck(r, kinds...) {
		before := workers
		for _, v := range f.Victims {
			if v.Worker > 0 {
				workers++
			}
		}
		if workers > before {
			list = append(list, f)
		}
	}
	return list, workers
}

// fewProbes is how many probes may fail in a row without showing that nothing
// was answered: they may all have been on the worker that was lost.
const fewProbes = 5

// downIn returns for how long nothing at all was answered in outages that are
// put down to faults; known is false without a prober.
func downIn(r *Report, faults []Fault) (longest float64, known bool) {
	if r.Availability.Uptime == nil {
		return 0, false
	}
	few := 0.0
	if ms := r.Availability.ResolutionMS; ms != nil {
		few = fewProbes * *ms / 1e3
	}
	for _, o := range r.Availability.Outages {
		for _, f := range faults {
			if o.FailedShare == 1 && o.DownS > few && strings.Contains(" "+strings.Join(o.Faults, " ")+" ", " "+f.ID+" ") {
				longest = max(longest, o.LengthS)
			}
		}
	}
	return longest, true
}

// redundancy is shown if a worker was lost and others answered all the while.
func redundancy(r *Report) Practice {
	p := Practice{Name: "redundancy", State: NotTried, Figure: "no fault took a worker away"}
	faults, workers := struckWorkers(r, "kill", "exit", "pause")
	longest, known := downIn(r, faults)
	switch {
	case len(faults) == 0:
	case !known:
		p.Figure = "workers were taken away, but no probe watched"
	case longest > 0:
		p.State, p.Figure = NotShown, "nothing was answered for "+units.FormatDuration(duration(longest))+" after a worker was lost"
	default:
		p.State, p.Figure = Shown, countOf(workers, "worker")+" lost, and the rest answered all the while"
		if workers == 1 {
			p.Figure = "a worker was lost, and the rest answered all the while"
		}
	}
	return p
}

// healthChecks are shown if a frozen worker, which is not gone, cost nothing, and
// nobody waited for its end either: a freeze that is shorter than the requests'
// timeout loses nothing even where all of them go on being sent to it.
func healthChecks(r *Report) Practice {
	p := Practice{Name: "health checks", State: NotTried, Figure: "no worker was frozen: one that is gone needs no check"}
	faults, _ := struckWorkers(r, "pause")
	if len(faults) == 0 {
		return p
	}
	shortest := math.Inf(1)
	for _, f := range faults {
		shortest = min(shortest, f.EndS-f.StartS)
	}
	slowest := slowestAnswer(r)
	lost, _ := lostIn(faults)
	switch {
	case lost > 0:
		p.State, p.Figure = NotShown, countOf(lost, "request")+" lost to a frozen worker"
	case slowest == nil:
		p.Figure = "a worker was frozen, but no request was answered"
	case *slowest > shortest/2:
		p.State = NotShown
		p.Figure = fmt.Sprintf("no request was lost to a worker frozen for %s, but the slowest answer took %s: it may have waited for the end of that",
			units.FormatDuration(duration(shortest)), units.FormatDuration(duration(*slowest)))
	default:
		p.State = Shown
		p.Figure = fmt.Sprintf("no request was lost to a worker frozen for %s, and none took longer than %s",
			units.FormatDuration(duration(shortest)), units.FormatDuration(duration(*slowest)))
	}
	return p
}

// slowestAnswer is in seconds; nil if nothing was answered well.
func slowestAnswer(r *Report) *float64 {
	var slowest *float64
	for _, l := range r.Load {
		if l.LatencyMS != nil && (slowest == nil || l.LatencyMS.Max/1e3 > *slowest) {
			slowest = known(l.LatencyMS.Max / 1e3)
		}
	}
	return slowest
}

// gracefulShutdown is shown if reloads lost nothing.
func gracefulShutdown(r *Report) Practice {
	p := Practice{Name: "graceful shutdown", State: NotTried, Figure: "nothing was reloaded"}
	var reloads []Fault
	for _, f := range r.Faults {
		if f.State == string(chaos.Done) && f.Kind == "reload" {
			reloads = append(reloads, f)
		}
	}
	if len(reloads) == 0 {
		return p
	}
	lost, retried := lostIn(reloads)
	p.State = Shown
	if lost+retried > 0 {
		p.State = NotShown
	}
	p.Figure = fmt.Sprintf("%s: %s lost, %s retried", countOf(int64(len(reloads)), "reload"), countOf(lost, "request"), units.FormatCount(retried))
	return p
}

// automaticRestart is shown if every killed worker was back.
func automaticRestart(r *Report) Practice {
	p := Practice{Name: "automatic restart", State: NotTried, Figure: "no process was ended"}
	faults := struck(r, "kill", "exit")
	if len(faults) == 0 {
		return p
	}
	if !knowsReady(r) {
		p.Figure = "processes were ended, but how many were ready is unknown"
		return p
	}
	slowest := 0.0
	for _, f := range faults {
		if f.RecoveryS == nil {
			p.State, p.Figure = NotShown, f.ID+" was not made good before the run ended"
			return p
		}
		slowest = max(slowest, *f.RecoveryS)
	}
	p.State, p.Figure = Shown, fmt.Sprintf("back after %s, the slowest in %s", ended(len(faults)), units.FormatDuration(duration(slowest)))
	return p
}

func ended(n int) string {
	if n == 1 {
		return "1 crash"
	}
	return fmt.Sprintf("%d crashes", n)
}

func knowsReady(r *Report) bool {
	for _, n := range r.Timeline.WorkersReady {
		if n != nil {
			return true
		}
	}
	return false
}

// circuitBreaker is shown by breakers that opened and all closed again. Answers
// that are degraded instead of failed show none: that is done without one too.
func circuitBreaker(r *Report) Practice {
	degraded := allRequests(r).Degraded
	opened, breakers, open := breakersOf(r.Events)
	p := Practice{"circuit breaker", Shown, fmt.Sprintf("opened %s and closed again", times(opened))}
	switch {
	case opened == 0 && degraded == 0:
		p.State, p.Figure = NotTried, "no answer was degraded, and no fault on a dependency called for it"
		return p
	case opened == 0:
		p.State, p.Figure = NotTried, "no breaker was heard of"
	case open > 0 && breakers == 1:
		p.State, p.Figure = NotShown, fmt.Sprintf("it opened %s and stayed open", times(opened))
	case open > 0:
		p.State, p.Figure = NotShown, fmt.Sprintf("opened %s, and %d of %d breakers stayed open", times(opened), open, breakers)
	}
	if degraded > 0 {
		p.Figure += "; " + countOf(degraded, "answer") + " degraded instead of failed"
	}
	return p
}

// breakersOf counts how often breakers opened, how many did, and how many of
// them were open at the end. Each worker has a breaker of its own for each
// dependency, and one that comes up anew has new ones.
func breakersOf(events []Event) (opened, breakers, open int) {
	type breaker struct{ dependency, worker string }
	isOpen := map[breaker]bool{}
	for _, e := range events {
		b := breaker{e.Source, numbered.FindString(e.What)}
		switch {
		case strings.Contains(e.What, "breaker opens"):
			opened++
			isOpen[b] = true
		case strings.Contains(e.What, "breaker closes"):
			isOpen[b] = false
		case !e.told() && cameUp.MatchString(e.What):
			for other := range isOpen {
				if other.worker == b.worker {
					isOpen[other] = false
				}
			}
		}
	}
	for _, is := range isOpen {
		if breakers++; is {
			open++
		}
	}
	return opened, breakers, open
}

// failover is shown by a dependency's replica that took over from a primary that
// a fault had struck.
func failover(r *Report) Practice {
	p := Practice{Name: "replication and failover", State: NotTried, Figure: "no fault on a dependency called for them"}
	for _, f := range r.Faults {
		if f.State != string(chaos.Done) || f.Dependency == "" || !replicated(r, f.Dependency) || f.Kind != "kill" && f.Kind != "stop" && f.Kind != "promote" {
			continue
		}
		if p.State == NotTried {
			p.State, p.Figure = NotShown, "no replica of "+f.Dependency+" became primary"
		}
		for _, e := range r.Events {
			if e.Source == f.Dependency && e.AtS >= f.StartS && tookOver.MatchString(e.What) {
				p.State, p.Figure = Shown, f.Dependency+": "+clean(e.What)
			}
		}
	}
	return p
}

// tookOver matches what a backend says of a new primary.
var tookOver = regexp.MustCompile(`^[a-z0-9-]+ is (the|a) primary`)

func replicated(r *Report, dependency string) bool {
	for _, d := range r.Dependencies {
		if d.Name == dependency {
			return d.Replicas > 0
		}
	}
	return false
}

// rateLimiting is shown by answers of status 429.
func rateLimiting(r *Report) Practice {
	var limited int64
	for _, l := range r.Load {
		limited += l.Statuses["429"]
	}
	if limited == 0 {
		return Practice{"rate limiting", NotTried, "no answer was refused with status 429"}
	}
	return Practice{"rate limiting", Shown, countOf(limited, "answer") + " of status 429"}
}

// monitoring cannot be shown from outside: hachaos's probes are not the
// service's own.
func monitoring(r *Report) Practice {
	var sent int64
	for _, p := range r.Probes {
		sent += p.Sent
	}
	return Practice{"monitoring", NotTried, "watched by " + countOf(sent, "probe") + " of hachaos; whether the service watches itself was not asked"}
}

func lostIn(faults []Fault) (failed, retried int64) {
	for _, f := range faults {
		failed += f.FailedRequests
		retried += f.RetriedRequests
	}
	return failed, retried
}

// practices writes the checklist.
func (t *text) practices(list []Practice) {
	if len(list) == 0 {
		return
	}
	column := 0
	for _, p := range list {
		column = max(column, width(clean(p.Name)))
	}
	t.WriteString("\n")
	for _, p := range list {
		mark := t.style(dim, "–")
		switch p.State {
		case Shown:
			mark = t.style(green, "✔")
		case NotShown:
			mark = t.style(red, "✘")
		}
		t.linef(" %s %s   %s", mark, pad(clean(p.Name), column), t.wrap(clean(p.Figure), column+6, column+6))
	}
}
