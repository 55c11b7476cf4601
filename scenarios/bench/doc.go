// Package bench plays hachaos bench: load against one URL with the options of
// ab 2.3 and some beyond them, and what came of it as ab prints it, with
// availability and uptime below.
//
// It injects no faults and starts no target; that is for scenarios. Start
// reading at [Options.Config], which turns what a user asked for into a
// [Config] or says what is wrong with it, and at [Play].
package bench
