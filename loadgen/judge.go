package loadgen

import "bytes"

// judge decides what the answer to q is worth, whatever brought it: found says
// that it contains what is expected, marked that it calls itself degraded. It
// tells whether the answer is good.
func (q *request) judge(o *outcome, found, marked bool) bool {
	verdict := bad
	if o.status < len(q.verdicts) {
		verdict = q.verdicts[o.status]
	}
	if verdict == bad {
		o.cause = CauseStatus
		return false
	}
	o.degraded = verdict == degraded || marked
	// A degraded answer is a substitute: it need not say what the real one does.
	if !found && !o.degraded {
		o.cause = CauseExpectation
		return false
	}
	return true
}

// seeker looks for a text in a body that comes in pieces.
type seeker struct {
	text  []byte
	found bool
	tail  []byte // of what has come: it may be the text's beginning
}

// seek begins a body.
func (s *seeker) seek(text []byte) {
	s.text, s.found, s.tail = text, len(text) == 0, s.tail[:0]
}

// in looks into the next piece.
func (s *seeker) in(piece []byte) {
	if s.found || len(piece) == 0 {
		return
	}
	if bytes.Contains(piece, s.text) {
		s.found = true
		return
	}
	keep := len(s.text) - 1
	s.tail = append(s.tail, piece[:min(keep, len(piece))]...)
	if bytes.Contains(s.tail, s.text) {
		s.found = true
		return
	}
	if len(piece) > keep {
		s.tail = append(s.tail[:0], piece[len(piece)-keep:]...)
	} else if extra := len(s.tail) - keep; extra > 0 {
		s.tail = s.tail[:copy(s.tail, s.tail[extra:])]
	}
}
