package app

// slice is how much is computed between two looks at the clock: some 10 µs.
const slice = 10_000

// compute does n steps that the compiler cannot leave out, each dependent on
// the one before.
//
//go:noinline
func compute(n int) uint64 {
	x := uint64(n) | 1
	for range n {
		x = x*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator
	}
	return x
}
