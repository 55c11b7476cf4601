package loadgen

import (
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
	body  seeker
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
	r.q, r.o, r.head = q, o, false
	r.body.seek(q.body)
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
		r.body.in(piece)
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

// judge decides what the answer is worth.
func (r *reply) judge() {
	if r.observed {
		r.o.server, _ = r.reader.Value(fieldServer)
	}
	_, marked := r.reader.Value(fieldDegraded)
	if r.q.judge(r.o, r.body.found, marked) {
		r.o.worker, _ = r.reader.Value(fieldWorker)
	}
}
