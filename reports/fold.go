package reports

import (
	"slices"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/hachaos/hachaos/loadgen"
)

// Fold makes the report of a run: every figure, each failed request charged to
// a fault or left unexplained, the objectives judged, and the verdict with its
// reasons. What cannot be known from the run is null in it. Texts are free of
// the run's secrets; see [Redact].
func Fold(run Run) *Report {
	run.Loads = slices.DeleteFunc(slices.Clone(run.Loads), func(rec *loadgen.Recording) bool { return rec == nil })
	run.Probes = slices.DeleteFunc(slices.Clone(run.Probes), func(rec *loadgen.ProbeRecording) bool { return rec == nil })
	windows := faultWindows(&run)
	charged, unexplained := chargeFaults(&run, windows)
	r := &Report{
		Schema:              Schema,
		Reasons:             []string{},
		Warnings:            append([]string{}, run.Warnings...),
		Scenario:            run.Scenario,
		Started:             run.Started,
		DurationS:           seconds(run.Duration),
		Environment:         run.Environment,
		Target:              run.Target,
		Load:                []Load{},
		Probes:              []Probe{},
		ThroughputRPS:       throughput(run.Duration, run.Loads...),
		Faults:              foldFaults(&run, windows, charged),
		UnexplainedRequests: unexplained,
		Events:              append([]Event{}, run.Events...),
		SLOs:                []SLO{},
		Timeline:            foldTimeline(&run),
		Resources:           append([]Resource{}, run.Resources...),
		Dependencies:        append([]Dependency{}, run.Dependencies...),
		Proxies:             append([]Proxy{}, run.Proxies...),
	}
	for _, rec := range run.Loads {
		r.Load = append(r.Load, foldLoad(rec, run.Duration))
	}
	for _, rec := range run.Probes {
		r.Probes = append(r.Probes, foldProbe(rec))
	}
	var outages []outage
	if rec := uptimeProbes(run.Probes); rec != nil {
		outages = findOutages(rec)
	}
	r.Availability = foldAvailability(&run, outages, windows)
	foldIntervals(&run, windows, &r.Availability)
	r.Budget = foldBudget(run.Budget, &r.Availability)
	r.Projection = project(&run, windows, r)
	for _, o := range run.Objectives {
		r.SLOs = append(r.SLOs, evaluate(o, &run, r))
	}
	r.Practices = practices(r)
	warn(r, &run)
	judge(r, &run)
	redactReport(r, run.Secrets)
	return r
}

func foldLoad(rec *loadgen.Recording, length time.Duration) Load {
	l := Load{
		Name: rec.Stream, Model: rec.Model, Engine: rec.Engine,
		Concurrency: rec.Concurrency, Rate: rec.Rate,
		Requests:      Requests{Sent: rec.Sent, OK: rec.OK, Degraded: rec.Degraded, Failed: rec.Failed, Retried: rec.Retried},
		Availability:  ratio(rec.OK, counted(rec)),
		Failures:      causeCounts(rec.Failures),
		Statuses:      map[string]int64{},
		Examples:      causeTexts(rec.Examples),
		ThroughputRPS: throughput(length, rec),
		LatencyMS:     foldLatency(rec.Latency),
		LongestGapS:   longestGap(length, rec),
		ServiceMS:     foldLatency(rec.Service),
		BytesIn:       rec.BytesIn, BytesOut: rec.BytesOut,
		Generator: Generator{Saturated: saturated(rec), CPUS: seconds(rec.Generator.CPU)},
		Workers:   map[string]int64{},
	}
	for status, n := range rec.Statuses {
		l.Statuses[strconv.Itoa(status)] = n
	}
	for worker, n := range rec.Workers {
		l.Workers[worker] = n
	}
	if lag := rec.Generator.Lag; lag != nil && lag.TotalCount() > 0 {
		l.Generator.LagP99MS = known(float64(lag.ValueAtPercentile(99)) / 1e3)
	}
	return l
}

// throughput is good answers per second of the time in which streams were
// [active].
func throughput(length time.Duration, recs ...*loadgen.Recording) *float64 {
	var ok int64
	for _, rec := range recs {
		ok += rec.OK
	}
	start, end := active(length, recs)
	if end <= start {
		return nil
	}
	return known(float64(ok) / seconds(end-start))
}

// active is the time in which at least one of the streams of a run of some length
// sent or was answered well: from the first one's start to the last one's end of
// sending, or last good answer if that came later. What else was in flight then
// only failed or timed out, and nothing was sent any more.
func active(length time.Duration, recs []*loadgen.Recording) (start, end time.Duration) {
	start = never
	for _, rec := range recs {
		sent := rec.End
		for _, limit := range []time.Duration{length, rec.Until} {
			if limit > 0 {
				sent = min(sent, limit)
			}
		}
		start, end = min(start, rec.Start), max(end, sent, min(rec.End, rec.Goods.Last()))
	}
	return start, end
}

func foldLatency(h *hdrhistogram.Histogram) *Latency {
	if h == nil || h.TotalCount() == 0 {
		return nil
	}
	at := func(percentile float64) float64 { return float64(h.ValueAtPercentile(percentile)) / 1e3 }
	return &Latency{
		Min: float64(h.Min()) / 1e3, Mean: h.Mean() / 1e3, StdDev: h.StdDev() / 1e3,
		P50: at(50), P90: at(90), P95: at(95), P99: at(99), P999: at(99.9),
		Max: float64(h.Max()) / 1e3,
	}
}

func foldProbe(rec *loadgen.ProbeRecording) Probe {
	p := Probe{
		Connections: rec.Connections,
		EveryMS:     milliseconds(rec.Every),
		Sent:        rec.Sent, Failed: rec.Failed,
		Failures:    causeCounts(rec.Failures),
		Examples:    causeTexts(rec.Examples),
		UnobservedS: seconds(unobserved(rec)),
		Priority:    rec.Priority,
		Uptime:      ratio(rec.Sent-rec.Failed, rec.Sent),
	}
	if late := rec.Lateness; late != nil && late.TotalCount() > 0 {
		p.LatenessP99MS = known(float64(late.ValueAtPercentile(99)) / 1e3)
		p.LatenessMaxMS = known(float64(late.Max()) / 1e3)
	}
	return p
}

func causeCounts(counts [loadgen.NumCauses]int64) map[string]int64 {
	named := map[string]int64{}
	for c, n := range counts {
		if c := loadgen.Cause(c); c != loadgen.CauseNone && n > 0 {
			named[c.String()] = n
		}
	}
	return named
}

func causeTexts(texts map[loadgen.Cause]string) map[string]string {
	named := map[string]string{}
	for c, text := range texts {
		named[c.String()] = text
	}
	return named
}
