// Package results keeps every single request of a stream of load for those who
// want them all: vegeta's tools and plots. Recordings do without.
//
// Requests are written to a temporary file as they end, so that memory does not
// depend on their number, and put in order when they are asked for. Start
// reading at [Log].
package results

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

// Entry is one request.
type Entry struct {
	Start   time.Duration // from t = 0: when it was due (open) or begun (closed)
	Latency time.Duration
	Connect time.Duration
	Wait    time.Duration
	In      int64 // bytes of the answer's body
	Request int32 // index among the stream's requests
	Status  int16
	Cause   loadgen.Cause
}

const (
	entrySize = 5*8 + 4 + 2 + 1
	blockSize = 1 << 15 // entries that are sorted in memory at a time
)

// Log takes in requests and gives them back in order. Make one with [New].
type Log struct {
	file   *os.File
	shards [loadgen.MaxShards]buffer

	mu     sync.Mutex
	blocks []int // entries of each block of the file, in its order
	err    error // the first one of writing
}

type buffer struct {
	mu    sync.Mutex
	bytes []byte
}

// New makes a Log with a temporary file in the system's folder for them, which
// [Log.Close] removes.
func New() (*Log, error) {
	f, err := os.CreateTemp("", "hachaos-results-")
	if err != nil {
		return nil, fmt.Errorf("keep every request: %w", err)
	}
	return &Log{file: f}, nil
}

// Close removes the file.
func (l *Log) Close() error {
	return errors.Join(l.file.Close(), os.Remove(l.file.Name()))
}

// Observe takes in one request; see [loadgen.Options.Observe].
func (l *Log) Observe(shard int, r *loadgen.Result) {
	b := &l.shards[shard]
	b.mu.Lock()
	defer b.mu.Unlock()
	e := Entry{
		Start: r.Start, Latency: r.Latency, Connect: r.Connect, Wait: r.Wait,
		In: r.Body, Request: int32(r.Request), Status: int16(r.Status), Cause: r.Cause,
	}
	if b.bytes = e.append(b.bytes); len(b.bytes) == blockSize*entrySize {
		l.flush(b)
	}
}

// flush writes b as a block. b.mu is held.
func (l *Log) flush(b *buffer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil && len(b.bytes) > 0 {
		if _, err := l.file.Write(b.bytes); err != nil {
			l.err = fmt.Errorf("keep every request: %w", err)
		}
		l.blocks = append(l.blocks, len(b.bytes)/entrySize)
	}
	b.bytes = b.bytes[:0]
}

// ByStart orders requests by when they began.
func ByStart(a, b *Entry) int { return cmp.Compare(a.Start, b.Start) }

// ByLatency orders requests by how long they took.
func ByLatency(a, b *Entry) int { return cmp.Compare(a.Latency, b.Latency) }

// Each calls yield with every request in an order, numbered from 0, until it
// returns an error. Nothing may be observed meanwhile.
func (l *Log) Each(order func(a, b *Entry) int, yield func(n int64, e *Entry) error) (err error) {
	for i := range l.shards {
		l.shards[i].mu.Lock()
		l.flush(&l.shards[i])
		l.shards[i].mu.Unlock()
	}
	if l.err != nil {
		return l.err
	}
	sorted, err := New()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sorted.Close()) }()
	m := merge{order: order}
	at := int64(0)
	for _, n := range l.blocks {
		if err := l.sortBlock(sorted.file, at, n, order); err != nil {
			return fmt.Errorf("put every request in order: %w", err)
		}
		size := int64(n) * entrySize
		m.add(io.NewSectionReader(sorted.file, at, size))
		at += size
	}
	heap.Init(&m)
	for n := int64(0); len(m.runs) > 0; n++ {
		if err := yield(n, &m.runs[0].head); err != nil {
			return err
		}
		if m.runs[0].next(); m.runs[0].err == nil {
			heap.Fix(&m, 0)
		} else if r := heap.Pop(&m).(*run); r.err != io.EOF {
			return fmt.Errorf("put every request in order: %w", r.err)
		}
	}
	return nil
}

// sortBlock copies the n entries at an offset to the same place in f, in order.
func (l *Log) sortBlock(f *os.File, at int64, n int, order func(a, b *Entry) int) error {
	b := make([]byte, n*entrySize)
	if _, err := l.file.ReadAt(b, at); err != nil {
		return err
	}
	entries := make([]Entry, n)
	for i := range entries {
		entries[i].read(b[i*entrySize:])
	}
	slices.SortStableFunc(entries, func(x, y Entry) int { return order(&x, &y) })
	b = b[:0]
	for i := range entries {
		b = entries[i].append(b)
	}
	_, err := f.WriteAt(b, at)
	return err
}

// merge is a heap of sorted runs by their first entries.
type merge struct {
	order func(a, b *Entry) int
	runs  []*run
}

type run struct {
	src  *bufio.Reader
	head Entry
	err  error
}

func (m *merge) add(src io.Reader) {
	r := &run{src: bufio.NewReaderSize(src, 8<<10)}
	if r.next(); r.err == nil {
		m.runs = append(m.runs, r)
	}
}

func (r *run) next() {
	var b [entrySize]byte
	if _, r.err = io.ReadFull(r.src, b[:]); r.err == nil {
		r.head.read(b[:])
	}
}

func (m *merge) Len() int           { return len(m.runs) }
func (m *merge) Less(i, j int) bool { return m.order(&m.runs[i].head, &m.runs[j].head) < 0 }
func (m *merge) Swap(i, j int)      { m.runs[i], m.runs[j] = m.runs[j], m.runs[i] }
func (m *merge) Push(x any)         { m.runs = append(m.runs, x.(*run)) }
func (m *merge) Pop() any {
	last := m.runs[len(m.runs)-1]
	m.runs = m.runs[:len(m.runs)-1]
	return last
}

func (e *Entry) append(b []byte) []byte {
	for _, v := range []int64{int64(e.Start), int64(e.Latency), int64(e.Connect), int64(e.Wait), e.In} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(e.Request))
	b = binary.LittleEndian.AppendUint16(b, uint16(e.Status))
	return append(b, byte(e.Cause))
}

func (e *Entry) read(b []byte) {
	at := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
	*e = Entry{
		Start: time.Duration(at(0)), Latency: time.Duration(at(1)), Connect: time.Duration(at(2)), Wait: time.Duration(at(3)),
		In: at(4), Request: int32(binary.LittleEndian.Uint32(b[40:])), Status: int16(binary.LittleEndian.Uint16(b[44:])),
		Cause: loadgen.Cause(b[46]),
	}
}
