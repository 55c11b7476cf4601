//go:build !linux

package loadgen

import "context"

// loop is what plays streams on Linux.
type loop struct{}

func (g *Generator) loops(context.Context) []*loop { return nil }

func (g *Generator) runLoops(context.Context, []*loop) {}
