//go:build unix

package targets

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hachaos/hachaos/targets/cluster"
	"github.com/hachaos/hachaos/targets/page"
)

func runWorker(log *slog.Logger) error { return cluster.RunWorker(context.Background(), log) }

func runStandby(log *slog.Logger) error { return cluster.RunStandby(context.Background(), log) }

func runMaster(args []string, log *slog.Logger) error {
	f, err := parseClusterFlags(args)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(f.config)
	if err != nil {
		return err
	}
	o := cluster.Options{
		Listen: f.listen, Dir: f.dir, Seed: f.seed, Command: []string{os.Args[0], "worker"}, Standby: []string{os.Args[0], "standby"},
		Ready: os.NewFile(uintptr(f.readyFD), "ready"), Log: log, Lifeline: time.Minute,
	}
	if err := json.Unmarshal(text, &o.Config); err != nil {
		return err
	}
	if o.Page, err = page.Inherited(f.pageFD); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(f.config), "sulk")); err == nil {
		select {} // it never listens
	}
	return cluster.RunMaster(context.Background(), o)
}
