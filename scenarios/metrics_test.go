package scenarios

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports"
)

// What is served is the newest report of each run, and nothing outlives Close.
func TestServeMetrics(t *testing.T) {
	latest := &Latest{}
	server, err := ServeMetrics(":0", latest)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(server.URL(), "http://127.0.0.1:") {
		t.Errorf("an address without a host listens at %s", server.URL())
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	metrics := func() string {
		t.Helper()
		response, err := client.Get(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if text := metrics(); strings.Contains(text, "hachaos_") {
		t.Errorf("before the first run: %s", text)
	}
	for run, name := range []string{"alpha", "beta"} {
		latest.Begin()
		so := reports.Fold(reports.Run{Scenario: reports.Scenario{Name: name}})
		progress := Fan{Quiet{}, latest}
		progress.Phase("starting")
		progress.Tick(-time.Second, time.Minute, so, 0)
		if text := metrics(); strings.Contains(text, name) {
			t.Errorf("the warm-up of run %d is served", run+1)
		}
		progress.Tick(time.Second, time.Minute, so, 0)
		if text := metrics(); !strings.Contains(text, `scenario="`+name+`"`) || strings.Contains(text, `verdict="`+string(so.Verdict)+`"} 1`) && run == 0 {
			t.Errorf("run %d while it goes on: %s", run+1, text)
		}
		progress.End()
		latest.Finish(so)
		if text := metrics(); !strings.Contains(text, `hachaos_run_verdict{`) {
			t.Errorf("run %d after its end: %s", run+1, text)
		}
	}
	if text := metrics(); !strings.Contains(text, `run="1",scenario="alpha"`) || !strings.Contains(text, `run="2",scenario="beta"`) {
		t.Errorf("after both: %s", text)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if _, err := client.Get(server.URL()); err == nil {
		t.Error("it still serves")
	}
}

func TestServeMetricsMistakes(t *testing.T) {
	server, err := ServeMetrics("127.0.0.1:0", &Latest{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	taken := strings.TrimSuffix(strings.TrimPrefix(server.URL(), "http://"), "/metrics")
	for address, says := range map[string]string{taken: "choose another port", "a:b:c": "want HOST:PORT", "nonsense": "listen for metrics"} {
		if s, err := ServeMetrics(address, &Latest{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", address, err)
			if err == nil {
				s.Close()
			}
		}
	}
}
