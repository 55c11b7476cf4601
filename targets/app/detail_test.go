package app

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/hachaos/hachaos/targets/app/apptest"
)

func TestDetailedHealth(t *testing.T) {
	b := newBank(t)
	relay := apptest.NewRelay(t, miniredis.RunT(t).Addr())
	a := newTested(t, Config{Sessions: "redis", Breaker: soon()}, env{"REDIS_URL": "redis://" + relay.Address, "PAYMENTS_URL": b.URL})
	a.want("GET /login", 200, "")
	d := decode[Detail](t, a.want("GET /health/detailed", 200, ""))
	if d.Status != "ok" || d.PID != os.Getpid() || d.Worker != 1 || d.UptimeS <= 0 || d.Go != runtime.Version() || d.Version == "" || d.Memory.Heap == 0 || d.Served != 1 || len(d.Components) != 2 {
		t.Errorf("%+v", d)
	}
	for i, name := range []string{"redis", "payments"} {
		if c := d.Components[i]; c.Name != name || c.State != "up" || c.LatencyMS <= 0 || c.Breaker != "closed" || c.Error != "" {
			t.Errorf("%+v", c)
		}
	}
	relay.Cut()
	for range 3 {
		a.ask("GET /profile")
	}
	d = decode[Detail](t, a.want("GET /health/detailed", 200, ""))
	if c := d.Components[0]; d.Status != "degraded" || c.State != "down" || c.Error == "" || c.Breaker == "closed" || c.Failures < 3 {
		t.Errorf("%+v", d)
	}
	a.Drain()
	if d := decode[Detail](t, a.ask("GET /health/detailed")); d.Status != "draining" {
		t.Errorf("%+v", d)
	}
	if d := decode[Detail](t, newTested(t, Config{}, nil).ask("GET /health/detailed")); d.Status != "ok" || d.Components == nil || len(d.Components) != 0 {
		t.Errorf("without dependencies: %+v", d)
	}
}

func TestDeepReadinessLooksAtDependencies(t *testing.T) {
	relay := apptest.NewRelay(t, miniredis.RunT(t).Addr())
	e := env{"REDIS_URL": "redis://" + relay.Address}
	shallow, deep := newTested(t, Config{}, e), newTested(t, Config{Ready: "deep"}, e)
	for _, a := range []*tested{shallow, deep} {
		a.want("GET /ready", 200, "")
	}
	relay.Cut()
	shallow.want("GET /ready", 200, "")
	if w := deep.want("GET /ready", 503, ""); !strings.HasPrefix(w.Body.String(), "redis: ") {
		t.Errorf("it says %s", w.Body)
	}
	deep.want("GET /health", 200, "")
	deep.want("GET /live", 200, "")
	relay.Mend()
	deep.awaitStatus("GET /ready", 200)
	deep.Drain()
	deep.want("GET /ready", 503, "")
}
