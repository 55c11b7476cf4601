package results

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/hachaos/hachaos/loadgen"
)

// TestOrdersMoreThanFitsInMemory spreads requests over shards and blocks.
func TestOrdersMoreThanFitsInMemory(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	name := l.file.Name()
	const each = blockSize + 1000
	var wg sync.WaitGroup
	for shard := range 3 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(shard)))
			for i := range each {
				start := time.Duration(3*i+shard) * time.Microsecond
				l.Observe(shard, &loadgen.Result{Start: start + time.Duration(rng.IntN(1000))*3*time.Microsecond, Latency: time.Duration(rng.Int64N(1e9)), Status: 200, Body: 7})
			}
		})
	}
	wg.Wait()
	for name, order := range map[string]func(a, b *Entry) int{"start": ByStart, "latency": ByLatency} {
		var last Entry
		want := int64(0)
		err := l.Each(order, func(n int64, e *Entry) error {
			if n != want || n > 0 && order(&last, e) > 0 || e.Status != 200 || e.In != 7 {
				t.Fatalf("by %s: entry %d is number %d, %+v after %+v", name, want, n, *e, last)
			}
			last = *e
			want++
			return nil
		})
		if err != nil || want != 3*each {
			t.Errorf("by %s: %d entries, %v", name, want, err)
		}
	}
	stop := errors.New("enough")
	if err := l.Each(ByStart, func(int64, *Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s was left behind: %v", name, err)
	}
}

func TestVegetaReadsIt(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Observe(1, &loadgen.Result{Start: 2 * time.Second, Latency: time.Second, Status: 503, Cause: loadgen.CauseStatus, Request: 1})
	l.Observe(0, &loadgen.Result{Start: time.Second, Latency: 3 * time.Millisecond, Status: 200, Body: 5, In: 100, Out: 50})
	l.Observe(0, &loadgen.Result{Start: 3 * time.Second, Latency: time.Millisecond, Cause: loadgen.CauseReset})
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var b bytes.Buffer
	err = l.Vegeta(&b, Attack{Name: "bench", Started: started, URL: "http://127.0.0.1", Requests: []loadgen.Request{{Method: "GET", Path: "/"}, {Method: "POST", Path: "/p", Body: "abc"}}})
	if err != nil {
		t.Fatal(err)
	}
	decode := vegeta.NewDecoder(&b)
	want := []vegeta.Result{
		{Attack: "bench", Seq: 0, Code: 200, Timestamp: started.Add(time.Second), Latency: 3 * time.Millisecond, BytesIn: 5, Method: "GET", URL: "http://127.0.0.1/"},
		{Attack: "bench", Seq: 1, Code: 503, Timestamp: started.Add(2 * time.Second), Latency: time.Second, BytesOut: 3, Error: "503 Service Unavailable", Method: "POST", URL: "http://127.0.0.1/p"},
		{Attack: "bench", Seq: 2, Timestamp: started.Add(3 * time.Second), Latency: time.Millisecond, Error: "reset", Method: "GET", URL: "http://127.0.0.1/"},
	}
	for _, w := range want {
		var r vegeta.Result
		if err := decode(&r); err != nil || !r.Equal(w) {
			t.Errorf("got %+v, %v, want %+v", r, err, w)
		}
	}
	if err := decode(&vegeta.Result{}); err != io.EOF {
		t.Errorf("after the last: %v", err)
	}
}
