package loadgen

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hachaos/hachaos/loadgen/http1"
	"github.com/hachaos/hachaos/reports/units"
)

// maxRate bounds a rate to what can be scheduled in whole nanoseconds.
const maxRate = 1e7

// reporter takes one mistake: where it is, as in "requests[0].path", and what.
type reporter func(path, message string)

// Check reports every mistake of a stream by its path below the stream and a
// message in words. Fields left to their defaults are no mistakes; its name is
// the caller's to check.
func (s *Stream) Check(report func(path, message string)) {
	switch {
	case s.Closed != nil && s.Open != nil:
		report("", "has both closed and open: choose one")
	case s.Closed == nil && s.Open == nil:
		report("", "has neither closed nor open (such as closed: {concurrency: 50})")
	}
	if s.Closed != nil {
		s.Closed.check(report)
		if s.Duration > 0 && s.Closed.RampUp > s.Duration {
			report("closed.ramp_up", "is longer than the load: some clients would never begin")
		}
	}
	if s.Open != nil {
		s.Open.check(report)
	}
	switch {
	case s.Duration != 0 && s.Count != 0:
		report("", "has both duration and count: choose one")
	case s.Duration == 0 && s.Count == 0:
		report("", "has neither duration nor count (such as duration: 15s)")
	}
	checkNotNegative(report, "duration", s.Duration)
	checkNotNegative(report, "timeout", s.Timeout)
	if s.Count < 0 {
		report("count", "must be positive")
	}
	if s.FailurePause != nil {
		checkNotNegative(report, "failure_pause", *s.FailurePause)
		if s.Open != nil && s.Closed == nil {
			report("failure_pause", "means nothing in open load, whose requests do not wait for each other")
		}
	}
	if s.Requests != nil && len(s.Requests) == 0 {
		report("requests", "must not be empty (without it one GET of / is sent)")
	}
	for i := range s.Requests {
		s.Requests[i].check(func(path, message string) {
			report(fmt.Sprintf("requests[%d].%s", i, path), message)
		})
	}
}

func (c *Closed) check(report reporter) {
	if c.Concurrency < 1 {
		report("closed.concurrency", "must be at least 1")
	}
	checkNotNegative(report, "closed.think", c.Think)
	checkNotNegative(report, "closed.ramp_up", c.RampUp)
}

func (o *Open) check(report reporter) {
	kinds := 0
	for _, set := range []bool{o.Rate != 0, o.Ramp != nil, o.Sine != nil, o.Poisson != nil} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		report("open", "needs exactly one of rate, ramp, sine and poisson (such as rate: 500/s)")
	}
	if o.Rate != 0 {
		checkRate(report, "open.rate", o.Rate)
	}
	if r := o.Ramp; r != nil {
		for _, end := range []struct {
			path string
			rate units.Rate
		}{{"open.ramp.from", r.From}, {"open.ramp.to", r.To}} {
			if end.rate != 0 {
				checkRate(report, end.path, end.rate)
			}
		}
		if r.From == 0 && r.To == 0 {
			report("open.ramp", "goes from nothing to nothing: set from or to")
		}
		if r.Over <= 0 {
			report("open.ramp.over", "must be positive")
		}
	}
	if s := o.Sine; s != nil {
		checkRate(report, "open.sine.mean", s.Mean)
		if s.Amplitude < 0 || s.Mean > 0 && s.Amplitude >= s.Mean {
			report("open.sine.amplitude", "must lie from 0 to below mean")
		}
		if s.Period <= 0 {
			report("open.sine.period", "must be positive")
		}
	}
	if o.Poisson != nil {
		checkRate(report, "open.poisson.rate", o.Poisson.Rate)
	}
	if o.Senders < 0 {
		report("open.senders", "must be at least 1")
	}
}

func (r *Request) check(report reporter) {
	if r.Method != "" && !http1.IsToken(r.Method) {
		report("method", fmt.Sprintf("%q is not a method (such as GET)", r.Method))
	}
	if r.Method == "CONNECT" {
		report("method", "CONNECT opens a tunnel and is no request to a service")
	}
	checkPath(report, "path", r.Path)
	if r.Weight < 0 {
		report("weight", "must be positive")
	}
	for _, name := range sortedKeys(r.Headers) {
		if err := http1.CheckField(http1.Field{Name: name, Value: r.Headers[name]}); err != nil {
			report("headers."+name, err.Error())
		}
	}
	checkStatuses(report, "expect.status", r.Expect.Status)
	checkStatuses(report, "expect.degraded", r.Expect.Degraded)
}

// Check reports every mistake of the prober's configuration, as
// [Stream.Check] does.
func (p *Probe) Check(report func(path, message string)) {
	checkNotNegative(report, "every", p.Every)
	checkNotNegative(report, "timeout", p.Timeout)
	if p.Every > 0 && p.Every.Seconds() < 0.001 {
		report("every", "must be at least 1ms: what is shorter cannot be timed")
	}
	checkPath(report, "path", p.Path)
	if !slices.Contains([]string{"", "new", "reused", "both"}, p.Connections) {
		report("connections", fmt.Sprintf("%q is none of new, reused and both", p.Connections))
	}
}

func checkPath(report reporter, at, path string) {
	switch {
	case path == "":
	case !strings.HasPrefix(path, "/"):
		report(at, fmt.Sprintf("%q does not begin with / (it is a path below the target's URL)", path))
	case strings.Contains(path, "#"):
		report(at, fmt.Sprintf("%q has a fragment (#…), which is never sent", path))
	case !http1.IsTarget(path):
		report(at, fmt.Sprintf("%q holds a space, a control character or a byte above ASCII (write it as %%XX)", path))
	}
}

func checkStatuses(report reporter, at string, ranges []StatusRange) {
	for i, r := range ranges {
		if r.From < 100 || r.To > 599 || r.From > r.To {
			report(fmt.Sprintf("%s[%d]", at, i), fmt.Sprintf("%d-%d is not a range of statuses from 100 to 599", r.From, r.To))
		}
	}
}

func checkNotNegative(report reporter, at string, d units.Duration) {
	if d < 0 {
		report(at, "must not be negative")
	}
}

func checkRate(report reporter, at string, r units.Rate) {
	if !(r > 0) || math.IsInf(float64(r), 0) {
		report(at, "must be a positive rate (such as 500/s)")
	} else if r > maxRate {
		report(at, fmt.Sprintf("is above %.0f/s, which cannot be scheduled", maxRate))
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
