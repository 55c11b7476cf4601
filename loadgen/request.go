package loadgen

import (
	"strings"

	"github.com/hachaos/hachaos/loadgen/http1"
)

const userAgent = "hachaos"

// request is a [Request] made ready to be sent many times.
type request struct {
	index      int // among the stream's requests
	method     string
	raw        []byte // the whole of it
	idempotent bool
	verdicts   [1000]verdict // by status
	body       []byte        // that a good answer contains

	// What raw is made of, for engines that write it otherwise.
	target  string
	fields  []http1.Field
	content string // the body
}

type verdict uint8

const (
	bad verdict = iota
	good
	degraded
)

// compile makes r ready to be sent to e, on connections that are kept or not.
// The error says what of it cannot be sent.
func compile(r Request, e endpoint, keepalive bool) (*request, error) {
	fields := []http1.Field{{Name: "Host", Value: e.authority}, {Name: "User-Agent", Value: userAgent}}
	if e.user != "" {
		fields = append(fields, http1.Field{Name: "Authorization", Value: e.user})
	}
	if e.proxyUser != "" {
		fields = append(fields, http1.Field{Name: "Proxy-Authorization", Value: e.proxyUser})
	}
	if !keepalive {
		fields = append(fields, http1.Field{Name: "Connection", Value: "close"})
	}
	for _, name := range sortedKeys(r.Headers) {
		fields = setField(fields, http1.Field{Name: name, Value: r.Headers[name]})
	}
	raw, err := http1.AppendRequest(nil, r.Method, e.target(r.Path), fields, r.Body)
	if err != nil {
		return nil, err
	}
	q := &request{method: r.Method, raw: raw, idempotent: http1.Idempotent(r.Method), body: []byte(r.Expect.Body),
		target: e.target(r.Path), fields: fields, content: r.Body}
	q.mark(r.Expect.Status, good)
	q.mark(r.Expect.Degraded, degraded)
	return q, nil
}

func setField(fields []http1.Field, f http1.Field) []http1.Field {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, f.Name) {
			fields[i].Value = f.Value
			return fields
		}
	}
	return append(fields, f)
}

func (q *request) mark(ranges []StatusRange, v verdict) {
	for _, r := range ranges {
		for status := max(0, r.From); status <= min(r.To, len(q.verdicts)-1); status++ {
			q.verdicts[status] = v
		}
	}
}
