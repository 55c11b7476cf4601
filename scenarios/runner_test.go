package scenarios

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/targets/note"
)

func loaded(t *testing.T, text string) *Scenario {
	t.Helper()
	s, err := LoadBytes("test.yaml", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Another path of the probe asks for something else than the load does, and what
// the load sends and wants does not hold for it.
func TestProbeOfAnotherPath(t *testing.T) {
	const text = `
name: orders
target: {url: "http://127.0.0.1:1/"}
load:
  - name: main
    closed: {concurrency: 1}
    duration: 1s
    requests: [{method: POST, path: /orders, headers: {X-Key: k}, body: "{}", expect: {status: [201], body: made}}]
probe: {%s}
`
	other := loaded(t, fmt.Sprintf(text, "path: /health")).probed()
	other.SetDefaults()
	want := loadgen.Request{
		Method: "GET", Path: "/health", Weight: 1, Headers: map[string]string{"X-Key": "k"},
		Expect: loadgen.Expect{Status: []loadgen.StatusRange{{From: 200, To: 399}}},
	}
	if !reflect.DeepEqual(other, want) {
		t.Errorf("%+v, want %+v", other, want)
	}
	for _, probe := range []string{"", "path: /orders"} {
		s := loaded(t, fmt.Sprintf(text, probe))
		if got := s.probed(); !reflect.DeepEqual(got, s.Load[0].Requests[0]) {
			t.Errorf("%q: %+v", probe, got)
		}
	}
}

// underWay is a run whose load began so long ago.
func underWay(t *testing.T, began time.Duration) *run {
	s := loaded(t, `
name: test
target: {url: "http://127.0.0.1:1/"}
load: [{name: main, closed: {concurrency: 1}, duration: 10s}]
`)
	return &run{
		player: &Player{}, scenario: s,
		epoch: clock.Now().Add(-began), started: time.Now().Add(-began),
	}
}

// While the last requests are only waited for the measured time does not grow.
func TestRunIsNoLongerThanItsLoad(t *testing.T) {
	if d := underWay(t, time.Minute).result(nil).Duration; d != 10*time.Second {
		t.Errorf("%v of 10 s", d)
	}
	r := underWay(t, time.Second)
	if d := r.result(nil).Duration; d < time.Second || d > clock.Since(r.epoch) {
		t.Errorf("%v of 1 s", d)
	}
}

// What processes tell is kept within bounds, and the report says what is missing.
func TestManyToldEvents(t *testing.T) {
	r := underWay(t, 5*time.Second)
	for i := range 2 * maxTold {
		r.hear(clock.Now(), note.Event{Source: "app", What: fmt.Sprintf("order %d", i)})
	}
	r.happens(happening{at: clock.Now(), Event: note.Event{Source: "db", What: "primary down"}})
	if n := len(r.soFar().Events); n != 0 {
		t.Errorf("%d events are worked through every second", n)
	}
	so := reports.Fold(r.result(nil))
	if n := len(so.Events); n != maxTold+lastTold+1 || so.Events[n-1].What != "primary down" || so.Events[n-2].What != "order 19999" || so.Events[0].What != "order 0" {
		t.Errorf("%d events", n)
	}
	if text := strings.Join(so.Warnings, "\n"); !strings.Contains(text, "processes told of 20,000 events, of which the first 10,000 and the last 100 are kept") {
		t.Errorf("warnings %q", so.Warnings)
	}
}
