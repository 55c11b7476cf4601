package loadgen

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
)

// BenchmarkMemory measures how much memory a connection takes, and what a
// request leaves behind.
func BenchmarkMemory(b *testing.B) {
	url := startNginx(b)
	self := filepath.Join(b.TempDir(), "hachaos")
	if out, err := exec.Command("go", "build", "-o", self, "../cmd/hachaos").CombinedOutput(); err != nil {
		b.Fatalf("build hachaos: %v\n%s", err, out)
	}
	// most returns the most memory in KiB that so many requests took on so many
	// connections.
	most := func(b *testing.B, connections, requests int) float64 {
		cmd := exec.Command(self, "bench", "-q", "--no-probe", "-r", "-k", "-c", strconv.Itoa(connections), "-n", strconv.Itoa(requests), url)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	}
	b.Run("connection", func(b *testing.B) {
		const few, many = 10, 10_000
		for b.Loop() {
			b.ReportMetric((most(b, many, 10*many)-most(b, few, 10*many))/(many-few), "KiB/connection")
		}
		b.ReportMetric(0, "ns/op")
	})
	b.Run("request", func(b *testing.B) {
		const few, many = 100_000, 1_000_000
		for b.Loop() {
			begun, rss := most(b, 64, few), most(b, 64, many)
			b.ReportMetric(rss/1024, "MiB")
			b.ReportMetric((rss-begun)*1024/(many-few), "B/request")
		}
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkProberIsPunctual measures how late the prober sends while every
// processor is busy.
func BenchmarkProberIsPunctual(b *testing.B) {
	url := startNginx(b)
	var over atomic.Bool
	var busy sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			for !over.Load() {
			}
		})
	}
	defer busy.Wait()
	defer over.Store(true)
	for b.Loop() {
		epoch := clock.Now().Add(500 * time.Millisecond)
		p := startProber(b, b.Context(), ProberOptions{URL: url, Epoch: epoch})
		until := epoch.Add(4 * time.Second)
		clock.SleepUntil(b.Context(), until)
		p.Stop(until)
		if err := p.Wait(); err != nil {
			b.Fatal(err)
		}
		rec := p.Recordings(until)[0]
		b.ReportMetric(float64(rec.Lateness.ValueAtPercentile(99))/1e3, "late-p99-ms")
		b.ReportMetric(float64(rec.Lateness.Max())/1e3, "late-max-ms")
		b.Logf("priority %s, %d sent, %d failed, %d gaps", rec.Priority, rec.Sent, rec.Failed, len(rec.Gaps))
	}
	b.ReportMetric(0, "ns/op")
}
