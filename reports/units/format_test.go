package units

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 1: "1 ns", 999: "999 ns", time.Microsecond: "0.001 ms", 55 * time.Microsecond: "0.055 ms",
		1500 * time.Microsecond: "1.5 ms", 10 * time.Millisecond: "10 ms", 48 * time.Millisecond: "48 ms", 999 * time.Millisecond: "999 ms",
		999600 * time.Microsecond: "1 s", time.Second: "1 s", 1250 * time.Millisecond: "1.25 s", 43200 * time.Millisecond: "43.2 s",
		59940 * time.Millisecond: "59.94 s", 59950 * time.Millisecond: "1 min", 59999 * time.Millisecond: "1 min", time.Minute: "1 min",
		2592 * time.Second: "43 min 12 s", 31536 * time.Second: "8 h 46 min", time.Hour - time.Millisecond: "1 h", 87*time.Hour + 29*time.Minute: "3 d 15 h",
		365 * 24 * time.Hour: "365 d", -1250 * time.Millisecond: "-1.25 s", math.MinInt64: "-106751 d 23 h",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestFormatPercent(t *testing.T) {
	for _, c := range []struct {
		ratio float64
		want  string
	}{
		{1, "100 %"}, {2, "100 %"}, {0, "0 %"}, {-1, "0 %"}, {math.NaN(), "unknown"}, {0.5, "50.00 %"}, {0.25, "25.00 %"},
		{13008.0 / 13012, "99.97 %"}, {1499.0 / 1500, "99.93 %"}, {0.999, "99.90 %"}, {0.9999, "99.99 %"}, {0.99995, "99.995 %"},
		{0.99999, "99.999 %"}, {0.999999, "99.9999 %"}, {0.999996, "99.9996 %"}, {0.9999999, "99.99999 %"},
		{0.0001, "0.01 %"}, {0.00001, "0.001 %"}, {4e-6, "0.0004 %"}, {math.Nextafter(1, 0), "99.99999999999999 %"}, {1e-30, "1e-28 %"},
	} {
		if got := FormatPercent(c.ratio); got != c.want {
			t.Errorf("FormatPercent(%v) = %q, want %q", c.ratio, got, c.want)
		}
	}
}

// Bounds have no digits that the figure between them does not have, and never
// reach an end that they are short of.
func TestFormatInterval(t *testing.T) {
	for _, c := range []struct {
		ratio  float64
		bounds [2]float64
		want   string
	}{
		{0.9997, [2]float64{0.9979, 0.999999993}, "99.79 % to above 99.99 %"},
		{0.9965, [2]float64{0.9812, 0.99987}, "98.12 % to 99.99 %"},
		{1, [2]float64{0.9997, 1}, "99.97 % to 100 %"},
		{1, [2]float64{0.999997, 1}, "99.9997 % to 100 %"},
		{0.99992, [2]float64{0.9997, 0.9999993}, "99.970 % to above 99.999 %"},
		{0.999992, [2]float64{0.999990, 0.9999951}, "99.9990 % to 99.9996 %"},
		{0.9997, [2]float64{0.997851, 0.99981}, "99.78 % to 99.99 %"},
		{0.5, [2]float64{0, 1}, "0 % to 100 %"},
		{0, [2]float64{0, 0.0123}, "0 % to 1.23 %"},
		{0.001, [2]float64{0.00000001, 0.04}, "below 0.01 % to 4.00 %"},
		{0.5, [2]float64{0.5, 0.5}, "50.00 % to 50.00 %"},
		{math.Nextafter(1, 0), [2]float64{math.Nextafter(1, 0), 1}, "99.99999999999999 % to 100 %"},
		{1, [2]float64{math.NaN(), 1}, "unknown to 100 %"},
	} {
		if got := FormatInterval(c.ratio, c.bounds); got != c.want {
			t.Errorf("FormatInterval(%v, %v) = %q, want %q", c.ratio, c.bounds, got, c.want)
		}
	}
}

func FuzzFormatPercent(f *testing.F) {
	f.Add(0.99995)
	f.Add(1 - 1e-16)
	f.Fuzz(func(t *testing.T, ratio float64) {
		text := FormatPercent(ratio)
		if math.IsNaN(ratio) || ratio <= 0 || ratio >= 1 {
			return
		}
		v, err := strconv.ParseFloat(strings.TrimSuffix(text, " %"), 64)
		if err != nil {
			t.Fatalf("%v prints %q", ratio, text)
		}
		if v <= 0 || v >= 100 {
			t.Fatalf("%v prints %q", ratio, text)
		}
		if math.Abs(v-100*ratio) > 0.005000001 {
			t.Fatalf("%v prints %q, which is off", ratio, text)
		}
	})
}

func TestFormatOthers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 13012: "13,012", 1234567: "1,234,567", -1000: "-1,000", -999: "-999", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := FormatCount(n); got != want {
			t.Errorf("FormatCount(%d) = %q, want %q", n, got, want)
		}
	}
	for v, want := range map[float64]string{867.2: "867/s", 0.42: "0.42/s", 0: "0/s", 99.96: "100/s", 13000: "13,000/s"} {
		if got := FormatRate(v); got != want {
			t.Errorf("FormatRate(%v) = %q, want %q", v, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 16 << 10: "16 KiB", 3 << 19: "1.5 MiB", 1 << 60: "1048576 TiB"} {
		if got := FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}
