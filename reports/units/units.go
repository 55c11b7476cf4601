// Package units parses and prints the quantities of scenarios and reports:
// durations, ratios, rates, bytes and counts. It is the only place that does.
//
// The types ([Duration], [Ratio], [Rate], [Bytes]) are for scenario files and
// JSON: they read and write text and describe themselves to JSON Schema. The
// functions that print for people stand in format.go; a printed ratio is never
// rounded up to 100 %.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// Duration is a time.Duration that reads "250ms", "1h30m", "30d" and "2w".
type Duration time.Duration

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Seconds returns d in seconds.
func (d Duration) Seconds() float64 { return time.Duration(d).Seconds() }

// String prints d so that [ParseDuration] reads it again: "1h30m0s".
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseDuration].
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// JSONSchema describes the text form.
func (Duration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^-?(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w))+)$`, Examples: []any{"250ms", "15s", "1h30m", "30d"}}
}

// longUnits are the units that Go's durations lack: a day of 24 hours and a
// week of 7 days.
var longUnits = map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

// ParseDuration reads what [time.ParseDuration] reads, and days (d) and weeks
// (w) before it: "30d", "1w2d12h". A number without a unit is an error that
// says so, but for 0.
func ParseDuration(s string) (time.Duration, error) {
	rest, total := strings.TrimSpace(s), time.Duration(0)
	if _, err := strconv.ParseFloat(rest, 64); err == nil && strings.Trim(rest, "+-0.") != "" {
		return 0, fmt.Errorf("duration %q has no unit (write %ss or %sms)", s, rest, rest)
	}
	negative := strings.HasPrefix(rest, "-")
	rest = strings.TrimPrefix(rest, "-")
	for {
		i := strings.IndexAny(rest, "dw")
		if i <= 0 {
			break
		}
		n, err := strconv.ParseFloat(rest[:i], 64)
		v := n * float64(longUnits[rest[i]])
		if err != nil || n < 0 || v+float64(total) > math.MaxInt64 {
			return 0, durationError(s)
		}
		total += time.Duration(v)
		rest = rest[i+1:]
	}
	if rest != "" || total == 0 {
		v, err := time.ParseDuration(rest)
		if err != nil || strings.HasPrefix(rest, "-") || total > math.MaxInt64-v {
			return 0, durationError(s)
		}
		total += v
	}
	if negative {
		total = -total
	}
	return total, nil
}

func durationError(s string) error {
	return fmt.Errorf("%q is not a duration (such as 250ms, 15s, 1h30m or 30d)", s)
}

// Ratio is a share from 0 to 1 that reads "99.9%" and "0.999".
type Ratio float64

// String prints r as a percentage with all its digits: "99.95%".
func (r Ratio) String() string {
	return strconv.FormatFloat(math.Round(float64(r)*1e12)/1e10, 'f', -1, 64) + "%"
}

// MarshalText implements [encoding.TextMarshaler].
func (r Ratio) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseRatio].
func (r *Ratio) UnmarshalText(b []byte) error {
	v, err := ParseRatio(string(b))
	*r = Ratio(v)
	return err
}

// JSONSchema describes the text form and the plain number.
func (Ratio) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)?%?$`, Examples: []any{"99.9%"}},
		{Type: "number", Minimum: "0", Maximum: "1"},
	}}
}

// ParseRatio reads a percentage ("99.9%") or a plain ratio ("0.999") and
// returns a number from 0 to 1. Anything outside is an error: a bare 99.9 most
// likely lacks its percent sign.
func ParseRatio(s string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a ratio (such as 99.9%% or 0.999)", s)
	}
	if percent {
		v /= 100
	} else if v > 1 {
		return 0, fmt.Errorf("ratio %q is above 1 (write %s%%)", s, number)
	}
	if v < 0 || v > 1 {
		return 0, fmt.Errorf("ratio %q is not between 0%% and 100%%", s)
	}
	return v, nil
}

// Rate is a number of events per second that reads "500/s", "30000/m" and
// "100/h"; a bare number is per second.
type Rate float64

// String prints r per second: "500/s".
func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s" }

// MarshalText implements [encoding.TextMarshaler].
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseRate].
func (r *Rate) UnmarshalText(b []byte) error {
	v, err := ParseRate(string(b))
	*r = Rate(v)
	return err
}

// JSONSchema describes the text form and the plain number.
func (Rate) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)?(/(s|m|h|d|week))?$`, Examples: []any{"500/s"}},
		{Type: "number", Minimum: "0"},
	}}
}

// ParseRate returns events per second.
func ParseRate(s string) (float64, error) {
	number, per, found := strings.Cut(strings.TrimSpace(s), "/")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	seconds := map[string]float64{"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "day": 86400, "week": 7 * 86400, "month": 30 * 86400, "year": 365 * 86400}
	d, known := seconds[strings.TrimSpace(per)]
	if err != nil || (found && !known) || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a rate (such as 500/s or 30000/m)", s)
	}
	if v < 0 {
		return 0, fmt.Errorf("rate %q is negative", s)
	}
	if !found {
		d = 1
	}
	return v / d, nil
}

// Bytes is a size that reads "16KiB", "200MB" and "512".
type Bytes int64

// byteUnits, longest first, so that "KiB" is not taken for "B". KB is 1000
// bytes and KiB 1024 (IEC 80000-13).
var byteUnits = []struct {
	name string
	size float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

// String prints b in the largest unit that divides it: "16KiB".
func (b Bytes) String() string {
	for _, name := range []string{"TiB", "GiB", "MiB", "KiB", "TB", "GB", "MB", "kB"} {
		for _, u := range byteUnits {
			if u.name == name && b != 0 && int64(b)%int64(u.size) == 0 {
				return strconv.FormatInt(int64(b)/int64(u.size), 10) + name
			}
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText implements [encoding.TextMarshaler].
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseBytes].
func (b *Bytes) UnmarshalText(text []byte) error {
	v, err := ParseBytes(string(text))
	*b = Bytes(v)
	return err
}

// JSONSchema describes the text form and the plain number.
func (Bytes) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)? ?([KMGT]iB|[kKMGT]B|B)?$`, Examples: []any{"16KiB", "200MB"}},
		{Type: "integer", Minimum: "0"},
	}}
}

// ParseBytes returns a number of bytes; a negative one is an error.
func ParseBytes(s string) (int64, error) {
	text := strings.TrimSpace(s)
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || v < 0 || v*u.size >= math.MaxInt64 {
			break
		}
		return int64(v * u.size), nil
	}
	return 0, fmt.Errorf("%q is not a size (such as 512, 16KiB or 200MB)", s)
}
