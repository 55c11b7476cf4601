package scenarios

import (
	"sync"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/reports"
)

// Fan is a Progress that tells several.
type Fan []Progress

// Phase implements [Progress].
func (f Fan) Phase(text string) {
	for _, p := range f {
		p.Phase(text)
	}
}

// Fault implements [Progress].
func (f Fan) Fault(e chaos.Event) {
	for _, p := range f {
		p.Fault(e)
	}
}

// Tick implements [Progress].
func (f Fan) Tick(now, length time.Duration, r *reports.Report, rate float64) {
	for _, p := range f {
		p.Tick(now, length, r, rate)
	}
}

// End implements [Progress].
func (f Fan) End() {
	for _, p := range f {
		p.End()
	}
}

// Latest is a Progress that keeps the newest report of each run, for those who
// ask while runs go on. The zero value has no runs.
type Latest struct {
	mu   sync.Mutex
	runs []*reports.Report
}

// Begin says that the next run begins.
func (l *Latest) Begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs = append(l.runs, nil)
}

// Finish replaces the run's newest report by its final one.
func (l *Latest) Finish(r *reports.Report) { l.set(r) }

// Reports returns the newest report of each run, in order; nil for a run that
// has none yet. The report of a run that still goes on has no verdict.
func (l *Latest) Reports() []*reports.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*reports.Report{}, l.runs...)
}

func (l *Latest) set(r *reports.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.runs); n > 0 {
		l.runs[n-1] = r
	}
}

// Phase implements [Progress].
func (*Latest) Phase(string) {}

// Fault implements [Progress].
func (*Latest) Fault(chaos.Event) {}

// Tick implements [Progress].
func (l *Latest) Tick(now, _ time.Duration, r *reports.Report, _ float64) {
	if now < 0 {
		return
	}
	so := *r
	so.Verdict = ""
	l.set(&so)
}

// End implements [Progress].
func (*Latest) End() {}
