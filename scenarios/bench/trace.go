package bench

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/hachaos/hachaos/loadgen"
)

// trace prints what -v asks for, as ab does: from 2 on the first request, the
// header of every answer and which are not 2xx, from 3 on every status.
type trace struct {
	statuses bool

	mu   sync.Mutex
	w    io.Writer
	sent bool
}

// wire is told of what goes over connections. Printing may fail as all printing
// may: nothing depends on it.
func (t *trace) wire(sent bool, b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sent {
		if !t.sent {
			t.sent = true
			head, _, _ := bytes.Cut(b, []byte("\r\n\r\n"))
			method, _, _ := bytes.Cut(head, []byte(" "))
			fmt.Fprintf(t.w, "INFO: %s header == \n---\n%s\r\n\r\n\n---\n", method, head)
		}
		return
	}
	if bytes.HasPrefix(b, []byte("HTTP/")) {
		fmt.Fprintf(t.w, "LOG: header received:\n%s\n", b)
	}
}

// answer is told of every request that has ended.
func (t *trace) answer(r *loadgen.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case r.Status == 0:
		fmt.Fprintf(t.w, "WARNING: no answer: %v\n", r.Err)
	case r.Status < 200 || r.Status > 299:
		fmt.Fprintf(t.w, "WARNING: Response code not 2xx (%d)\n", r.Status)
	case t.statuses:
		fmt.Fprintf(t.w, "LOG: Response code = %d\n", r.Status)
	}
}
