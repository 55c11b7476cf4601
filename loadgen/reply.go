package loadgen

import (
	"bytes"
	"io"

	"github.com/hachaos/hachaos/loadgen/http1"
)

const (
	fieldWorker = iota
	fieldDegraded
	fieldServer // only if observed
)

// reply is the answer to one request: it is read and judged. It is reused.
type reply struct {
	reader   *http1.Reader
	observed bool

	q     *request
	o     *outcome
	head  bool // it has been read
	close bool // the connection cannot be used again
	found bool // the body contains what is expected
	tail  []byte
}

func newReply(observed bool) reply {
	keep := []string{"X-Worker", "X-Degraded"}
	if observed {
		keep = append(keep, "Server")
	}
	return reply{reader: http1.NewReader(keep...), observed: observed}
}

// expect begins the answer to q.
func (r *reply) expect(q *request, o *outcome) {
	r.q, r.o = q, o
	r.head, r.found, r.tail = false, len(q.body) == 0, r.tail[:0]
}

// read reads to the answer's end and fills in the outcome. After
// [http1.ErrWait] it is called again.
func (r *reply) read() error {
	if !r.head {
		res, err := r.reader.Next(r.q.method)
		if err != nil {
			return err
		}
		r.head, r.close, r.o.status = true, res.Close, res.Status
	}
	for {
		piece, err := r.reader.Body()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		r.o.body += int64(len(piece))
		if !r.found {
			r.found = r.contains(piece)
		}
	}
	r.judge()
	return nil
}

// giveUp returns what is wrong with an answer of which no more is waited for:
// reason, unless what has come of it could not have become a good one.
func (r *reply) giveUp(reason error) error {
	if r.head {
		return reason
	}
	return r.reader.GiveUp(r.q.method, reason)
}

// contains tells whether the expected text ends in piece, and keeps what of it
// may be the text's beginning.
func (r *reply) contains(piece []byte) bool {
	text := r.q.body
	if bytes.Contains(piece, text) {
		return true
	}
	keep := len(text) - 1
	r.tail = append(r.tail, piece[:min(keep, len(piece))]...)
	if bytes.Contains(r.tail, text) {
		return true
	}
	if len(piece) > keep {
		r.tail = append(r.tail[:0], piece[len(piece)-keep:]...)
	} else if extra := len(r.tail) - keep; extra > 0 {
		r.tail = r.tail[:copy(r.tail, r.tail[extra:])]
	}
	return false
}

// judge decides what the answer is worth.
func (r *reply) judge() {
	o := r.o
	if r.observed {
		o.server, _ = r.reader.Value(fieldServer)
	}
	verdict := r.q.verdicts[o.status]
	if verdict == bad {
		o.cause = CauseStatus
		return
	}
	_, marked := r.reader.Value(fieldDegraded)
	o.degraded = verdict == degraded || marked
	// A degraded answer is a substitute: it need not say what the real one does.
	if !r.found && !o.degraded {
		o.cause = CauseExpectation
		return
	}
	o.worker, _ = r.reader.Value(fieldWorker)
}
