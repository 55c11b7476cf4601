package chaos

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/hachaos/hachaos/chaos/netproxy"
	"github.com/hachaos/hachaos/reports/units"
)

// Latency delays what passes by Add ± Jitter, in whole milliseconds, until it is
// reverted. In both directions it does so twice a round trip.
type Latency struct {
	Spot      `yaml:",inline"`
	Add       units.Duration `yaml:"add" json:"add" jsonschema:"description=How much later everything arrives; in whole milliseconds"`
	Jitter    units.Duration `yaml:"jitter" json:"jitter,omitempty" jsonschema:"description=Drawn anew for everything that passes; between minus and plus this"`
	Direction string         `yaml:"direction" json:"direction,omitempty" jsonschema:"description=What is delayed: answers (downstream) or requests (upstream) or both,enum=downstream,enum=upstream,enum=both,default=downstream"`
}

func (l *Latency) aim(_ context.Context, t Target, s Shot) (*injection, error) {
	what := units.FormatDuration(l.Add.Std()) + " more"
	if l.Jitter > 0 {
		what = fmt.Sprintf("%s ± %s more", units.FormatDuration(l.Add.Std()), units.FormatDuration(l.Jitter.Std()))
	}
	to := map[string]string{"": "from", "downstream": "from", "upstream": "to", "both": "to and from"}[l.Direction]
	var toxics []netproxy.Toxic
	for _, stream := range []string{"downstream", "upstream"} {
		if d := cmp.Or(l.Direction, "downstream"); d == stream || d == "both" {
			toxics = append(toxics, netproxy.Toxic{Type: "latency", Stream: stream, Toxicity: 1, Attributes: &netproxy.Latency{
				Latency: l.Add.Std().Milliseconds(), Jitter: l.Jitter.Std().Milliseconds(),
			}})
		}
	}
	return l.poison(t, s, what+" "+to, toxics...)
}

func (l *Latency) check(report func(path, message string)) {
	l.Spot.check("latency", report)
	for _, d := range []struct {
		key   string
		value units.Duration
	}{{"add", l.Add}, {"jitter", l.Jitter}} {
		switch {
		case d.value < 0:
			report("latency."+d.key, d.key+" is negative")
		case d.value.Std()%time.Millisecond != 0:
			report("latency."+d.key, fmt.Sprintf("%s %v is not in whole milliseconds, which the proxy delays by", d.key, d.value))
		}
	}
	if l.Add == 0 && l.Jitter == 0 {
		report("latency.add", "a latency of 0s delays nothing")
	}
}
