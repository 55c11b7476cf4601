package netproxy

import "fmt"

// Down resets the connections that live and refuses new ones: the port is
// closed, not the machine gone. Its toxicity and stream mean nothing.
type Down struct{}

func (*Down) check() error { return nil }

// Flapping is [Down] on a duty cycle: down for Down milliseconds, then up for
// Up milliseconds, from the moment at which it is added or changed.
type Flapping struct {
	Down int64 `json:"down"`
	Up   int64 `json:"up"`
}

func (a *Flapping) check() error {
	if a.Down < 1 || a.Up < 1 {
		return fmt.Errorf("down %d, up %d: both at least 1 ms", a.Down, a.Up)
	}
	return nil
}

// RefuseFirst resets the first Connections connections, counted from when the
// toxic is added or changed, as soon as they are accepted.
type RefuseFirst struct {
	Connections int64 `json:"connections"`
}

func (a *RefuseFirst) check() error { return notNegative("connections", a.Connections) }

func (a *RefuseFirst) refuses(n int64) bool { return n <= a.Connections }

// FailEvery resets every Connections-th connection as soon as it is accepted.
type FailEvery struct {
	Connections int64 `json:"connections"`
}

func (a *FailEvery) check() error {
	if a.Connections < 1 {
		return fmt.Errorf("connections %d: at least 1", a.Connections)
	}
	return nil
}

func (a *FailEvery) refuses(n int64) bool { return n%a.Connections == 0 }

// acceptToxic decides on new connections: n counts them from 1 since the toxic
// was added or changed.
type acceptToxic interface {
	refuses(n int64) bool
}
