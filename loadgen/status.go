package loadgen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// StatusRange is a range of HTTP statuses, both ends included: "200-399", or
// one status, "200".
type StatusRange struct{ From, To int }

// Contains tells whether status lies in the range.
func (r StatusRange) Contains(status int) bool { return r.From <= status && status <= r.To }

// UnmarshalText reads "200" or "200-399", within 100 to 599.
func (r *StatusRange) UnmarshalText(b []byte) error {
	from, to, isRange := strings.Cut(string(b), "-")
	if !isRange {
		to = from
	}
	lo, err1 := strconv.Atoi(strings.TrimSpace(from))
	hi, err2 := strconv.Atoi(strings.TrimSpace(to))
	if err1 != nil || err2 != nil || lo < 100 || hi > 599 || lo > hi {
		return fmt.Errorf("%q is not a status from 100 to 599, or a range such as 200-399", b)
	}
	*r = StatusRange{lo, hi}
	return nil
}

// MarshalText prints what [StatusRange.UnmarshalText] reads.
func (r StatusRange) MarshalText() ([]byte, error) {
	if r.From == r.To {
		return strconv.AppendInt(nil, int64(r.From), 10), nil
	}
	return fmt.Appendf(nil, "%d-%d", r.From, r.To), nil
}

// JSONSchema describes both forms.
func (StatusRange) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "integer", Minimum: "100", Maximum: "599"},
		{Type: "string", Pattern: `^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$`},
	}}
}
