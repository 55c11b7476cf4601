package targets

import (
	"slices"
	"testing"

	"github.com/hachaos/hachaos/targets/app"
)

func TestSingleCheck(t *testing.T) {
	good := SingleConfig{}
	good.SetDefaults()
	bad := SingleConfig{Threads: -1, Restart: "always", App: app.Config{Work: -1, Crash: &app.Crash{}}}
	bad.SetDefaults()
	for _, c := range []struct {
		config SingleConfig
		want   []string
	}{{good, nil}, {bad, []string{"threads", "restart", "app.work", "app.crash.after"}}} {
		if got := reported(c.config.Check); !slices.Equal(got, c.want) {
			t.Errorf("%+v: reported %q, want %q", c.config, got, c.want)
		}
	}
}

func TestCommandCheck(t *testing.T) {
	run := []string{"app"}
	for _, c := range []struct {
		config CommandConfig
		want   []string
	}{
		{CommandConfig{Run: run, URL: "http://localhost/", Env: map[string]string{"A": "1", "with.dot": ""}}, nil},
		{CommandConfig{Run: run, URL: "x", Reload: &CommandReload{Signal: "HUP"}}, nil},
		{CommandConfig{Run: run, URL: "x", Reload: &CommandReload{Run: run}}, nil},
		{CommandConfig{}, []string{"run", "url"}},
		{CommandConfig{Run: []string{""}, URL: "x"}, []string{"run"}},
		{CommandConfig{Run: run, URL: "x", Env: map[string]string{"": "", "A=B": "", "N\x00": ""}}, []string{"env.", "env.A=B", "env.N\x00"}},
		{CommandConfig{Run: run, URL: "x", Reload: &CommandReload{}}, []string{"reload"}},
		{CommandConfig{Run: run, URL: "x", Reload: &CommandReload{Signal: "HUP", Run: run}}, []string{"reload.run"}},
		{CommandConfig{Run: run, URL: "x", Reload: &CommandReload{Signal: "NOT"}}, []string{"reload.signal"}},
		{CommandConfig{Run: run, URL: "x", Reload: &CommandReload{Run: []string{}}}, []string{"reload.run"}},
	} {
		c.config.SetDefaults()
		if got := reported(c.config.Check); !slices.Equal(got, c.want) {
			t.Errorf("%+v: reported %q, want %q", c.config, got, c.want)
		}
	}
}

func reported(check func(report func(path, message string))) []string {
	var paths []string
	check(func(path, _ string) { paths = append(paths, path) })
	return paths
}
