package bench

import (
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// No two steps of a histogram have the same name, however small they are.
func TestHistogramNamesItsSteps(t *testing.T) {
	for _, bounds := range [][2]int64{{1, 1}, {20, 240}, {90, 1100}, {50, 10_000}, {300, 60_000_000}} {
		h := hdrhistogram.New(1, 3_600_000_000, 3)
		for _, us := range bounds {
			if err := h.RecordValue(us); err != nil {
				t.Fatal(err)
			}
		}
		names := map[string]bool{}
		text := histogram(h)
		for line := range strings.Lines(text) {
			name, _, ok := strings.Cut(strings.TrimSpace(line), "s  ")
			if ok && names[name] {
				t.Errorf("%d to %d µs: two steps %q in\n%s", bounds[0], bounds[1], name, text)
			}
			names[name] = true
		}
	}
}
