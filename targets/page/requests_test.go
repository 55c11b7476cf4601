package page

import (
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestRequestsAreCountedByKey(t *testing.T) {
	path, ours := created(t)
	theirs, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	good, bad := Key{MethodOf("GET"), 1, 200}, Key{MethodOf("BREW"), 1, 503}
	var wg sync.WaitGroup
	for _, p := range []*Page{ours, theirs} {
		wg.Go(func() {
			for range 1000 {
				p.Requests(3).Observe(good, time.Millisecond)
				p.Requests(3).Observe(good, time.Millisecond+1)
				p.Requests(0).Observe(bad, time.Hour)
			}
		})
	}
	wg.Wait()
	all := map[Key]Series{}
	for slot := range shards {
		ours.Requests(slot).Add(all)
	}
	g, b := all[good], all[bad]
	if len(all) != 2 || g.Buckets[0] != 2000 || g.Buckets[1] != 2000 || g.Count() != 4000 || b.Buckets[len(Bounds)] != 2000 || b.Sum != 2000*time.Hour {
		t.Errorf("the page has %+v", all)
	}
	if bad.Method.String() != "other" || good.Method.String() != "GET" {
		t.Errorf("methods %v and %v", good.Method, bad.Method)
	}
}

// More combinations than there is room for: none is lost.
func TestRequestsBeyondTheRoomAreCountedTogether(t *testing.T) {
	p, err := Create(filepath.Join(t.TempDir(), "page"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range 2 {
		for status := range uint16(500) {
			p.Requests(1).Observe(Key{1, 1, 100 + status}, 0)
		}
	}
	all := map[Key]Series{}
	p.Requests(1).Add(all)
	var n int64
	for k, s := range all {
		if k != (Key{}) && s.Count() != 2 {
			t.Errorf("%+v was counted %d times", k, s.Count())
		}
		n += s.Count()
	}
	if n != 1000 || len(all) != seriesPerShard {
		t.Errorf("%d requests in %d series", n, len(all))
	}
}

func BenchmarkObserve(b *testing.B) {
	p, err := Create(filepath.Join(b.TempDir(), "page"))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	r, k := p.Requests(1), Key{1, 2, 200}
	for b.Loop() {
		r.Observe(k, 20*time.Millisecond)
	}
}
