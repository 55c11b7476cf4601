package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// FormatDuration prints d for a reader: two or three significant digits below a
// minute ("48 ms", "1.25 s"), whole larger and smaller unit above it
// ("43 min 12 s", "8 h 45 min", "3 d 15 h").
func FormatDuration(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	switch {
	case d == 0:
		return "0 ms"
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
	return sign + "1 min" // 59.95 s to 60 s
}

// trimmed prints v with at most digits decimals and no trailing zeros.
func trimmed(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// FormatPercent prints a ratio with two decimals, and with more when they are
// needed to tell it from 100 %: it is never rounded up to 100 %.
func FormatPercent(ratio float64) string {
	if ratio >= 1 {
		return "100 %"
	}
	for digits := 2; digits <= 9; digits++ {
		scale := math.Pow10(digits)
		// Towards zero, after a rounding that only removes the binary noise.
		v := math.Floor(math.Round(ratio*100*scale*1e3)/1e3) / scale
		if digits == 2 && ratio < 0.9995 {
			v = math.Round(ratio*100*scale) / scale
		}
		if ratio < 0.9999 || 100-v <= 20/scale {
			return strconv.FormatFloat(v, 'f', digits, 64) + " %"
		}
	}
	return "99.999999999 %"
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

// FormatRate prints events per second for a reader: "867/s", "0.42/s".
func FormatRate(perSecond float64) string {
	if perSecond >= 100 {
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
