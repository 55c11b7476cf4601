package reports

import (
	"reflect"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen"
)

func TestFailedProbesPerBucket(t *testing.T) {
	run := Run{Duration: time.Second, Probes: []*loadgen.ProbeRecording{probesOf(".5x10.5 80x")}}
	run.Loads = []*loadgen.Recording{{Timeline: loadgen.Timeline{Width: 100 * time.Millisecond}}}
	got := Fold(run).Timeline
	if want := []int64{5, 5, 0, 0, 0, 0, 0, 0, 0, 0, 1}; !reflect.DeepEqual(got.ProbeFailed, want) {
		t.Errorf("got %v, want %v", got.ProbeFailed, want)
	}
	if err := got.check(); err != nil {
		t.Error(err)
	}
}

func TestWorkersReadyPerBucket(t *testing.T) {
	for name, c := range map[string]struct {
		ready []ReadyCount
		want  []int // −1: null
	}{
		"unknown":          {nil, []int{-1, -1, -1, -1}},
		"constant":         {[]ReadyCount{{-1, 4}}, []int{4, 4, 4, 4}},
		"a dip":            {[]ReadyCount{{0, 4}, {1100 * msec, 3}, {1150 * msec, 4}}, []int{4, 3, 4, 4}},
		"over an edge":     {[]ReadyCount{{0, 4}, {1900 * msec, 2}, {2100 * msec, 4}}, []int{4, 2, 2, 4}},
		"at an edge":       {[]ReadyCount{{0, 4}, {1000 * msec, 3}, {2000 * msec, 4}}, []int{4, 3, 4, 4}},
		"known late":       {[]ReadyCount{{1500 * msec, 3}, {1600 * msec, 4}}, []int{-1, 3, 4, 4}},
		"after the end":    {[]ReadyCount{{0, 4}, {9000 * msec, 0}}, []int{4, 4, 4, 4}},
		"several, the low": {[]ReadyCount{{0, 4}, {100 * msec, 1}, {200 * msec, 0}, {300 * msec, 2}}, []int{0, 2, 2, 2}},
	} {
		var got []int
		for _, n := range readyPerBucket(c.ready, time.Second, 4) {
			if n == nil {
				got = append(got, -1)
			} else {
				got = append(got, *n)
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestTimelineOfOneStreamStaysAsItIs(t *testing.T) {
	run := Run{Duration: 300 * time.Millisecond, Loads: []*loadgen.Recording{{Timeline: loadgen.Timeline{
		Width:   100 * time.Millisecond,
		Buckets: []loadgen.Bucket{{OK: 3, Failed: 1, P50: 2 * msec, P99: 5 * msec}, {Failed: 2}},
	}}}}
	got := Fold(run).Timeline
	if got.BucketMS != 100 || !reflect.DeepEqual(got.OK, []int64{3, 0, 0}) || !reflect.DeepEqual(got.Failed, []int64{1, 2, 0}) {
		t.Errorf("got %+v", got)
	}
	near(t, "p50", got.P50MS[0], 2)
	near(t, "p99", got.P99MS[0], 5)
	if got.P50MS[1] != nil || got.P99MS[2] != nil {
		t.Error("a percentile of no answers is not null")
	}
}

func TestTimelineOfSeveralStreams(t *testing.T) {
	at := func(us int, n uint32) loadgen.Spread { // below 32 µs a step is a microsecond
		s := make(loadgen.Spread, us+1)
		s[us] = n
		return s
	}
	fine := loadgen.Timeline{Width: 100 * msec, Buckets: []loadgen.Bucket{
		{OK: 30, Failed: 1, Latency: at(10, 30)}, {OK: 30, Latency: at(10, 30)}, {Failed: 4}, {}, {OK: 1, Latency: at(12, 1)},
	}}
	coarse := loadgen.Timeline{Width: 200 * msec, Buckets: []loadgen.Bucket{{OK: 40, Failed: 2, Latency: at(20, 40)}}}
	got := Fold(Run{Duration: 600 * msec, Loads: []*loadgen.Recording{{Timeline: fine}, {Timeline: coarse}, {}}}).Timeline
	if got.BucketMS != 200 || !reflect.DeepEqual(got.OK, []int64{100, 0, 1}) || !reflect.DeepEqual(got.Failed, []int64{3, 4, 0}) {
		t.Errorf("got %+v", got)
	}
	near(t, "p50", got.P50MS[0], 0.010)
	near(t, "p99", got.P99MS[0], 0.020)
	if err := got.check(); err != nil || got.P50MS[1] != nil {
		t.Errorf("%v, %v", err, got.P50MS[1])
	}
}
