// Package ab prints what a stream of load did as ab 2.3, the benchmark tool of
// the Apache HTTP server, prints it: the same lines in the same order, so that
// what reads the output of ab reads this too.
//
// It counts and prints; it sends nothing. Where ab's figures are wrong it is not
// faithful: a lost request counts once among the failed ones (ab counts up to
// three), and medians are those of all requests, odd or even in number.
//
// Start reading at [Tally], which observes a [loadgen.Generator], and at [Text].
package ab
