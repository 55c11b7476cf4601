package app

import "sync"

// leak is memory that is taken and never given back.
type leak struct {
	mu   sync.Mutex
	kept [][]byte
}

// grow takes n more bytes, and touches them so that they become resident.
func (l *leak) grow(n int64) {
	if n <= 0 {
		return
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = 1
	}
	l.mu.Lock()
	l.kept = append(l.kept, b)
	l.mu.Unlock()
}
