package results

import (
	"fmt"
	"io"
	"net/http"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/hachaos/hachaos/loadgen"
)

// Attack is what vegeta's encoding says of every request alike.
type Attack struct {
	Name     string
	Started  time.Time         // wall clock at t = 0
	URL      string            // of the target, without its path
	Requests []loadgen.Request // of the stream
}

// Vegeta writes every request in the encoding that vegeta report and vegeta
// plot read: by when they began, numbered from 0 without gaps.
func (l *Log) Vegeta(w io.Writer, a Attack) error {
	encode := vegeta.NewEncoder(w)
	return l.Each(ByStart, func(n int64, e *Entry) error {
		request := a.Requests[e.Request]
		return encode(&vegeta.Result{
			Attack: a.Name, Seq: uint64(n), Code: uint16(e.Status), Timestamp: a.Started.Add(e.Start), Latency: e.Latency,
			BytesOut: uint64(len(request.Body)), BytesIn: uint64(e.In), Error: e.reason(),
			Method: request.Method, URL: a.URL + request.Path,
		})
	})
}

// reason is why the request failed: the cause, or the status as vegeta writes it.
func (e *Entry) reason() string {
	switch e.Cause {
	case loadgen.CauseNone:
		return ""
	case loadgen.CauseStatus:
		return fmt.Sprintf("%d %s", e.Status, http.StatusText(int(e.Status)))
	}
	return e.Cause.String()
}
