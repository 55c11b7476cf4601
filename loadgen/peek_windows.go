package loadgen

// peeker knows nothing on Windows, where a connection cannot be peeked at
// without waiting: one that was closed meanwhile shows when it is used, and the
// request is then sent once more.
type peeker struct{ idle, data, end bool }

func (p *peeker) init() { p.idle = true }

func (w *wire) peek() bool { return true }
