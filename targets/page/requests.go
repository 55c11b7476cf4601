package page

import (
	"sync/atomic"
	"time"
)

// shards is one for the master and one for each slot that there can be.
const shards = 1 + 1024

// seriesPerShard bounds how many combinations of method, route and status a
// shard tells apart; what is beyond it is counted together.
const seriesPerShard = 128

// Bounds are the upper ends of the buckets in which durations are counted; one
// more bucket holds what took longer.
var Bounds = [13]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// Key is by what requests are told apart. Route is a number that only those who
// share the page give a meaning; the zero Key is everything else.
type Key struct {
	Method Method
	Route  uint8
	Status uint16
}

// used tells the key of a series from no series.
const used = 1 << 63

func (k Key) pack() uint64 {
	return used | uint64(k.Method)<<32 | uint64(k.Route)<<16 | uint64(k.Status)
}

func unpack(k uint64) Key {
	return Key{Method: Method(k >> 32), Route: uint8(k >> 16), Status: uint16(k)}
}

// Requests counts the requests of one slot, or of the master (slot 0), over all
// processes that it ever had. Several processes may use it at once.
type Requests struct{ series [seriesPerShard]series }

// series has the size of two cache lines.
type series struct {
	key     atomic.Uint64
	sum     atomic.Int64 // ns
	buckets [len(Bounds) + 1]atomic.Int64
}

// Series is how often a request was answered, and how long that took.
type Series struct {
	Sum     time.Duration
	Buckets [len(Bounds) + 1]int64 // each without those before it
}

// Count is the number of requests.
func (s *Series) Count() (n int64) {
	for _, b := range s.Buckets {
		n += b
	}
	return n
}

// Requests returns what the requests of a slot are counted in; 0 is the master.
func (p *Page) Requests(slot int) *Requests { return &p.requests[slot%shards] }

// Observe counts a request that took so long. It allocates nothing and waits for
// nobody.
func (r *Requests) Observe(k Key, took time.Duration) {
	s := r.find(k)
	i := 0
	for i < len(Bounds) && took > Bounds[i] {
		i++
	}
	s.sum.Add(int64(took))
	s.buckets[i].Add(1)
}

// find returns the series of a key, which it takes if there is none.
func (r *Requests) find(k Key) *series {
	packed := k.pack()
	first := packed * 0x9e3779b97f4a7c15 >> 57 // Fibonacci hashing to 7 bits
	const last = seriesPerShard - 1            // it stays for what finds no place
	for i := range uint64(last) {
		s := &r.series[(first+i)%last]
		got := s.key.Load()
		if got == 0 && s.key.CompareAndSwap(0, packed) {
			return s
		}
		if s.key.Load() == packed {
			return s
		}
	}
	s := &r.series[last]
	s.key.CompareAndSwap(0, Key{}.pack())
	return s
}

// Add adds what was counted by now to all, by key.
func (r *Requests) Add(all map[Key]Series) {
	for i := range r.series {
		s := &r.series[i]
		packed := s.key.Load()
		if packed == 0 {
			continue
		}
		k := unpack(packed)
		sum := all[k]
		sum.Sum += time.Duration(s.sum.Load())
		for b := range s.buckets {
			sum.Buckets[b] += s.buckets[b].Load()
		}
		all[k] = sum
	}
}

// Method is an HTTP method; 0 is any that is not told apart.
type Method uint8

// methods are those that are told apart; their order is part of the page.
var methods = [...]string{"other", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// MethodOf returns the method of a name.
func MethodOf(name string) Method {
	for i, m := range methods {
		if m == name {
			return Method(i)
		}
	}
	return 0
}

// String is its name, or other.
func (m Method) String() string {
	if int(m) < len(methods) {
		return methods[m]
	}
	return methods[0]
}
