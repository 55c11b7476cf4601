package reports

import (
	"testing"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
)

// goods is one good answer in every 10 ms of the time.
func goods(d time.Duration) loadgen.Goods {
	g := loadgen.Goods{Width: loadgen.CellWidth, N: make([]uint32, d/loadgen.CellWidth)}
	for i := range g.N {
		g.N[i] = 1
	}
	return g
}

func TestPhases(t *testing.T) {
	run := crashRun()
	run.Loads[0].Goods = goods(15 * time.Second)
	r := Fold(run)
	// crash#1 strikes at 3 s and is over at 3.048 s, crash#2 at 6 s and 6.051 s.
	for _, c := range []struct {
		name       string
		got        *Phase
		from, to   float64
		ok, failed int64
	}{
		{"before 1", r.Faults[0].Before, 0, 3, 300, 0},
		{"during 1", r.Faults[0].During, 3, 3.048, 4, 1},
		{"after 1", r.Faults[0].After, 3.048, 6, 296, 0},
		{"before 2", r.Faults[1].Before, 3.048, 6, 296, 0},
		{"during 2", r.Faults[1].During, 6, 6.051, 5, 3},
		{"after 2", r.Faults[1].After, 6.051, 15, 895, 0},
	} {
		if c.got == nil || c.got.FromS != c.from || c.got.ToS != c.to || c.got.OK != c.ok || c.got.Failed != c.failed {
			t.Errorf("%s: %+v, want %+v", c.name, c.got, c)
		}
	}
}

// A fault that nothing recovered from lasts to the end, and what finished after
// it too; one that strikes before the recovery has no time before it.
func TestPhasesOverlap(t *testing.T) {
	run := crashRun()
	run.Loads[0].Goods = goods(15500 * time.Millisecond)
	run.Ready = run.Ready[:2]
	run.Ready = append(run.Ready, ReadyCount{At: 6002 * time.Millisecond, Ready: 2})
	r := Fold(run)
	if p := r.Faults[0].During; p.ToS != 6 {
		t.Errorf("during 1: %+v", p)
	}
	if p := r.Faults[1].Before; p.FromS != 6 || p.ToS != 6 || p.OK != 0 || p.Availability != nil {
		t.Errorf("before 2: %+v", p)
	}
	if p := r.Faults[1].During; p.OK != 950 || p.Failed != 3 {
		t.Errorf("during 2: %+v", p)
	}
	if p := r.Faults[1].After; p.OK != 0 || p.FromS != p.ToS {
		t.Errorf("after 2: %+v", p)
	}
}

// In a long run good answers are known to a wider step than failures: both count
// in the phase in which such a step ends, and where none does nothing is known.
func TestPhasesOfALongRun(t *testing.T) {
	run := crashRun()
	run.Duration, run.Faults = 30*time.Minute, []chaos.Event{kill("crash", 1, 100*time.Second)}
	run.Probes = []*loadgen.ProbeRecording{probesOf(".180000")}
	for _, c := range []struct {
		recovered     time.Duration
		during, after Phase
	}{
		{100030 * msec, Phase{OK: 0, Failed: 0}, Phase{OK: 42500 * 4, Failed: 1}},
		{100040 * msec, Phase{OK: 4, Failed: 1, Availability: known(0.8)}, Phase{OK: 42499 * 4}},
	} {
		run.Ready = []ReadyCount{{0, 4}, {100001 * msec, 3}, {c.recovered, 4}}
		run.Loads = []*loadgen.Recording{stream("main", 180_000, cell(100010*msec, 100010*msec, 1))}
		run.Loads[0].Goods = loadgen.Goods{Width: 40 * msec, N: make([]uint32, 45_000)}
		for i := range run.Loads[0].Goods.N {
			run.Loads[0].Goods.N[i] = 4
		}
		f := &Fold(run).Faults[0]
		if d := f.During; d.OK != c.during.OK || d.Failed != c.during.Failed || (d.Availability == nil) != (c.during.Availability == nil) {
			t.Errorf("recovered at %v: during %+v, want %+v", c.recovered, d, c.during)
		}
		if a := f.After; a.OK != c.after.OK || a.Failed != c.after.Failed {
			t.Errorf("recovered at %v: after %+v, want %+v", c.recovered, a, c.after)
		}
	}
}
