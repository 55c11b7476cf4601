//go:build unix

package loadgen

// peeker looks at a connection without waiting and without taking anything
// from it. It keeps its function, so that looking allocates nothing.
type peeker struct {
	look func(fd uintptr)
	idle bool // nothing has come
	data bool // something has come, and not the end
	end  bool // the peer has closed or reset it
}

// peek looks at the connection. false: it could not be looked at.
func (w *wire) peek() bool {
	if w.peeker.look == nil {
		w.peeker.init()
	}
	return w.raw.Control(w.peeker.look) == nil
}
