package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/app"
)

func TestConfigCheck(t *testing.T) {
	good := Config{}
	good.SetDefaults()
	bad := Config{
		Workers: -1, Dispatch: "pigeon", Threads: -1, ReadyTimeout: -1, KillTimeout: -1,
		Restart: Restart{When: "sometimes", Backoff: units.Duration(time.Minute), MinUptime: -1},
	}
	bad.App.Work = -1
	bad.SetDefaults()
	for _, c := range []struct {
		config Config
		want   []string
	}{
		{good, nil},
		{bad, []string{"workers", "dispatch", "threads", "restart.when", "restart.max_backoff", "restart.min_uptime", "ready_timeout", "kill_timeout", "app.work"}},
		{Config{Workers: 2, Weights: []int{1, 2}, Backup: []int{2}, SlowStart: 1, App: app.Config{Slow: &app.Slow{Worker: 3, Wait: 1}}},
			[]string{"weights", "backup", "slow_start", "app.slow.worker"}},
		{Config{Workers: 2, Dispatch: "proxy", Weights: []int{0, 2, 3}, Backup: []int{3}}, []string{"weights", "weights[0]", "backup[0]"}},
	} {
		c.config.SetDefaults()
		var got []string
		c.config.Check(func(path, _ string) { got = append(got, path) })
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: reported %q, want %q", c.config, got, c.want)
		}
	}
}

func TestDefaultsKeepWhatIsSet(t *testing.T) {
	c := Config{Workers: 3, Dispatch: "shared", Threads: 2, KillTimeout: 1}
	c.SetDefaults()
	if c.Workers != 3 || c.Dispatch != "shared" || c.Threads != 2 || c.KillTimeout != 1 || c.Restart.When != "on-failure" {
		t.Errorf("got %+v", c)
	}
}
