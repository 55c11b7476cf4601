package clock

import (
	"testing"
	"time"
)

func TestNowAdvances(t *testing.T) {
	a := Now()
	for Now() == a {
	}
	if b := Now(); b.Sub(a) <= 0 {
		t.Fatalf("clock went from %d to %d", a, b)
	}
	if got := a.Add(time.Second).Sub(a); got != time.Second {
		t.Fatalf("a + 1s is %v after a", got)
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		Now()
	}
}

func TestAgreesWithTheSystem(t *testing.T) {
	// The reading must lie between two readings of the system's clock taken
	// around it, give or take the calibration's half gap.
	for range 1000 {
		before, got, after := system(), Now(), system()
		if got < before.Add(-20*time.Microsecond) || got > after.Add(20*time.Microsecond) {
			t.Fatalf("Now is %v before and %v after the system's clock", before.Sub(got), got.Sub(after))
		}
	}
}
