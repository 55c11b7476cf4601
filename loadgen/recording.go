package loadgen

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// CellWidth is the width of the cells that failures and retries are counted in.
const CellWidth = 10 * time.Millisecond

// Recording is what one stream of load did from t = 0 on: counters, histograms
// and sparse cells, never single requests, so that its size does not depend on
// their number. Recordings of one stream made by several generators merge.
//
// All moments are offsets from t = 0. Requests begun before it (the warm-up)
// are not in it. OK includes Degraded; Sent = OK + Failed once the stream has
// ended.
type Recording struct {
	Stream      string
	Model       string  // "closed" or "open"
	Engine      string  // which engine sent the requests: "http1"
	Concurrency int     // closed: clients; open: bound of requests in flight
	Rate        float64 // open: intended requests per second on average; closed: 0

	Start time.Duration // first request's start
	End   time.Duration // the last answer, failure or deadline
	Until time.Duration // when it was to end sending; 0: with its count

	Sent, OK, Degraded, Failed, Retried int64

	Failures [NumCauses]int64
	Statuses map[int]int64    // answers by HTTP status, good and bad
	Examples map[Cause]string // the first failure of each cause, in words
	Workers  map[string]int64 // good answers by the value of their X-Worker header

	// Latency of good answers in microseconds: from when the request was due
	// (open) or its start (closed) to its last byte. Service counts from the
	// moment it was really sent.
	Latency, Service *hdrhistogram.Histogram

	BytesIn, BytesOut int64

	Cells    []Cell   // failed (but by CauseGenerator) and retried requests, sorted by Start, Finish, Grain
	Goods    Goods    // good answers by when they finished
	Timeline Timeline // for charts

	Generator GeneratorStats
}

// Cell counts requests that started and finished in the same two cells of
// CellWidth: Start 3 means that they started from 30 ms to 40 ms after t = 0.
// Where there were too many, both stand for Grain cells, of which they name the
// first.
type Cell struct {
	Start, Finish   int32
	Failed, Retried int32
	Grain           int32 // 0 is 1
}

// Began is the earliest moment at which its requests can have begun.
func (c Cell) Began() time.Duration { return time.Duration(c.Start) * CellWidth }

// Ended is the moment before which they had ended.
func (c Cell) Ended() time.Duration {
	return (time.Duration(c.Finish) + time.Duration(max(c.Grain, 1))) * CellWidth
}

// Timeline is a stream's course in buckets of Width, by the moment a request
// finished.
type Timeline struct {
	Width   time.Duration
	Buckets []Bucket // Buckets[i] covers [i·Width, (i+1)·Width)
}

// Bucket is one step of a timeline. P50 and P99 are latencies of good answers;
// 0 if there were none.
type Bucket struct {
	OK, Failed int64
	P50, P99   time.Duration
	Latency    Spread // what P50 and P99 were read from, so that buckets merge
}

// GeneratorStats says how well the generator itself kept up.
type GeneratorStats struct {
	Intended int64                   // open: requests that were due while a slot was free
	Missed   int64                   // of those, not sent
	Lag      *hdrhistogram.Histogram // µs from max(due, a slot was free) to the send; nil for closed
	CPU      time.Duration           // processor time of the generator's process meanwhile
	CPUShare float64                 // CPU ÷ (time × processors it may use), 0…1
}

// ProbeRecording is what the prober saw on one kind of connection, folded into
// runs of equal outcome in the order of sending. Moments are offsets from t = 0.
type ProbeRecording struct {
	Connections string // "new" or "reused"
	Every       time.Duration
	Timeout     time.Duration

	// Sent and Failed leave out the probes that failed by the generator's own
	// limits: what happened meanwhile is unknown. Failures counts them.
	Sent, Failed int64
	Failures     [NumCauses]int64
	Examples     map[Cause]string

	Runs []ProbeRun // together every probe sent from t = 0 to the end, in order
	Gaps []ProbeGap // where the prober itself did not send, or could not

	// LongestStall is the longest time from one good probe's completion (or
	// t = 0) to the next (or the end of the load); StallStart is where it began.
	LongestStall, StallStart time.Duration

	Lateness *hdrhistogram.Histogram // µs a probe was sent after it was due
	Priority string                  // what the prober ran at: "SCHED_RR 1", "nice -15", "default"
}

// ProbeRun is a run of consecutive probes that all were good, or all failed.
type ProbeRun struct {
	First, Last time.Duration // when the first and the last of them were sent
	Finish      time.Duration // when the last of them to finish had its answer, or had failed
	N           int64
	Good        bool
	// Broke is, of a failed run, when it began to fail: the earliest end of an
	// answer or connection among them, where a timeout counts from its send.
	Broke time.Duration
}

// ProbeGap is a time in which the prober did not send although probes were due:
// the two sends around it lay more than twice the interval apart.
type ProbeGap struct {
	From, To time.Duration // the sends around the gap
}
