package chaos

import (
	"context"

	"github.com/hachaos/hachaos/chaos/netproxy"
)

// Cut resets the connections that live and refuses new ones, until it is
// reverted.
type Cut struct {
	Spot `yaml:",inline"`
}

func (c *Cut) aim(_ context.Context, t Target, s Shot) (*injection, error) {
	return c.poison(t, s, "cut", netproxy.Toxic{Type: "down", Toxicity: 1, Attributes: &netproxy.Down{}})
}
