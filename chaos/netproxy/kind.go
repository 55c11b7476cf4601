package netproxy

import "reflect"

// kind is a type of toxic.
type kind struct {
	name       string
	attributes func() Attributes // with its defaults
	toxiproxy  bool              // Toxiproxy has it
	both       bool              // it has a stage in both directions, whatever its stream
}

// kinds is the table of toxics.
var kinds = []kind{
	{name: "noop", attributes: of[Noop], toxiproxy: true},
	{name: "latency", attributes: of[Latency], toxiproxy: true},
	{name: "bandwidth", attributes: of[Bandwidth], toxiproxy: true},
	{name: "slow_close", attributes: of[SlowClose], toxiproxy: true},
	{name: "timeout", attributes: of[Timeout], toxiproxy: true},
	{name: "reset_peer", attributes: of[ResetPeer], toxiproxy: true},
	{name: "slicer", attributes: of[Slicer], toxiproxy: true},
	{name: "limit_data", attributes: of[LimitData], toxiproxy: true},

	{name: "down", attributes: of[Down]},
	{name: "flapping", attributes: of[Flapping]},
	{name: "refuse_first", attributes: of[RefuseFirst]},
	{name: "fail_every", attributes: of[FailEvery]},
	{name: "blackhole", attributes: of[Blackhole], both: true},
	{name: "half_open", attributes: of[HalfOpen]},
	{name: "packet_loss", attributes: func() Attributes { return &PacketLoss{RTO: 200} }},
	{name: "corrupt", attributes: of[Corrupt]},

	{name: "http", attributes: func() Attributes { return &HTTPFault{Probability: 1} }, both: true},
	{name: "redis", attributes: func() Attributes { return &RedisFault{Probability: 1} }, both: true},
	{name: "postgres", attributes: func() Attributes { return &PostgresFault{Probability: 1} }, both: true},
}

// Kinds lists the types of toxics: Toxiproxy's first, then our own.
func Kinds() []string {
	names := make([]string, len(kinds))
	for i := range kinds {
		names[i] = kinds[i].name
	}
	return names
}

// of makes a kind's attributes whose zero values are the defaults.
func of[T any, P interface {
	*T
	Attributes
}]() Attributes {
	return P(new(T))
}

func kindNamed(name string) *kind {
	for i := range kinds {
		if kinds[i].name == name {
			return &kinds[i]
		}
	}
	return nil
}

// kindOf returns the name of the kind that a's type belongs to, "" for none.
func kindOf(a Attributes) string {
	for i := range kinds {
		if reflect.TypeOf(kinds[i].attributes()) == reflect.TypeOf(a) {
			return kinds[i].name
		}
	}
	return ""
}
