package loadgen

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// probeConfig is the first line the prober reads.
type probeConfig struct {
	URL         string        `json:"url"`
	Request     Request       `json:"request"`
	Every       time.Duration `json:"every"`
	Timeout     time.Duration `json:"timeout"`
	Connections string        `json:"connections"`
	Epoch       clock.Time    `json:"epoch"`
	TLS         *TLSOptions   `json:"tls"`
	Connect     Connect       `json:"connect"`
}

// Kinds of connection, as indices and as names.
var probeKinds = [...]string{"new", "reused"}

// probeRecord is what the prober writes about one probe.
type probeRecord struct {
	kind            uint8 // index of probeKinds
	cause           Cause
	seq             uint64
	due, send, done clock.Time
	text            string
}

// Every record begins with its type. Numbers are little endian.
const (
	recordPriority = 'P' // length (2 bytes) and text
	recordProbe    = 'p' // the fields of probeRecord in order, text by length (2 bytes)
	recordEnd      = 'E' // the prober has done all it was asked to
)

const probeRecordSize = 1 + 1 + 1 + 4*8 + 2

func appendText(b []byte, text string) []byte {
	text = text[:min(len(text), maxExample)]
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(text))), text...)
}

func appendPriority(b []byte, priority string) []byte {
	return appendText(append(b, recordPriority), priority)
}

func (r *probeRecord) append(b []byte) []byte {
	b = append(b, recordProbe, r.kind, byte(r.cause))
	b = binary.LittleEndian.AppendUint64(b, r.seq)
	for _, t := range []clock.Time{r.due, r.send, r.done} {
		b = binary.LittleEndian.AppendUint64(b, uint64(t))
	}
	return appendText(b, r.text)
}

// probeReader reads what the prober writes.
type probeReader struct{ r *bufio.Reader }

// next calls one of the functions for the next record. It returns io.EOF after
// the end record, io.ErrUnexpectedEOF if the output ends without one.
func (p probeReader) next(priority func(string), probe func(probeRecord)) error {
	typ, err := p.r.ReadByte()
	if err == nil {
		switch typ {
		case recordPriority:
			var text string
			if text, err = p.text(); err == nil {
				priority(text)
			}
		case recordProbe:
			var r probeRecord
			if r, err = p.probe(); err == nil {
				probe(r)
			}
		case recordEnd:
			return io.EOF
		default:
			return fmt.Errorf("unknown record %q", typ)
		}
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (p probeReader) text() (string, error) {
	var size [2]byte
	if _, err := io.ReadFull(p.r, size[:]); err != nil {
		return "", err
	}
	text := make([]byte, binary.LittleEndian.Uint16(size[:]))
	_, err := io.ReadFull(p.r, text)
	return string(text), err
}

func (p probeReader) probe() (r probeRecord, err error) {
	var b [probeRecordSize - 1 - 2]byte
	if _, err := io.ReadFull(p.r, b[:]); err != nil {
		return r, err
	}
	if r.kind, r.cause = b[0], Cause(b[1]); int(r.kind) >= len(probeKinds) || r.cause >= NumCauses {
		return r, fmt.Errorf("malformed record of a probe: connection %d, cause %d", b[0], b[1])
	}
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(b[2+8*i:]) }
	r.seq = number(0)
	r.due, r.send, r.done = clock.Time(number(1)), clock.Time(number(2)), clock.Time(number(3))
	r.text, err = p.text()
	return r, err
}
