package loadgen

import "time"

// Result is what became of one request from t = 0 on, for those who need every
// single one; see [Options.Observe]. Start and Sent are offsets from t = 0.
type Result struct {
	Request int           // index among the stream's requests
	Start   time.Duration // when it was due (open) or begun (closed)
	Sent    time.Duration // when it was really begun

	Connect time.Duration // from Sent until a new connection was ready; 0 on a kept one
	Wait    time.Duration // from the request's last byte to the answer's first; 0 without an answer
	Latency time.Duration // from Start to the answer's last byte, or the failure

	Cause   Cause
	Err     error // why it failed, unless Status tells
	Status  int   // 0 without a whole answer
	Retried bool  // it was sent once more; see Recording.Retried
	Kept    bool  // the connection stays open for the next request

	In, Out int64  // bytes of everything received and sent
	Body    int64  // bytes of the answer's body
	Server  []byte // value of the Server header, valid during the call only
}

// Lost tells whether no whole answer came: the connection failed, or time ran
// out. An answer that was not the expected one is not lost.
func (r *Result) Lost() bool {
	return r.Cause != CauseNone && r.Cause != CauseStatus && r.Cause != CauseExpectation
}

// tell tells the stream's observer of a request that has ended.
func (s *shard) tell(o *outcome) {
	r := &s.result
	*r = Result{
		Request: o.q.index, Start: o.start.Sub(s.epoch), Sent: o.sent.Sub(s.epoch), Latency: o.done.Sub(o.start),
		Cause: o.cause, Err: o.err, Status: o.status, Retried: o.retried, Kept: o.kept,
		In: o.in, Out: o.out, Body: o.body, Server: o.server,
	}
	if o.connected > o.sent {
		r.Connect = o.connected.Sub(o.sent)
	}
	if o.first > o.written && o.written > 0 {
		r.Wait = o.first.Sub(o.written)
	}
	s.observe(s.index, r)
}
