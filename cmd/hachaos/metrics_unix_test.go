//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// TestMetrics scrapes a run while it goes on, as Prometheus does, and then by a
// Prometheus itself.
func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	run, said := play(t, dir, "run", "worker-crash", "--metrics", ":0", "--set", "load.main.duration=10m", "--set", "chaos.crash.at=2s", "--set", "slo=[]")
	t.Cleanup(func() { end(t, run, syscall.SIGINT) })
	address := ""
	await(t, "the address of the metrics", time.Minute, func() bool {
		m := regexp.MustCompile(`metrics at (http://127\.0\.0\.1:\d+/metrics)`).FindStringSubmatch(said.String())
		if m != nil {
			address = m[1]
		}
		return m != nil
	})
	await(t, "requests and a fault in the metrics", time.Minute, func() bool {
		text := scrape(t, address)
		return value(t, text, "hachaos_requests_total", "outcome", "ok") > 0 && value(t, text, "hachaos_faults_total", "fault", "crash") > 0
	})
	text := scrape(t, address)
	if v := value(t, text, "hachaos_availability_ratio", "scenario", "worker-crash"); v <= 0 || v > 1 {
		t.Errorf("availability is %v", v)
	}
	if strings.Contains(text, "hachaos_run_verdict{") {
		t.Error("a run that goes on has a verdict")
	}
	t.Run("prometheus", func(t *testing.T) { readByPrometheus(t, dir, address) })
}

func readByPrometheus(t *testing.T, dir, address string) {
	path, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("CI") == "true" && runtime.GOOS == "linux" {
			t.Fatal("there is no Prometheus: .ci/needs installs it")
		}
		t.Skip("there is no Prometheus to be scraped by (make needs installs it)")
	}
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "prometheus.yml", fmt.Sprintf("scrape_configs: [{job_name: hachaos, scrape_interval: 250ms, scrape_timeout: 250ms, static_configs: [{targets: [%q]}]}]\n", target.Host))
	listen := freeAddress(t)
	cmd := exec.Command(path, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+listen)
	said := &lines{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end(t, cmd, syscall.SIGTERM)
		if t.Failed() {
			t.Log(said)
		}
	})
	for _, query := range []string{
		`rate(hachaos_requests_total{outcome="ok"}[10s]) > 0`,
		`hachaos_latency_seconds{quantile="0.99",stream="main"} > 0`,
		`hachaos_faults_total{fault="crash",state="done"} > 0`,
		`hachaos_uptime_ratio <= 1`,
		`hachaos_run_info{scenario="worker-crash"} == 1`,
	} {
		await(t, query, 2*time.Minute, func() bool {
			response, err := http.Get("http://" + listen + "/api/v1/query?query=" + url.QueryEscape(query))
			if err != nil {
				return false // not up yet
			}
			defer response.Body.Close()
			var answer struct {
				Data struct{ Result []json.RawMessage }
			}
			return json.NewDecoder(response.Body).Decode(&answer) == nil && len(answer.Data.Result) > 0
		})
	}
}

// end asks a process to end, and waits for it.
func end(t *testing.T, cmd *exec.Cmd, sig os.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Error(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done: // with the signal's exit code
	case <-time.After(time.Minute):
		t.Errorf("%s did not end", cmd.Path)
		_ = cmd.Process.Kill() // it may just have ended
		<-done
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func scrape(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", response.Status, err, text)
	}
	return string(text)
}

// value is the sum of a metric's series with a label; 0 if there are none.
func value(t *testing.T, text, metric, label, want string) float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %s", err, strconv.Quote(text))
	}
	sum := 0.0
	for _, m := range families[metric].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label && l.GetValue() == want {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
