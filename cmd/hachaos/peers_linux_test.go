package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/reports"
)

// contender is a target of the comparison with other clusters.
type contender struct {
	name   string
	needs  []string // programs; without them it is left out
	target string   // YAML
	match  string   // which processes are its workers, if those that it starts are not
}

// contenders are clusters of four workers that work so many milliseconds a
// request.
func contenders(b *testing.B, work int) []contender {
	files := filepath.Join(root(b), "cmd", "hachaos", "testdata", "peers")
	app, pm2, behind := filepath.Join(files, "app.js"), filepath.Join(files, "pm2.config.js"), filepath.Join(files, "behind.sh")
	command := func(env string, run ...string) string {
		return fmt.Sprintf(`{command: {run: [%s], env: {PORT: "${port}", WORK_MS: "%d"%s}, url: "http://127.0.0.1:${port}/"}}`,
			strings.Join(run, ", "), work, env)
	}
	var all []contender
	for _, dispatch := range []string{"handoff", "shared", "reuseport", "proxy"} {
		all = append(all, contender{name: "hachaos " + dispatch, target: ownCluster(4, dispatch, work)})
	}
	return append(all,
		contender{"Node.js cluster", []string{"node"}, command(`, CLUSTER: "4"`, "node", app), ""},
		contender{"PM2", []string{"node", "pm2-runtime"}, command(fmt.Sprintf(", PM2_HOME: %q", b.TempDir()), "pm2-runtime", "start", pm2), "peers/app.js"},
		contender{"nginx + Node.js", []string{"node", "nginx"}, command("", "bash", behind, "nginx", `"${port}"`, "node", app), "^node .*peers/app.js"},
		contender{"HAProxy + Node.js", []string{"node", "haproxy"}, command("", "bash", behind, "haproxy", `"${port}"`, "node", app), "^node .*peers/app.js"},
	)
}

func ownCluster(workers int, dispatch string, work int) string {
	return fmt.Sprintf("{cluster: {workers: %d, dispatch: %s, app: {work: %dms}}}", workers, dispatch, work)
}

// installed tells whether all that a contender needs is there.
func (c contender) installed(b *testing.B) bool {
	for _, program := range c.needs {
		if _, err := exec.LookPath(program); err != nil {
			b.Logf("%s is left out: %s is not installed", c.name, program)
			return false
		}
	}
	return true
}

// measure plays a scenario of a contender; more is what follows its load.
func (c contender) measure(b *testing.B, load, more string) *reports.Report {
	b.Helper()
	dir := b.TempDir()
	file := filepath.Join(dir, "peer.yaml")
	if !strings.Contains(more, "probe:") {
		more += "probe: {off: true}\n"
	}
	text := fmt.Sprintf("name: peer\nseed: 42\ntarget: %s\nready: {timeout: 30s, path: /}\nwarmup: 1s\nload: [{name: main, %s}]\nslo: [availability >= 0%%]\n%s", c.target, load, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(binary, name()), "run", file, "--quiet", "-o", filepath.Join(dir, "report.json"))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", c.name, err, out)
	}
	return readReport(b, filepath.Join(dir, "report.json"))
}

// BenchmarkClustersLoseWorkers kills one of four workers every 2 s under 50
// clients with a new connection for each request of 2 ms: what is lost per kill,
// and how many requests did not end within 2 s.
func BenchmarkClustersLoseWorkers(b *testing.B) {
	const kills = 5
	for _, c := range contenders(b, 2) {
		if !c.installed(b) {
			continue
		}
		selector := "workers: 1"
		if c.match != "" {
			selector += fmt.Sprintf(", match: %q", c.match)
		}
		r := c.measure(b, "closed: {concurrency: 50}, duration: 11s, timeout: 2s",
			fmt.Sprintf("chaos: [{name: crash, kill: {%s}, at: 1s, every: 2s, count: %d}]\n", selector, kills))
		l := r.Load[0]
		slow := l.Failures["timeout"]
		b.Logf("%-18s %6d requests  lost per kill %.1f  slower than 2 s %d  failures %v", c.name, l.Requests.Sent, float64(l.Requests.Failed)/kills, slow, l.Failures)
		b.ReportMetric(float64(l.Requests.Failed)/kills, "lost/kill:"+dashed(c.name))
		b.ReportMetric(float64(slow), "over-2s:"+dashed(c.name))
	}
	b.ReportMetric(0, "ns/op") // of no meaning here
}

// BenchmarkClustersReload replaces four workers one after the other, each once its
// successor is ready, again and again under full load without work: what is lost, of
// at least 200,000 requests in each mode unless they take longer than a minute.
func BenchmarkClustersReload(b *testing.B) {
	const least = 200_000
	lost, sent := int64(0), int64(0)
	for _, keepalive := range []bool{false, true} {
		for _, c := range contenders(b, 0)[:4] {
			if keepalive {
				c.name += " kept"
			}
			duration, all, failed := 10, int64(0), int64(0)
			for spent := 0; all < least && spent < 60; spent += duration {
				r := c.measure(b, fmt.Sprintf("closed: {concurrency: 50, keepalive: %v}, duration: %ds", keepalive, duration),
					"chaos: [{name: reload, reload: {}, at: 1s, every: 2s, count: 4}]\n")
				all, failed = all+r.Load[0].Requests.Sent, failed+r.Load[0].Requests.Failed
				for _, f := range r.Faults {
					if f.State != "done" {
						b.Errorf("%s: %s is %s: %s", c.name, f.ID, f.State, f.Error)
					}
				}
			}
			lost, sent = lost+failed, sent+all
			b.Logf("%-22s %7d requests  lost %d", c.name, all, failed)
			b.ReportMetric(float64(failed), "lost:"+dashed(c.name))
			b.ReportMetric(float64(all), "requests:"+dashed(c.name))
		}
	}
	b.Logf("%d of %d were lost", lost, sent)
	b.ReportMetric(0, "ns/op") // of no meaning here
}

// BenchmarkClustersReplace kills one of four workers again and again, under light
// load, and measures how long after the kill its replacement serves: the median of
// each mode.
func BenchmarkClustersReplace(b *testing.B) {
	const kills = 10
	for _, c := range contenders(b, 0)[:4] {
		r := c.measure(b, "open: {rate: 200/s}, duration: 16s", fmt.Sprintf("probe: {every: 5ms}\nchaos: [{name: crash, kill: {workers: 1}, at: 1s, every: 1500ms, count: %d}]\n", kills))
		var took []float64 // ms
		for _, f := range r.Faults {
			if f.RecoveryS == nil {
				b.Errorf("%s: after %s there were not four workers again", c.name, f.ID)
				continue
			}
			took = append(took, 1000**f.RecoveryS)
		}
		if len(took) == 0 {
			continue
		}
		slices.Sort(took)
		b.Logf("%-18s replacements served after %.0f to %.0f ms", c.name, took[0], took[len(took)-1])
		b.ReportMetric(math.Round(took[len(took)/2]), "replacement-ms:"+dashed(c.name))
	}
	b.ReportMetric(0, "ns/op") // of no meaning here
}

// BenchmarkClustersRate measures rates that are to be compared with each other
// in one run: the median of several rounds, in turn.
func BenchmarkClustersRate(b *testing.B) {
	const fresh, kept = "closed: {concurrency: 50}, duration: 2s", "closed: {concurrency: 32, keepalive: true}, duration: 2s"
	behind := filepath.Join(root(b), "cmd", "hachaos", "testdata", "peers", "behind.sh")
	haproxy := contender{name: "HAProxy", needs: []string{"haproxy"}, target: fmt.Sprintf(
		`{command: {run: [bash, %s, haproxy, "${port}", %s, cluster, --workers, "1", --dispatch, shared, --admin, none, --listen, "127.0.0.1:PORT", --dir, %s/PORT], url: "http://127.0.0.1:${port}/"}}`,
		behind, filepath.Join(binary, name()), b.TempDir())}
	for _, row := range []struct {
		what string
		load string
		pair [2]contender
	}{
		{"new connections, no work: handoff to Node.js cluster", fresh, [2]contender{
			{name: "handoff", target: ownCluster(4, "handoff", 0)}, contenders(b, 0)[4]}},
		{"small kept requests: proxy to HAProxy", kept, [2]contender{
			{name: "proxy", target: ownCluster(4, "proxy", 0)}, haproxy}},
		{"10 ms of work: 2 workers to 1", "closed: {concurrency: 20}, duration: 4s", [2]contender{
			{name: "2 workers", target: ownCluster(2, "handoff", 10)}, {name: "1 worker", target: ownCluster(1, "handoff", 10)}}},
	} {
		if !row.pair[0].installed(b) || !row.pair[1].installed(b) {
			continue
		}
		var ratios []float64
		for range 3 {
			var rate [2]float64
			for i, c := range row.pair {
				rate[i] = *c.measure(b, row.load, "").Load[0].ThroughputRPS
			}
			b.Logf("%s: %.0f/s to %.0f/s", row.what, rate[0], rate[1])
			ratios = append(ratios, rate[0]/rate[1])
		}
		slices.Sort(ratios)
		b.ReportMetric(math.Round(100*ratios[1])/100, "ratio:"+dashed(row.what))
	}
	waiting := contender{name: "waiting", target: "{cluster: {workers: 4, app: {wait: 200ms}}}"}
	rate := *waiting.measure(b, "closed: {concurrency: 1000}, duration: 4s", "").Load[0].ThroughputRPS
	b.Logf("1,000 at once that wait 200 ms: %.0f/s", rate)
	b.ReportMetric(rate, "req/s:waiting-200ms")
	b.ReportMetric(0, "ns/op") // of no meaning here
}

// dashed makes a name one word.
func dashed(s string) string { return strings.ReplaceAll(s, " ", "-") }
