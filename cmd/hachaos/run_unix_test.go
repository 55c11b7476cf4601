//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/targets/proc"
)

// play starts hachaos with arguments in a folder of its own.
func play(t *testing.T, dir string, args ...string) (cmd *exec.Cmd, stderr *lines) {
	t.Helper()
	cmd = exec.Command(filepath.Join(binary, name()), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "REPO="+root(t))
	stderr = &lines{}
	cmd.Stderr = stderr
	cmd.Stdout = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stderr
}

// lines collects what a process prints, for waiting on a word in it.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func await(t *testing.T, what string, most time.Duration, condition func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !condition() {
		if time.Since(start) > most {
			t.Fatalf("waited %v for: %s", most, what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks at the process table
	}
	return time.Since(start)
}

// runIDs are the ids that descendants of a process carry.
func runOf(t *testing.T, pid int) string {
	t.Helper()
	table, err := proc.ReadTable()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.Tree(table[pid].ID) {
		if run := proc.Environ(p.PID, proc.RunVar); run != "" && p.PID != pid {
			return run
		}
	}
	return ""
}

func left(t *testing.T, run string) []proc.Info {
	t.Helper()
	table, err := proc.ReadTable()
	if err != nil {
		t.Fatal(err)
	}
	return table.OfRun(run, nil)
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const frozenCluster = `
name: frozen
target: {cluster: {workers: 3}}
load: [{name: main, closed: {concurrency: 4}, duration: 60s}]
chaos: [{name: freeze, pause: {workers: 1}, at: 500ms, for: 50s}]
`

const frozenCommand = `
name: frozen
target:
  command:
    run: [node, "${env:REPO}/testdata/node/cluster.js"]
    env: {PORT: "${port}"}
    url: "http://127.0.0.1:${port}/"
load: [{name: main, closed: {concurrency: 4}, duration: 60s}]
chaos: [{name: freeze, pause: {workers: 1}, at: 500ms, for: 50s}]
`

// cutNetwork is cut off from an embedded dependency, which is frozen too, until
// somebody ends it.
const cutNetwork = `name: cut
seed: 1
target: {single: {}}
front: true
dependencies: {cache: {kind: redis, mode: embedded}}
load: [{name: main, closed: {concurrency: 4}, duration: 60s}]
chaos:
  - {name: cut, cut: {dependency: cache}, at: 500ms, for: 50s}
  - {name: slow, latency: {front: true, add: 20ms}, at: 500ms, for: 50s}
  - {name: freeze, pause: {dependency: cache}, at: 600ms, for: 50s}
`

// needNode skips a test on a machine without Node.js, and fails it in CI, which
// has installed what the tests need.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("node is not installed, although CI installs it (.ci/needs)")
	}
	t.Skip("node is not installed (apt-get install nodejs)")
}

// TestKilledController kills hachaos in mid-run while a worker is frozen: soon
// nothing of the run is left, though it could not tidy up itself.
func TestKilledController(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc for the run's id")
	}
	for _, c := range []struct{ name, scenario string }{{"cluster", frozenCluster}, {"command", frozenCommand}, {"network", cutNetwork}} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "command" {
				needNode(t)
			}
			dir := t.TempDir()
			cmd, out := play(t, dir, "run", write(t, dir, "frozen.yaml", c.scenario))
			await(t, "the freeze", 60*time.Second, func() bool { return strings.Contains(out.String(), "freeze#1") })
			run := runOf(t, cmd.Process.Pid)
			if n := len(left(t, run)); run == "" || n < 4 {
				t.Fatalf("run %q has %d processes", run, n)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			// Two seconds are what is promised, on a machine that has the time.
			took := await(t, "the end of the run's processes", 20*time.Second, func() bool { return len(left(t, run)) == 0 })
			t.Logf("nothing was left after %v", took)
			await(t, "the run's folder to go", 10*time.Second, func() bool {
				folders, err := filepath.Glob(filepath.Join(dir, "hachaos-*"))
				_, kept := os.Stat("/dev/shm/hachaos-" + run) // of sockets
				return err == nil && len(folders) == 0 && errors.Is(kept, fs.ErrNotExist)
			})
		})
	}
}

// TestInterrupted ends a run by each signal: everything is reverted, a partial
// report is written, and the exit code tells the signal.
func TestInterrupted(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}, {syscall.SIGHUP, 129}} {
		t.Run(c.signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			cmd, out := play(t, dir, "run", write(t, dir, "frozen.yaml", frozenCluster), "-o", "r.json")
			await(t, "the freeze", 60*time.Second, func() bool { return strings.Contains(out.String(), "freeze#1") })
			run := runOf(t, cmd.Process.Pid)
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // its exit code is looked at
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d:\n%s", code, c.code, out)
			}
			r := readReport(t, filepath.Join(dir, "r.json"))
			if r.Verdict != reports.Interrupted || len(r.Load) != 1 || r.Load[0].Requests.OK == 0 || len(r.Faults) != 1 {
				t.Errorf("verdict %s, %d faults, load %+v", r.Verdict, len(r.Faults), r.Load)
			}
			if f := r.Faults[0]; f.State != "done" || f.EndS <= f.StartS {
				t.Errorf("the freeze was not reverted: %+v", f)
			}
			if n := len(left(t, run)); n != 0 && runtime.GOOS == "linux" {
				t.Errorf("%d processes are left", n)
			}
		})
	}
}

// TestCountsAgree compares what the workers themselves counted with what the
// report says they answered: the same, but for what was in flight at a kill.
func TestCountsAgree(t *testing.T) {
	for _, dispatch := range []string{"handoff", "shared"} {
		for _, keepalive := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s keepalive %v", dispatch, keepalive), func(t *testing.T) {
				dir := t.TempDir()
				const clients, kills = 8, 3
				scenario := fmt.Sprintf(`
name: counts
target: {cluster: {workers: 3, dispatch: %s, app: {work: 500us}}}
warmup: 0s
load: [{name: main, closed: {concurrency: %d, keepalive: %v}, duration: 5s}]
probe: {off: true}
chaos: [{name: crash, kill: {workers: 1}, at: 1s, every: 1s, count: %d}]
`, dispatch, clients, keepalive, kills)
				cmd, out := play(t, dir, "run", write(t, dir, "counts.yaml", scenario), "-o", "r.json")
				if err := cmd.Wait(); err != nil {
					t.Fatalf("%v:\n%s", err, out)
				}
				r := readReport(t, filepath.Join(dir, "r.json"))
				killed := map[string]bool{}
				for _, f := range r.Faults {
					killed[fmt.Sprint(f.Victims[0].PID)] = true
				}
				var counted, answered int64
				for _, p := range r.Resources {
					if p.Served == nil {
						continue // the master
					}
					pid := fmt.Sprint(p.PID)
					counted += *p.Served
					answered += r.Load[0].Workers[pid]
					lost := *p.Served - r.Load[0].Workers[pid]
					// A killed worker may have counted what it had no time to send.
					if most := int64(clients); lost < 0 || (lost > 0 && !killed[pid]) || lost > most {
						t.Errorf("worker %s served %d by its own count and %d by the report (killed: %v)", pid, *p.Served, r.Load[0].Workers[pid], killed[pid])
					}
				}
				if answered != r.Load[0].Requests.OK || answered == 0 {
					t.Errorf("the workers answered %d, the report has %d good requests", answered, r.Load[0].Requests.OK)
				}
				t.Logf("%d counted, %d answered, %d failed", counted, answered, r.Load[0].Requests.Failed)
			})
		}
	}
}

// TestLostRequestsAddUp compares what killed workers left undone, by their own
// count, with the requests that the report says were retried or failed. Requests
// spend nearly all of their time in a worker here, so that next to none is on its
// way there, or back, when it is killed.
func TestLostRequestsAddUp(t *testing.T) {
	for _, dispatch := range []string{"handoff", "shared"} {
		t.Run(dispatch, func(t *testing.T) {
			dir := t.TempDir()
			// Two of three: on a busy machine all connections may be with one worker.
			const kills = 2 * 4
			scenario := fmt.Sprintf(`
name: lost
target: {cluster: {workers: 3, dispatch: %s, app: {wait: 150ms}}}
warmup: 500ms
load: [{name: main, closed: {concurrency: 24, keepalive: true}, duration: 6s}]
probe: {off: true}
chaos: [{name: crash, kill: {workers: 2}, at: 1s, every: 1s, count: %d}]
`, dispatch, kills/2)
			cmd, out := play(t, dir, "run", write(t, dir, "lost.yaml", scenario), "-o", "r.json")
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			r := readReport(t, filepath.Join(dir, "r.json"))
			var undone int64
			for _, p := range r.Resources {
				if p.Unfinished != nil {
					undone += *p.Unfinished
				}
			}
			requests := r.Load[0].Requests
			lost := requests.Retried + requests.Failed
			t.Logf("%d left undone; %d retried, %d failed of %d", undone, requests.Retried, requests.Failed, requests.Sent)
			if undone < kills || lost < undone-kills || lost > undone+kills {
				t.Errorf("killed workers left %d requests undone; %d were retried and %d failed", undone, requests.Retried, requests.Failed)
			}
			var charged int64
			for _, f := range r.Faults {
				charged += f.RetriedRequests + f.FailedRequests
			}
			if charged != lost {
				t.Errorf("the kills are charged with %d of %d", charged, lost)
			}
		})
	}
}

// TestRetriesAddUp compares what an application counts of its tries again with
// what the proxy before its Redis counts: each command that it answered with an
// error is a try that failed.
func TestRetriesAddUp(t *testing.T) {
	dir := t.TempDir()
	cmd, out := play(t, dir, "run", write(t, dir, "retries.yaml", `
name: retries
seed: 3
target: {single: {app: {sessions: redis, retry: {attempts: 4, base: 4ms}}}}
dependencies: {cache: {kind: redis, mode: embedded}}
warmup: 200ms
load: [{name: login, closed: {concurrency: 8}, duration: 4s, requests: [{method: POST, path: /login}]}]
probe: {off: true}
chaos: [{name: loading, toxic: {dependency: cache, type: redis, attributes: {error: LOADING, probability: 0.5, commands: [SET]}}, at: 500ms, for: 3s}]
`), "-o", "r.json")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	r := readReport(t, filepath.Join(dir, "r.json"))
	var told *reports.Retries
	for _, p := range r.Resources {
		if p.Retries != nil {
			told = p.Retries
		}
	}
	if told == nil {
		t.Fatal("the report has no retries")
	}
	var again int64
	for _, p := range told.Pauses {
		again += p.Tries
	}
	injected, lost := r.Proxies[0].Faults[0].Actions, r.Load[0].Requests.Failed
	t.Logf("%d commands were answered with an error; %+v; %d requests failed", injected, *told, lost)
	if injected < 100 {
		t.Fatalf("%d errors say nothing", injected)
	}
	if failed := told.Failed + again - told.Succeeded; failed != injected {
		t.Errorf("the application counts %d tries that failed, the proxy %d errors", failed, injected)
	}
	if told.Failed-told.Succeeded != lost {
		t.Errorf("of %d calls that failed %d succeeded in the end, and %d requests failed", told.Failed, told.Succeeded, lost)
	}
	for _, p := range r.Practices {
		if p.Name == "retries with backoff" && (p.State != reports.Shown || !strings.Contains(p.Figure, "failed calls succeeded when tried again, after pauses of")) {
			t.Errorf("%s: %s", p.State, p.Figure)
		}
	}
}

// TestSameSeedSameVictims plays a scenario twice and finds the same faults on the
// same slots at the times of its dry run.
func TestSameSeedSameVictims(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "s.yaml", `
name: seeded
seed: 11
target: {cluster: {workers: 4}}
load: [{name: main, closed: {concurrency: 2}, duration: 4s}]
probe: {off: true}
chaos: [{name: crash, kill: {workers: 1}, at: 500ms, every: 1s, jitter: 200ms}]
`)
	type planned struct {
		ID      string  `json:"id"`
		AtS     float64 `json:"at_s"`
		Workers []int   `json:"workers"`
	}
	dry := exec.Command(filepath.Join(binary, name()), "run", "s.yaml", "--dry-run", "--json")
	dry.Dir = dir
	text, err := dry.Output()
	if err != nil {
		t.Fatal(err)
	}
	var plan []planned
	if err := json.NewDecoder(bufio.NewReader(bytes.NewReader(text))).Decode(&plan); err != nil || len(plan) != 4 {
		t.Fatalf("%d faults are planned, error %v", len(plan), err)
	}
	for run := range 2 {
		cmd, out := play(t, dir, "run", "s.yaml", "-o", "r.json")
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		faults := readReport(t, filepath.Join(dir, "r.json")).Faults
		for i, p := range plan {
			f := faults[i]
			if f.ID != p.ID || f.Victims[0].Worker != p.Workers[0] || f.AtS != p.AtS || f.StartS < p.AtS {
				t.Errorf("run %d: %s at %v (due %v) on worker %d; planned %+v", run, f.ID, f.StartS, f.AtS, f.Victims[0].Worker, p)
			}
		}
	}
}

// TestSecondInterrupt shows that a second signal ends hachaos at once, and that
// the guard then does the rest: it ends the revert that hachaos was playing, and
// only then plays it itself.
func TestSecondInterrupt(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc for the run's id")
	}
	dir := t.TempDir()
	// The first revert hangs, the second looks whether it still does. It is a second
	// until the first is known, so that it stands in the journal by then.
	write(t, dir, "revert.sh", `
if first=$(cat pids 2>/dev/null); then
	grep -q '^State:[[:space:]]*[DIRSTt]' /proc/$first/status && echo beside >> told
	echo undone >> told
	exit
fi
sleep 1
echo $$ > pids.new && mv pids.new pids
exec sleep 600
`)
	cmd, out := play(t, dir, "run", write(t, dir, "slow.yaml", `
name: slow
target: {cluster: {workers: 2}}
load: [{name: main, closed: {concurrency: 2}, duration: 60s}]
chaos:
  - {name: freeze, pause: {workers: 1}, at: 300ms, for: 50s}
  - {name: stuck, exec: {run: [sleep, "0"], revert: [sh, revert.sh]}, at: 500ms, for: 50s}
`))
	await(t, "the faults", 60*time.Second, func() bool { return strings.Contains(out.String(), "stuck#1") })
	run := runOf(t, cmd.Process.Pid)
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its exit code is looked at
		close(ended)
	}()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, name))
		return strings.TrimSpace(string(text))
	}
	await(t, "the revert", 60*time.Second, func() bool { return read("pids") != "" })
	hung, err := strconv.Atoi(read("pids"))
	if err != nil {
		t.Fatal(err)
	}
	hanging, err := proc.Lookup(hung)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proc.Signal(hanging.ID, os.Kill) })
	await(t, "hachaos to end", 20*time.Second, func() bool {
		select {
		case <-ended:
			return true
		default:
			_ = cmd.Process.Signal(syscall.SIGINT)
			return false
		}
	})
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	await(t, "the end of the run's processes", 60*time.Second, func() bool { return len(left(t, run)) == 0 })
	await(t, "the guard's revert", 60*time.Second, func() bool { return strings.HasSuffix(read("told"), "undone") })
	if proc.Alive(hanging.ID) || read("told") != "undone" {
		t.Errorf("hachaos's own revert lives: %v; the guard's tells %q", proc.Alive(hanging.ID), read("told"))
	}
}

// hidden returns the pid of a hidden process of the run: its guard or prober.
func hidden(t *testing.T, controller int, word string) int {
	t.Helper()
	table, err := proc.ReadTable()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.Tree(table[controller].ID) {
		if strings.HasSuffix(proc.Cmdline(p.PID), " "+word) {
			return p.PID
		}
	}
	t.Fatalf("there is no %s", word)
	return 0
}

// TestKilledGuard ends a run whose guard is killed at once, and without a trace:
// the controller does the guard's work.
func TestKilledGuard(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	needNode(t)
	dir := t.TempDir()
	cmd, out := play(t, dir, "run", write(t, dir, "frozen.yaml", `
name: frozen
target:
  command:
    run: [sh, -c, "sleep 777 & exec \"$0\" \"$@\"", node, "${env:REPO}/testdata/node/cluster.js"]
    env: {PORT: "${port}"}
    url: "http://127.0.0.1:${port}/"
load: [{name: main, closed: {concurrency: 2}, duration: 60s}]
chaos: [{name: freeze, pause: {match: "sleep 777"}, at: 500ms, for: 50s}]
`), "-o", "r.json")
	await(t, "the freeze", 60*time.Second, func() bool { return strings.Contains(out.String(), "freeze#1") })
	run := runOf(t, cmd.Process.Pid)
	if err := syscall.Kill(hidden(t, cmd.Process.Pid, "guard"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(out.String(), "the guard has ended") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if n := len(left(t, run)); n != 0 {
		t.Errorf("%d processes are left", n)
	}
	if folders, _ := filepath.Glob(filepath.Join(dir, "hachaos-*")); len(folders) > 0 {
		t.Errorf("left behind: %v", folders)
	}
	if r := readReport(t, filepath.Join(dir, "r.json")); r.Verdict != reports.Error {
		t.Errorf("verdict %s", r.Verdict)
	}
}

// TestKilledProber shows that a run nobody watched to its end passes nothing.
func TestKilledProber(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	dir := t.TempDir()
	cmd, out := play(t, dir, "run", write(t, dir, "blind.yaml", `
name: blind
target: {single: {}}
load: [{name: main, closed: {concurrency: 2}, duration: 5s}]
chaos:
  - {name: note, exec: {run: ["true"]}, at: 200ms}
  - {name: crash, kill: {}, at: 3s}
slo: [downtime < 1s, outages == 0]
`), "-o", "r.json")
	await(t, "the load", 60*time.Second, func() bool { return strings.Contains(out.String(), "note#1") })
	if err := syscall.Kill(hidden(t, cmd.Process.Pid, "probe"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 4 || !strings.Contains(out.String(), "the prober ended") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	r := readReport(t, filepath.Join(dir, "r.json"))
	if r.Verdict != reports.Inconclusive || r.Faults[1].RecoveryS != nil {
		t.Errorf("verdict %s, recovery %v", r.Verdict, r.Faults[1].RecoveryS)
	}
}

// TestCommandOfAFaultDiesWithTheController kills hachaos while a fault's command
// runs: it goes too.
func TestCommandOfAFaultDiesWithTheController(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	dir := t.TempDir()
	cmd, _ := play(t, dir, "run", write(t, dir, "exec.yaml", `
name: exec
target: {single: {}}
load: [{name: main, closed: {concurrency: 1}, duration: 60s}]
chaos: [{name: hang, exec: {run: [sh, -c, "echo $$ > pid.tmp; mv pid.tmp pid; sleep 888"]}, at: 200ms}]
`))
	var pid int
	await(t, "the command", 60*time.Second, func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			return false
		}
		_, err = fmt.Sscan(string(text), &pid)
		return err == nil
	})
	command, err := proc.Lookup(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	await(t, "the end of the command and its child", 20*time.Second, func() bool {
		table, err := proc.ReadTable()
		return err == nil && len(table.OfRun("", []proc.ID{command.ID})) == 0
	})
	if files, _ := filepath.Glob(filepath.Join(dir, "hachaos-*")); len(files) > 0 {
		await(t, "the run's files to go", 20*time.Second, func() bool {
			files, _ = filepath.Glob(filepath.Join(dir, "hachaos-*"))
			return len(files) == 0
		})
	}
}

// TestClosedOutput keeps the report although nobody reads what is printed.
func TestClosedOutput(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "quick.yaml", `
name: quick
target: {single: {}}
warmup: 0s
load: [{name: main, closed: {concurrency: 1}, duration: 500ms}]
probe: {off: true} # half a second is soon too little to judge uptime by
`)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	cmd := exec.Command(filepath.Join(binary, name()), "run", "quick.yaml", "-o", "r.json")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, w, w
	_ = cmd.Run() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit code %d, want 3: an output could not be written", code)
	}
	if got := readReport(t, filepath.Join(dir, "r.json")); got.Verdict != reports.Pass {
		t.Errorf("verdict %s", got.Verdict)
	}
}
