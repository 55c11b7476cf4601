package reports

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// withOutcomes gives a run repetitions of a fault, three seconds apart: R was
// recovered from, U was not.
func withOutcomes(r *Report, outcomes string) *Report {
	r.Faults = nil
	for i, outcome := range outcomes {
		f := Fault{Name: "crash", N: i + 1, StartS: 3 * float64(i+1), State: "done", DownS: known(0)}
		if outcome == 'R' {
			f.RecoveryS = known(0.05)
		}
		r.Faults = append(r.Faults, f)
	}
	return r
}

// suiteOfRecoveries holds a run for each text of outcomes. Apart from what its
// faults did each is as good as the others.
func suiteOfRecoveries(outcomes ...string) *Suite {
	r := rand.New(rand.NewPCG(7, 7))
	var runs []*Report
	for _, o := range outcomes {
		run := withOutcomes(playedRun(r, 1, 1), o)
		run.Availability.Uptime = known(1)
		runs = append(runs, run)
	}
	return NewSuite(runs...)
}

func repeat(outcomes string, n int) []string {
	return strings.Fields(strings.Repeat(outcomes+" ", n))
}

// TestCompareRecovered compares services that recover with those that do not. What
// one run says is said once, however many faults struck it after it had gone down.
func TestCompareRecovered(t *testing.T) {
	for name, c := range map[string]struct {
		before, after []string
		word          Word
		gate          int
		reason, note  string
	}{
		"one run, few faults": {
			[]string{"RRRR"}, []string{"UUUU"}, TooLittle, ExitInconclusive,
			"A did not recover from 0 of 4 faults, B from 4 of 4: that may be chance", "nothing can be told of B against A",
		},
		"one run, many faults": {
			[]string{"RRRRRRRR"}, []string{"UUUUUUUU"}, TooLittle, ExitInconclusive,
			"A did not recover from 0 of 8 faults, B from 8 of 8: that may be chance", "nothing can be told of B against A",
		},
		"five runs": {
			repeat("RRRR", 5), repeat("UUUU", 5), Worse, ExitFail,
			"A did not recover from 0 of 20 faults, B from 20 of 20, more than chance makes of it (permutation test, p ", "",
		},
		"five runs, the other way round": {
			repeat("UUUU", 5), repeat("RRRR", 5), Better, ExitPass, "A did not recover from 20 of 20 faults, B from 0 of 20", "",
		},
		"one of five runs": {
			repeat("RRRR", 5), append(repeat("RRRR", 4), "RRRU"), TooLittle, ExitInconclusive,
			"A did not recover from 0 of 20 faults, B from 1 of 20: that may be chance", "B did not recover from all that A did",
		},
		"both now and then": {
			append(repeat("RRRR", 4), "RRRU"), append(repeat("RRRR", 4), "RRUR"), TooLittle, ExitPass,
			"A did not recover from 1 of 20 faults, B from 1 of 20: that may be chance", "",
		},
		"down, and up again each time": {
			[]string{"RRRRRRRRRR"}, []string{"URURURURUR"}, TooLittle, ExitInconclusive,
			"A did not recover from 0 of 10 faults, B from 5 of 10: that may be chance", "nothing can be told",
		},
		"both recovered": {repeat("RRRR", 5), repeat("RRRR", 5), NoEvidence, ExitPass, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := Compare(suiteOfRecoveries(c.before...), suiteOfRecoveries(c.after...))
			check := func(s *Suite) {
				t.Helper()
				d := s.Comparison.Pairs[0].Differences[2]
				if d.Metric != "recovery" || d.Word != c.word || !strings.HasPrefix(d.Reason, c.reason) {
					t.Errorf("%s: %s: %s", d.Metric, d.Word, d.Reason)
				}
				if (d.Unrecovered != nil) != (c.reason != "") {
					t.Errorf("unrecovered: %v", d.Unrecovered)
				}
				if got := s.Gate(); got != c.gate {
					t.Errorf("exit code %d, want %d", got, c.gate)
				}
				if notes := strings.Join(s.Comparison.Notes, "; "); !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
					t.Errorf("notes %q, want %q", notes, c.note)
				}
			}
			check(s)
			doc, err := Read(strings.NewReader(written(t, s)))
			if err != nil {
				t.Fatal(err)
			}
			check(Compare(doc)) // what was compared before is judged as it was
		})
	}
}

// Where nobody looked it is not known who recovered, and a run that was cut off
// does not say so.
func TestCompareRecoveredUnknown(t *testing.T) {
	before := suiteOfRecoveries(repeat("RRRR", 5)...)
	for name, change := range map[string]func(*Report){
		"no prober":      func(r *Report) { r.Availability.Uptime = nil },
		"interrupted":    func(r *Report) { r.Verdict = Interrupted },
		"not looked for": func(r *Report) { r.DurationS = 3 },
		"not undone": func(r *Report) {
			for i := range r.Faults {
				r.Faults[i].Lasting, r.Faults[i].EndS = true, r.DurationS
			}
		},
		"not injected": func(r *Report) {
			for i := range r.Faults {
				r.Faults[i].State = "skipped"
			}
		},
	} {
		after := suiteOfRecoveries(repeat("UUUU", 5)...)
		for _, r := range after.Runs {
			change(r)
		}
		if d := Compare(before, NewSuite(after.Runs...)).Comparison.Pairs[0].Differences[2]; d.Word != TooLittle || d.Unrecovered != nil {
			text, _ := json.Marshal(d)
			t.Errorf("%s: %s", name, text)
		}
	}
}
