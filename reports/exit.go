package reports

import "slices"

// Exit codes of the command.
const (
	ExitPass         = 0 // all objectives met
	ExitFail         = 1 // an objective missed, or abort_if struck
	ExitUsage        = 2 // the scenario or the command line is wrong
	ExitError        = 3 // the run could not be done
	ExitInconclusive = 4 // the generator's own limits are in the figures, or the prober saw too little
)

// ExitCode returns the exit code of one or several runs: the gravest. An
// interrupted run counts as SIGINT's 130; who knows the signal combines this
// with [SignalExitCode] by [WorstExitCode].
func ExitCode(verdicts ...Verdict) int {
	codes := make([]int, 0, len(verdicts))
	for _, v := range verdicts {
		codes = append(codes, verdictCode(v))
	}
	return WorstExitCode(codes...)
}

func verdictCode(v Verdict) int {
	switch v {
	case Pass:
		return ExitPass
	case Fail, Aborted:
		return ExitFail
	case Inconclusive:
		return ExitInconclusive
	case Interrupted:
		return SignalExitCode("SIGINT")
	}
	return ExitError
}

// SignalExitCode returns 128 + the number of the signal, as shells do: 129 for
// SIGHUP, 130 for SIGINT, 143 for SIGTERM; any other name counts as SIGINT.
func SignalExitCode(name string) int {
	switch name {
	case "SIGHUP":
		return 129
	case "SIGTERM":
		return 143
	}
	return 130
}

// WorstExitCode returns the code that outranks the others: a signal's, then 2,
// 3, 4, 1 and 0. Of several signals the first one given wins. Without a code it
// returns 0.
func WorstExitCode(codes ...int) int {
	order := []int{ExitPass, ExitFail, ExitInconclusive, ExitError, ExitUsage}
	worst, rank := ExitPass, 0
	for _, c := range codes {
		r := slices.Index(order, c)
		if r < 0 {
			r = len(order) // a signal's, or one we do not know
		}
		if r > rank {
			worst, rank = c, r
		}
	}
	return worst
}
