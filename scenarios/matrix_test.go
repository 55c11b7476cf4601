package scenarios

import (
	"slices"
	"strings"
	"testing"
)

const matrixBase = `
name: sizes
target: {cluster: {workers: 2, app: {work: 1ms}}}
load: [{name: main, closed: {concurrency: 1}, duration: 9s}]
`

func variantsOf(t *testing.T, matrix string, sets ...string) []*Scenario {
	t.Helper()
	all, err := LoadAll("-", Options{Stdin: strings.NewReader(matrixBase + matrix), Sets: sets})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMatrix(t *testing.T) {
	all := variantsOf(t, "matrix: {target.cluster.workers: [1, 4], load.main.closed.concurrency: [10, 20]}\n")
	var got []string
	for _, s := range all {
		got = append(got, s.Title())
	}
	want := []string{
		"sizes workers=1, concurrency=10", "sizes workers=1, concurrency=20",
		"sizes workers=4, concurrency=10", "sizes workers=4, concurrency=20",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	last := all[3]
	if last.Target.Cluster.Workers != 4 || last.Load[0].Closed.Concurrency != 20 || all[0].Load[0].Closed.Concurrency != 10 {
		t.Errorf("%+v", last)
	}
	if last.Target.Cluster.App.Work != all[0].Target.Cluster.App.Work || last.SHA256 != all[0].SHA256 {
		t.Error("the variants differ in what the matrix does not name")
	}
}

// A path may lead to the target itself; its kinds are the names.
func TestMatrixOfTargets(t *testing.T) {
	all := variantsOf(t, "matrix: {target: [{single: {restart: never}}, {cluster: {workers: 3}}]}\n")
	if len(all) != 2 || all[0].Target.Kind() != "single" || all[0].Target.Cluster != nil || all[1].Target.Cluster.Workers != 3 {
		t.Fatalf("%+v", all)
	}
	if all[0].Variant != "single" || all[1].Variant != "cluster" {
		t.Errorf("%q and %q", all[0].Variant, all[1].Variant)
	}
}

// A variant's name is printed as it is.
func TestMatrixNamesAreCleanText(t *testing.T) {
	for matrix, want := range map[string]string{
		`matrix: {description: ["a\e]0;x\a", b]}`:                                                  "description=a ]0;x ",
		`matrix: {target: [{"cluster\e]0;x\a": {}}, {single: {}}]}`:                                "",
		`matrix: {target: [{command: {run: [a], url: "http://[::1]/", env: {"A\e": "1"}}}]}`:       "command",
		`matrix: {target: [{command: {run: [a], url: "http://[::1]/"}}], description: ["\u202e"]}`: "command, description= ",
	} {
		all, err := LoadAll("-", Options{Stdin: strings.NewReader(matrixBase + matrix)})
		if want == "" {
			if err == nil || strings.ContainsRune(err.Error(), '\x1b') {
				t.Errorf("%s: %q", matrix, err)
			}
			continue
		}
		if err != nil || all[0].Variant != want {
			t.Errorf("%s: variants %+v, error %v", matrix, all, err)
		}
	}
}

// Values that names do not tell apart are numbered; equal last keys are written
// out.
func TestMatrixNames(t *testing.T) {
	all := variantsOf(t, "matrix: {target: [{cluster: {workers: 1}}, {cluster: {workers: 3}}]}\n")
	if all[0].Variant != "target 1" || all[1].Variant != "target 2" {
		t.Errorf("%q and %q", all[0].Variant, all[1].Variant)
	}
	all = variantsOf(t, "matrix: {probe.timeout: [1s], load.main.timeout: [2s]}\n")
	if all[0].Variant != "probe.timeout=1s, load.main.timeout=2s" {
		t.Errorf("%q", all[0].Variant)
	}
}

// --set changes what the matrix leaves alone, and the matrix itself.
func TestMatrixAndSet(t *testing.T) {
	all := variantsOf(t, "matrix: {target.cluster.workers: [1, 4]}\n", "seed=7", "matrix=")
	if len(all) != 1 || all[0].Variant != "" || *all[0].Seed != 7 {
		t.Errorf("%+v", all[0])
	}
	all = variantsOf(t, "", "matrix={target.cluster.workers: [1, 2, 3]}")
	if len(all) != 3 {
		t.Errorf("%d variants", len(all))
	}
}

func TestMatrixBounded(t *testing.T) {
	_, err := LoadAll("-", Options{Stdin: strings.NewReader(matrixBase +
		"matrix: {seed: [1,2,3,4,5,6,7,8,9], warmup: [1s,2s,3s,4s,5s,6s,7s,8s]}\n")})
	if err == nil || !strings.Contains(err.Error(), "more than 64 variants") {
		t.Error(err)
	}
}
