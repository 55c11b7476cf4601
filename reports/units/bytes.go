package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

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
		number = strings.TrimSpace(number)
		// Whole bytes exactly: a float64 has 53 bits.
		if n, err := strconv.ParseInt(number, 10, 64); err == nil && n >= 0 && n <= math.MaxInt64/int64(u.size) {
			return n * int64(u.size), nil
		}
		v, ok := parseNumber(number)
		if !ok || v < 0 || v*u.size >= math.MaxInt64 {
			break
		}
		return int64(v * u.size), nil
	}
	return 0, fmt.Errorf("%q is not a size (such as 512, 16KiB or 200MB)", s)
}
