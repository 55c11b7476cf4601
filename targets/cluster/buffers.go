//go:build unix

package cluster

import "sync"

// copySize is how much of a body is copied at once, in bytes.
const copySize = 16 << 10

// buffers keeps buffers through which bodies are copied, since most bodies are
// much smaller. It implements [httputil.BufferPool].
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[copySize]byte); ok {
		return p[:]
	}
	return make([]byte, copySize)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[copySize]byte)(p)) }
