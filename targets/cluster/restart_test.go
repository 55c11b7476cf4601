package cluster

import (
	"testing"
	"time"

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
