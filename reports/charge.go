package reports

import (
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

// charge is what requests a fault is answerable for.
type charge struct{ failed, retried int64 }

// chargeFaults puts every failed and every retried request down to at most one
// fault: the latest one that started before the request finished and that still
// acted when the request began, for its recovery was not over, or its injection
// not through. It returns one charge for each window and the failed requests that
// no fault explains; all failed requests of the recordings are in one or the
// other, but for those that failed by the generator's own limits.
//
// Requests are known to a cell ([loadgen.CellWidth]). A cell is read the widest
// way: its requests began at the very start of their first cell and finished
// just before the end of their last. So a request within 10 ms of a fault, or
// of its recovery, is charged to it rather than left unexplained; within more
// where so many failed that cells are coarser ([loadgen.Cell.Grain]).
func chargeFaults(run *Run, ws []window) (charged []charge, unexplained int64) {
	charged = make([]charge, len(ws))
	overBy := overBy(ws)
	for _, rec := range run.Loads {
		unexplained += rec.Failed - rec.Failures[loadgen.CauseGenerator]
		for _, c := range rec.Cells {
			i := chargedWindow(ws, overBy, c)
			if i < 0 {
				continue
			}
			charged[i].failed += int64(c.Failed)
			charged[i].retried += int64(c.Retried)
			unexplained -= int64(c.Failed)
		}
	}
	return charged, unexplained
}

// chargedWindow returns the index of the window that a cell belongs to, or -1.
func chargedWindow(ws []window, overBy []time.Duration, c loadgen.Cell) int {
	return windowOf(ws, overBy, c.Began(), c.Ended())
}
