package app

// slice is how much is computed between two looks at the clock: some 10 µs.
const slice = 10_000

// compute does n steps from x, each dependent on the one before, so that none
// can be left out or done beside another.
func compute(x uint64, n int) uint64 {
	for range n {
		x = x*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator
	}
	return x
}
