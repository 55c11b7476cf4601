package netproxy

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// HTTPFault answers chosen HTTP/1.1 requests in place of the upstream, which
// never sees them, delays them, or resets their connection. It acts on both
// directions, whatever its stream. A connection that goes over to another
// protocol, or speaks none that is HTTP/1.1, passes untouched from then on.
type HTTPFault struct {
	Methods     Names   `json:"methods"`     // such as ["GET"]; none: all
	Path        string  `json:"path"`        // a regular expression that is found in the target; "": all
	Probability float64 `json:"probability"` // for each request; default 1

	Status int    `json:"status"` // answer with it, 200…599; 0: do not
	Body   string `json:"body"`   // of that answer
	Delay  int64  `json:"delay"`  // milliseconds, before everything else
	Jitter int64  `json:"jitter"` // ± milliseconds
	Abort  bool   `json:"abort"`  // reset the connection

	path pattern
}

func (a *HTTPFault) check() error {
	switch {
	case a.Status == 0 && a.Delay == 0 && a.Jitter == 0 && !a.Abort:
		return errors.New("neither a status nor a delay nor an abort is given")
	case a.Status != 0 && a.Abort:
		return errors.New("a status and an abort exclude each other")
	case a.Status != 0 && (a.Status < 200 || a.Status > 599):
		return fmt.Errorf("status %d: from 200 to 599", a.Status)
	case a.Body != "" && a.Status == 0:
		return errors.New("a body needs a status")
	}
	return errors.Join(
		share("probability", a.Probability),
		notNegative("delay", a.Delay), notNegative("jitter", a.Jitter),
		a.path.compile(a.Path),
	)
}

// httpState is what is known of a connection.
type httpState struct {
	exchange
	request  httpFramer
	ours     bool // the request is answered here
	close    bool // and the connection ended, as its body may never come
	head     bool // the request is a HEAD
	response httpFramer
	heads    []bool // of the requests that are not answered: which are HEAD
}

func (a *HTTPFault) take(s *stage, c chunk) {
	st := shared[httpState](s)
	switch {
	case c.mark != data || st.opaque:
		a.leave(s, c.at)
		s.pass(c, c.at)
	case s.dir == Upstream:
		a.requests(s, st, c)
	default:
		a.responses(s, st, c)
	}
}

func (a *HTTPFault) leave(s *stage, now time.Duration) {
	st := shared[httpState](s)
	st.release(upper(s), st.request.head, now)
	st.request.head = nil
}

func (a *HTTPFault) requests(s *stage, st *httpState, c chunk) {
	for b := c.bytes; len(b) > 0; {
		if st.opaque {
			s.pass(chunk{bytes: b, at: c.at}, c.at)
			return
		}
		if st.close {
			return // the connection ends with the answer that is on its way
		}
		if st.waiting {
			st.backlog = append(st.backlog, b...)
			return
		}
		before := st.request.phase
		n, event, err := st.request.feed(b)
		part := b[:n:n]
		b = b[n:]
		switch {
		case err != nil && before == inHead:
			a.leave(s, c.at)
			continue
		case before == inHead && event != headCame: // kept in the framer
		case event == headCame:
			if a.decide(s, st, c.at) {
				event = bodyEnded
			}
		case st.ours:
			st.swallow(part)
		default:
			s.pass(chunk{bytes: part, at: c.at}, c.at)
		}
		if err != nil {
			a.leave(s, c.at)
			continue
		}
		if event == bodyEnded && st.ours {
			st.ours = false
			st.exchange.reply(s, a.answer(st), c.at+spread(s, a.Delay, a.Jitter), st.close)
		}
	}
}

// decide does what the fault wants with the request whose head has come, and
// tells whether the request is complete.
func (a *HTTPFault) decide(s *stage, st *httpState, at time.Duration) bool {
	head := st.request.head
	h, err := parseHead(head, false)
	if err != nil || h.method == http.MethodConnect {
		a.leave(s, at)
		return false
	}
	complete := st.request.begin(h.chunked, h.length, false)
	if !a.Methods.matches(h.method) || !a.path.matches([]byte(h.path)) || s.rng.Float64() >= a.Probability {
		st.outstanding++
		st.heads = append(st.heads, h.method == http.MethodHead)
		s.pass(chunk{bytes: head, at: at}, at)
		return complete
	}
	s.count(len(head))
	if a.Status != 0 {
		st.ours, st.close, st.head = true, h.expects, h.method == http.MethodHead
		st.swallow(head)
		return complete || h.expects
	}
	due := at + spread(s, a.Delay, a.Jitter)
	if a.Abort {
		s.pass(chunk{mark: reset, at: at}, due)
		return complete
	}
	st.outstanding++
	st.heads = append(st.heads, h.method == http.MethodHead)
	s.pass(chunk{bytes: head, at: at}, due)
	return complete
}

func (a *HTTPFault) answer(st *httpState) []byte {
	body := a.Body
	if st.head || a.Status == http.StatusNoContent || a.Status == http.StatusNotModified {
		body = ""
	}
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n", a.Status, http.StatusText(a.Status))
	if a.Status != http.StatusNoContent {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(a.Body))
	}
	if st.close {
		head += "Connection: close\r\n"
	}
	return []byte(head + "\r\n" + body)
}

func (a *HTTPFault) responses(s *stage, st *httpState, c chunk) {
	for b := c.bytes; len(b) > 0; {
		if st.opaque {
			s.pass(chunk{bytes: b, at: c.at}, c.at)
			return
		}
		n, event, err := st.response.feed(b)
		s.pass(chunk{bytes: b[:n:n], at: c.at}, c.at)
		b = b[n:]
		if err == nil && event == headCame {
			event, err = a.begin(st)
		}
		if err != nil {
			a.leave(s, c.at)
			continue
		}
		if event == bodyEnded {
			if len(st.heads) > 0 {
				st.heads = st.heads[1:]
			}
			if backlog := st.answered(s, c.at); len(backlog) > 0 {
				s.peer.take(chunk{bytes: backlog, at: c.at})
			}
		}
	}
}

// begin follows a response into its body (RFC 9112 §6.3).
func (a *HTTPFault) begin(st *httpState) (frameEvent, error) {
	h, err := parseHead(st.response.head, true)
	switch {
	case err != nil || h.status == http.StatusSwitchingProtocols:
		return needMore, errHTTP
	case h.status < 200:
		st.response.begin(false, 0, false)
		return needMore, nil // an interim response answers nothing
	}
	toHead := len(st.heads) > 0 && st.heads[0]
	if toHead || h.status == http.StatusNoContent || h.status == http.StatusNotModified {
		h.chunked, h.length = false, 0
	}
	if st.response.begin(h.chunked, h.length, h.length < 0) {
		return bodyEnded, nil
	}
	return needMore, nil
}
