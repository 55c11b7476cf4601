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
	"math/big"
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
	if n, ok := parseNumber(rest); ok {
		if n == 0 {
			return 0, nil
		}
		return 0, fmt.Errorf("duration %q has no unit (write %ss or %sms)", s, rest, rest)
	}
	rest, negative := strings.CutPrefix(rest, "-")
	if rest == "" || strings.ContainsAny(rest, "+-") {
		return 0, durationError(s)
	}
	for {
		i := strings.IndexAny(rest, "dw")
		if i < 0 {
			break
		}
		n, ok := parseNumber(rest[:i])
		v := n * float64(longUnits[rest[i]])
		// A float64 rounds MaxInt64 up to 2^63, which is too much already.
		if !ok || v+float64(total) >= math.MaxInt64 {
			return 0, durationError(s)
		}
		total += time.Duration(v)
		rest = rest[i+1:]
	}
	if rest != "" {
		v, err := time.ParseDuration(rest)
		if err != nil || total > math.MaxInt64-v {
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

// parseNumber reads a plain decimal number: what strconv takes beyond that
// (hexadecimal, NaN, Inf, underscores) is a slip in a scenario.
func parseNumber(s string) (float64, bool) {
	if strings.Trim(s, "+-0123456789.eE") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// Ratio is a share from 0 to 1 that reads "99.9%" and "0.999".
type Ratio float64

// String prints r as a percentage with all its digits, so that [ParseRatio]
// reads r again: "99.95%".
func (r Ratio) String() string {
	// Shift the point of the shortest decimal form: 100 × 0.999 is 99.9 only
	// on paper.
	exact, ok := new(big.Rat).SetString(strconv.FormatFloat(float64(r), 'g', -1, 64))
	if !ok { // NaN or infinite, which no ratio is
		return strconv.FormatFloat(float64(r), 'f', -1, 64)
	}
	exact.Mul(exact, big.NewRat(100, 1))
	decimals, _ := exact.FloatPrec()
	return exact.FloatString(decimals) + "%"
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
	number = strings.TrimSpace(number)
	v, ok := parseNumber(number)
	if !ok {
		return 0, fmt.Errorf("%q is not a ratio (such as 99.9%% or 0.999)", s)
	}
	if percent {
		// 99.9 / 100 is not the float64 nearest to 0.999, 99.9e-2 is.
		if shifted, ok := parseNumber(number + "e-2"); ok {
			v = shifted
		} else {
			v /= 100
		}
	} else if v > 1 && v <= 100 {
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
		{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)?(/(s|m|min|h|d|day|week|month|year))?$`, Examples: []any{"500/s"}},
		{Type: "number", Minimum: "0"},
	}}
}

// ParseRate returns events per second.
func ParseRate(s string) (float64, error) {
	number, per, found := strings.Cut(strings.TrimSpace(s), "/")
	v, ok := parseNumber(strings.TrimSpace(number))
	seconds := map[string]float64{"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "day": 86400, "week": 7 * 86400, "month": 30 * 86400, "year": 365 * 86400}
	d, known := seconds[strings.TrimSpace(per)]
	if !ok || (found && !known) {
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
