package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// FormatDuration prints d for a reader: two to four significant digits below a
// minute ("48 ms", "1.25 s"), above it the larger and the smaller unit, rounded
// ("43 min 12 s", "8 h 45 min", "3 d 15 h"). Only 0 prints as "0 ms".
func FormatDuration(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -max(d, -math.MaxInt64)
	}
	switch {
	case d == 0:
		return "0 ms"
	case d < time.Microsecond:
		return fmt.Sprintf("%s%d ns", sign, d)
	case d < 100*time.Microsecond:
		return sign + trimmed(float64(d)/1e6, 3) + " ms"
	case d < 10*time.Millisecond:
		return sign + trimmed(float64(d)/1e6, 1) + " ms"
	case d < 999500*time.Microsecond:
		return sign + trimmed(float64(d)/1e6, 0) + " ms"
	case d < 59950*time.Millisecond:
		return sign + trimmed(d.Seconds(), 2) + " s"
	}
	for _, u := range []struct {
		large, small         time.Duration
		largeName, smallName string
	}{{24 * time.Hour, time.Hour, "d", "h"}, {time.Hour, time.Minute, "h", "min"}, {time.Minute, time.Second, "min", "s"}} {
		r := d.Round(u.small)
		if r < u.large {
			continue
		}
		if rest := r % u.large / u.small; rest > 0 {
			return fmt.Sprintf("%s%d %s %d %s", sign, r/u.large, u.largeName, rest, u.smallName)
		}
		return fmt.Sprintf("%s%d %s", sign, r/u.large, u.largeName)
	}
	return sign + "1 min" // out of reach: 59.95 s rounds to a minute above
}

// trimmed prints v with at most digits decimals and no trailing zeros.
func trimmed(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// FormatPercent prints a ratio with two decimals, and with more where two would
// hide what it differs from 0 % or 100 % by: "99.97 %", "99.9992 %", "0.0004 %".
// Only 1 itself, or more, prints as "100 %", and only 0, or less, as "0 %"; NaN
// prints as "unknown".
func FormatPercent(ratio float64) string {
	switch {
	case math.IsNaN(ratio):
		return "unknown"
	case ratio >= 1:
		return "100 %"
	case ratio <= 0:
		return "0 %"
	}
	// One significant digit of the distance to either end: rounding cannot reach it.
	digits := decimals(min(ratio, 1-ratio))
	if digits > mostDecimals {
		return strconv.FormatFloat(ratio*100, 'g', 1, 64) + " %"
	}
	text := strconv.FormatFloat(100*ratio, 'f', digits, 64)
	for len(text)-strings.IndexByte(text, '.') > 3 && strings.HasSuffix(text, "0") {
		text = text[:len(text)-1]
	}
	return text + " %"
}

// mostDecimals is as far as a percentage close to 100 has digits.
const mostDecimals = 14

// decimals is how many of a percentage show one significant digit of a part of
// the whole, at least two.
func decimals(part float64) int {
	return max(2, int(math.Ceil(-math.Log10(100*part)-1e-9)))
}

// FormatInterval prints the bounds of a ratio's interval with as many decimals as
// the ratio itself has, or as the interval's width asks for if it is narrower:
// "99.79 % to 99.98 %". They are rounded outwards. A bound that these decimals cannot tell from 100 % or 0 % is
// "above 99.99 %" or "below 0.01 %": only 1 itself prints as "100 %", only 0 as "0 %".
func FormatInterval(ratio float64, bounds [2]float64) string {
	digits := 2
	for _, part := range []float64{min(ratio, 1-ratio), bounds[1] - bounds[0]} {
		if part > 0 {
			digits = max(digits, min(decimals(part), mostDecimals))
		}
	}
	return formatBound(bounds[0], digits, math.Floor) + " to " + formatBound(bounds[1], digits, math.Ceil)
}

// formatBound rounds outwards: an interval that is printed holds the one that was
// computed.
func formatBound(ratio float64, digits int, outwards func(float64) float64) string {
	if !(ratio > 0 && ratio < 1) {
		return FormatPercent(ratio)
	}
	percent := func(v float64) string { return strconv.FormatFloat(v, 'f', digits, 64) + " %" }
	step := math.Pow10(-digits)
	steps := 100 * ratio / step
	if nearest := math.Round(steps); math.Abs(steps-nearest) < 1e-6 {
		steps = nearest // 0.0007 is no more than 0.07 %
	}
	switch text := percent(outwards(steps) * step); text {
	case percent(100):
		return "above " + percent(100-step)
	case percent(0):
		return "below " + percent(step)
	default:
		return text
	}
}

// FormatCount prints n with separators of thousands: "13,012".
func FormatCount(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// CountOf prints how many there are of what noun names: "1 request", "0 requests",
// "13,012 requests".
func CountOf(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return FormatCount(n) + " " + noun + "s"
}

// FormatRate prints events per second for a reader: "867/s", "0.42/s".
func FormatRate(perSecond float64) string {
	if perSecond >= 100 && perSecond < 1e15 {
		return FormatCount(int64(math.Round(perSecond))) + "/s"
	}
	return strconv.FormatFloat(perSecond, 'g', 3, 64) + "/s"
}

// FormatBytes prints a size for a reader in powers of 1024: "16 KiB", "1.5 MiB".
func FormatBytes(n int64) string {
	v, i := float64(n), 0
	names := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for math.Abs(v) >= 1024 && i < len(names)-1 {
		v, i = v/1024, i+1
	}
	return trimmed(v, 1) + " " + names[i]
}
