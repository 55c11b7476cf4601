package cluster

import (
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
)

func TestBackoff(t *testing.T) {
	b := NewBackoff(Restart{
		Backoff:    units.Duration(100 * time.Millisecond),
		MaxBackoff: units.Duration(350 * time.Millisecond),
		MinUptime:  units.Duration(time.Second),
	})
	for i, c := range []struct{ lived, want time.Duration }{
		{time.Minute, 0},
		{999 * time.Millisecond, 100 * time.Millisecond},
		{0, 200 * time.Millisecond},
		{0, 350 * time.Millisecond},
		{0, 350 * time.Millisecond},
		{time.Second, 0},
		{0, 100 * time.Millisecond},
	} {
		if got := b.Next(c.lived); got != c.want {
			t.Errorf("wait %d, after a life of %v: %v, want %v", i, c.lived, got, c.want)
		}
	}
	// However many there are, the wait stays within its bound.
	for range 200 {
		if got := b.Next(0); got < 0 || got > 350*time.Millisecond {
			t.Fatalf("a wait of %v", got)
		}
	}
}

func TestReplaces(t *testing.T) {
	for _, c := range []struct {
		when             string
		failed, replaced bool
	}{
		{"always", true, true}, {"always", false, true},
		{"on-failure", true, true}, {"on-failure", false, false},
		{"never", true, false}, {"never", false, false},
	} {
		if got := (Restart{When: c.when}).Replaces(c.failed); got != c.replaced {
			t.Errorf("%s, failed %v: replaced %v", c.when, c.failed, got)
		}
	}
}

func TestExhausted(t *testing.T) {
	b := NewBackoff(Restart{MinUptime: units.Duration(time.Second), Max: 2, Window: units.Duration(time.Minute)})
	for i, c := range []struct {
		at, lived time.Duration
		want      bool
	}{
		{1, 0, false}, {2, 0, false}, {3, time.Second, false}, {4, 0, true},
		{time.Minute + 3, 0, false}, // those at 1 and 2 are forgotten, not that at 4
		{time.Minute + 3, 0, true},
		{3 * time.Minute, 0, false},
	} {
		if got := b.Exhausted(clock.Time(c.at), c.lived); got != c.want {
			t.Errorf("end %d: exhausted %v, want %v", i, got, c.want)
		}
	}
}
