package loadgen

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
)

// openVar makes the test binary a generator of open load: URL and rate.
const openVar = "HACHAOS_TEST_OPEN"

// measureOpen lets a process on one core send open load, and reports how late it
// was, and what share of that core's time the machine's host kept for others
// meanwhile: a generator that is late on a stolen core is not a slow one.
func measureOpen(b *testing.B, url string, rate int) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	var within, late, cpu, stolen []float64
	for b.Loop() {
		for range 3 {
			before := readTicks(b)
			cmd := exec.Command("taskset", "-c", "0", self)
			cmd.Env = append(os.Environ(), "GOMAXPROCS=1", fmt.Sprintf("%s=%s %d", openVar, url, rate))
			out, err := cmd.Output()
			stolen = append(stolen, 100*readTicks(b).stolenSince(before))
			var w, l, c float64
			if _, scan := fmt.Sscan(string(out), &w, &l, &c); err != nil || scan != nil {
				b.Fatalf("%v, %v: %s", err, scan, out)
			}
			within, late, cpu = append(within, w), append(late, l), append(cpu, c)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(within), "%-within-1ms")
	b.ReportMetric(median(late), "p99.9-lag-ms")
	b.ReportMetric(median(cpu), "µs/req")
	b.ReportMetric(median(stolen), "stolen-%")
}

// coreTicks count what a processor's time went to since the machine was started.
type coreTicks struct{ stolen, all float64 }

func readTicks(b *testing.B) coreTicks {
	b.Helper()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		b.Fatal(err)
	}
	t, err := parseTicks(string(stat), "cpu0")
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// parseTicks reads a processor's line of /proc/stat: user, nice, system, idle,
// iowait, irq, softirq, steal (proc_stat(5)); what guests had, which follows, is in
// user and nice already.
func parseTicks(stat, cpu string) (t coreTicks, err error) {
	for line := range strings.Lines(stat) {
		f := strings.Fields(line)
		if len(f) < 9 || f[0] != cpu {
			continue
		}
		for _, field := range f[1:9] {
			n, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return t, err
			}
			t.stolen = n // that of the last one stays
			t.all += n
		}
		return t, nil
	}
	return t, fmt.Errorf("/proc/stat has no line of %s with stolen time", cpu)
}

func (t coreTicks) stolenSince(before coreTicks) float64 {
	return (t.stolen - before.stolen) / max(1, t.all-before.all)
}

func TestParseTicks(t *testing.T) {
	const stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 10 1 5 80 1 1 1 %d 7 7\ncpu1 9 9 9 9 9 9 9 9 9 9\nintr 1\n"
	before, err := parseTicks(fmt.Sprintf(stat, 1), "cpu0")
	if err != nil || before != (coreTicks{1, 100}) {
		t.Fatalf("%+v, %v", before, err)
	}
	after, err := parseTicks(strings.Replace(fmt.Sprintf(stat, 11), " 80 ", " 110 ", 1), "cpu0")
	if err != nil || after.stolenSince(before) != 0.25 || before.stolenSince(before) != 0 {
		t.Errorf("%+v, %v: %v stolen", after, err, after.stolenSince(before))
	}
	if _, err := parseTicks(stat, "cpu7"); err == nil {
		t.Error("a processor that is not there has coreTicks")
	}
}

// runOpen is the generator that measureOpen starts: it prints what share of the
// requests was sent within 1 ms of its time, in percent, the 99.9th percentile of
// lateness in ms, and the processor time of a request in µs.
func runOpen(spec string) error {
	var url string
	var rate float64
	if _, err := fmt.Sscan(spec, &url, &rate); err != nil {
		return err
	}
	g, err := New(Options{URL: url, Epoch: clock.Now().Add(500 * time.Millisecond), Stream: Stream{
		Name: "open", Open: &Open{Rate: units.Rate(rate)}, Duration: units.Duration(3 * time.Second),
	}})
	if err != nil {
		return err
	}
	if err := g.Run(context.Background()); err != nil {
		return err
	}
	r := g.Recording()
	inTime := int64(0)
	for _, bar := range r.Generator.Lag.Distribution() {
		if bar.To <= 1000 {
			inTime += bar.Count
		}
	}
	_, err = fmt.Println(100*float64(inTime)/float64(r.Sent), float64(r.Generator.Lag.ValueAtPercentile(99.9))/1e3,
		float64(r.Generator.CPU)/float64(time.Microsecond)/float64(r.Sent))
	return err
}
