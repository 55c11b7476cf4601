package loadgen

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// peer is a load generator: its command line, its environment, and where it says
// how many requests it has sent.
type peer struct {
	name     string
	args     []string
	requests string
	env      []string
}

const (
	peerClients = "64"
	peerRounds  = 3
	keptCount   = "100000"
	slowCount   = "20000" // for those that take several times as long
	newCount    = "20000"
)

// BenchmarkPeers measures the processor time of a request in several load
// generators, each on one core, against nginx on another: all in turn, several
// times, so that what else the machine does is in all of them. The figures are
// medians; ratios are what to look at. Peers that are not installed are left out.
func BenchmarkPeers(b *testing.B) {
	url := startNginx(b)
	self := filepath.Join(b.TempDir(), "hachaos")
	if out, err := exec.Command("go", "build", "-o", self, "../cmd/hachaos").CombinedOutput(); err != nil {
		b.Fatalf("build hachaos: %v\n%s", err, out)
	}
	test, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	const complete = `Complete requests: +(\d+)`
	b.Run("kept", func(b *testing.B) {
		comparePeers(b, []peer{
			{"hachaos", []string{self, "bench", "-q", "--no-probe", "-k", "-c", peerClients, "-n", keptCount, url}, complete, nil},
			{"wrk", []string{"wrk", "-t1", "-c", peerClients, "-d2s", url}, `(\d+) requests in`, nil},
			{"ab", []string{"ab", "-q", "-k", "-c", peerClients, "-n", keptCount, url}, complete, nil},
			{"hey", []string{"hey", "-cpus", "1", "-c", peerClients, "-n", slowCount, url}, `\[200\]\s+(\d+) responses`, nil},
			{"bombardier", []string{"bombardier", "-c", peerClients, "-n", keptCount, url}, `2xx - (\d+)`, nil},
			{"vegeta", []string{test}, `(\d+) good`, []string{vegetaVar + "=" + url}},
			{"k6", []string{"k6", "run", "--quiet", "--address", "", writeK6(b, url)}, `(\d+) requests`, []string{"K6_NO_USAGE_REPORT=true"}},
		})
	})
	b.Run("new", func(b *testing.B) {
		comparePeers(b, []peer{
			{"hachaos", []string{self, "bench", "-q", "--no-probe", "-c", peerClients, "-n", newCount, url}, complete, nil},
			{"ab", []string{"ab", "-q", "-c", peerClients, "-n", newCount, url}, complete, nil},
		})
	})
	for _, rate := range []int{10_000, 50_000} {
		b.Run(fmt.Sprintf("open-%d", rate), func(b *testing.B) { measureOpen(b, url, rate) })
	}
}

// writeK6 writes a script that lets k6 do what the others do, and say how many
// requests it has sent and nothing else. It returns the script's path.
func writeK6(b *testing.B, url string) string {
	b.Helper()
	script := fmt.Sprintf(`import http from "k6/http";
export const options = {vus: %s, iterations: %s, discardResponseBodies: true};
export default function () { http.get(%q); }
export function handleSummary(data) { return {stdout: data.metrics.http_reqs.values.count + " requests\n"}; }
`, peerClients, slowCount, url)
	path := filepath.Join(b.TempDir(), "peer.js")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// comparePeers reports the processor time per request of each peer, and of the
// first one in ratio to the others.
func comparePeers(b *testing.B, peers []peer) {
	peers = slices.DeleteFunc(peers, func(p peer) bool {
		_, err := exec.LookPath(p.args[0])
		return err != nil
	})
	cost := map[string][]float64{}
	for b.Loop() {
		for range peerRounds {
			for _, p := range peers {
				cost[p.name] = append(cost[p.name], p.run(b))
			}
		}
	}
	b.ReportMetric(0, "ns/op") // it says nothing
	own := median(cost[peers[0].name])
	for _, p := range peers {
		m := median(cost[p.name])
		b.ReportMetric(m, p.name+"-µs/req")
		if p.name != peers[0].name {
			b.ReportMetric(own/m, "×"+p.name)
		}
	}
}

// run returns the processor time of a request in µs.
func (p peer) run(b *testing.B) float64 {
	b.Helper()
	cmd := exec.Command("taskset", append([]string{"-c", "0"}, p.args...)...)
	cmd.Env = append(append(os.Environ(), "GOMAXPROCS=1"), p.env...)
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s: %v\n%s", p.name, err, out)
	}
	m := regexp.MustCompile(p.requests).FindSubmatch(out)
	if m == nil {
		b.Fatalf("%s does not say how many requests it sent:\n%s", p.name, out)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil || n == 0 {
		b.Fatalf("%s: %q requests", p.name, m[1])
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return float64(used) / float64(time.Microsecond) / n
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// startNginx starts nginx on the second core until the benchmark ends, and
// returns its URL.
func startNginx(b *testing.B) string {
	b.Helper()
	for _, program := range []string{"nginx", "taskset"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skipf("%s is not installed: there is nothing to measure against", program)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	dir := b.TempDir()
	config := fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 16384; }
http {
	access_log off; keepalive_requests 100000000; keepalive_timeout 3600s;
	client_body_temp_path %[1]s/1; proxy_temp_path %[1]s/2; fastcgi_temp_path %[1]s/3; uwsgi_temp_path %[1]s/4; scgi_temp_path %[1]s/5;
	server { listen %[2]s backlog=16384; location / { return 200 "hello to you!!\n"; } }
}`, dir, at)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	var log strings.Builder
	cmd := exec.Command("taskset", "-c", "1", "nginx", "-p", dir, "-c", file)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it has ended if it could not start
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", at); err == nil {
			c.Close()
			return "http://" + at + "/"
		} else if time.Now().After(deadline) {
			b.Fatalf("nginx does not listen: %v\n%s", err, log.String())
		}
	}
}
