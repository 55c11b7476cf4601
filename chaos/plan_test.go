package chaos

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

func seconds(s float64) units.Duration { return units.Duration(s * float64(time.Second)) }

func TestPlanTimes(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault Fault
		end   float64
		want  string
	}{
		{"once", Fault{At: seconds(3)}, 10, "[3s]"},
		{"every, as many as fit", Fault{At: seconds(3), Every: seconds(3)}, 12, "[3s 6s 9s]"},
		{"count bounds", Fault{At: seconds(1), Every: seconds(1), Count: 2}, 12, "[1s 2s]"},
		{"the load's end bounds the count", Fault{At: seconds(1), Every: seconds(1), Count: 20}, 3, "[1s 2s]"},
		{"until, itself included", Fault{At: seconds(1), Every: seconds(1), Until: seconds(3)}, 12, "[1s 2s 3s]"},
		{"unknown end, count", Fault{At: seconds(1), Every: seconds(1), Count: 2}, 0, "[1s 2s]"},
		{"unknown end, until", Fault{At: seconds(1), Every: seconds(1), Until: seconds(2)}, 0, "[1s 2s]"},
		{"unknown end, unbounded", Fault{At: seconds(1), Every: seconds(1)}, 0, "[]"},
		{"after the end", Fault{At: seconds(10)}, 10, "[]"},
	} {
		c.fault.Name, c.fault.Kill = "f", &Kill{}
		got := []time.Duration{}
		for _, s := range Plan(1, []Fault{c.fault}, seconds(c.end).Std()) {
			got = append(got, s.At)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

func TestPlanIsSeeded(t *testing.T) {
	crash := Fault{Name: "crash", Kill: &Kill{}, At: seconds(1), Every: seconds(1), Jitter: seconds(.2)}
	freeze := Fault{Name: "freeze", Pause: &Pause{}, At: seconds(1.05), Every: seconds(1), Jitter: seconds(.2)}
	print := func(seed uint64, name string, faults ...Fault) string {
		text := ""
		for _, s := range Plan(seed, faults, 10*time.Second) {
			if s.Fault.Name == name {
				text += fmt.Sprintln(s.ID(), s.At, s.Order(4))
			}
		}
		return text
	}
	alone := print(42, "crash", crash)
	if again := print(42, "crash", crash); again != alone {
		t.Errorf("the same seed gave\n%s and\n%s", alone, again)
	}
	if beside := print(42, "crash", freeze, crash); beside != alone {
		t.Errorf("another fault moved this one from\n%s to\n%s", alone, beside)
	}
	if other := print(43, "crash", crash); other == alone {
		t.Error("another seed gave the same schedule")
	}
	still := crash
	still.Jitter = 0
	for i, s := range Plan(42, []Fault{still}, 10*time.Second) {
		moved := Plan(42, []Fault{crash}, 10*time.Second)[i]
		if !slices.Equal(s.Order(4), moved.Order(4)) {
			t.Errorf("%s: a jitter changed its victims from %v to %v", s.ID(), s.Order(4), moved.Order(4))
		}
		if late := moved.At - s.At; late < 0 || late > 200*time.Millisecond {
			t.Errorf("%s: jitter of %v", s.ID(), late)
		}
	}
}

func TestOrderIsFair(t *testing.T) {
	first := map[int]int{}
	for _, s := range Plan(7, []Fault{{Name: "f", Kill: &Kill{}, At: seconds(0), Every: units.Duration(time.Millisecond)}}, 4*time.Second) {
		order := s.Order(4)
		sorted := slices.Sorted(slices.Values(order))
		if !slices.Equal(sorted, []int{1, 2, 3, 4}) {
			t.Fatalf("order %v", order)
		}
		first[order[0]]++
	}
	// 4000 draws of 4: 1000 each, standard deviation 27.
	for slot, n := range first {
		if n < 850 || n > 1150 {
			t.Errorf("slot %d came first %d times of 4000", slot, n)
		}
	}
}
