package targets

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/targets/cluster"
	"github.com/hachaos/hachaos/targets/proc"
)

// playWithStandby starts a cluster of two workers that has a standby.
func playWithStandby(t *testing.T, dispatch string) (*stage, *Cluster) {
	t.Helper()
	config := clusterConfig(dispatch)
	config.Standby = "passive"
	s := newStage(t)
	target := NewCluster(config, s.Options)
	s.play(target)
	s.awaitReady(2)
	s.await("a standby", func() bool {
		log, err := os.ReadFile(target.Log())
		return err == nil && strings.Contains(string(log), "a standby is ready")
	})
	return s, target
}

func TestClusterGoesOnUnderItsStandby(t *testing.T) {
	for _, dispatch := range []string{"handoff", "shared"} {
		t.Run(dispatch, func(t *testing.T) {
			s, target := playWithStandby(t, dispatch)
			before, err := target.Workers()
			if err != nil {
				t.Fatal(err)
			}
			first, _ := target.Main()
			if err := proc.Signal(first, os.Kill); err != nil {
				t.Fatal(err)
			}
			s.await("another master", func() bool {
				now, alive := target.Main()
				return alive && now != first
			})
			s.await("the master's end to be told", func() bool {
				return slices.ContainsFunc(s.seen(), func(c Change) bool { return strings.HasSuffix(c.What, "was killed by SIGKILL") })
			})
			s.awaitReady(2)
			after, err := target.Workers()
			if err != nil || !slices.EqualFunc(before, after, func(a, b Worker) bool { return a.ID == b.ID }) {
				t.Errorf("the workers were %+v and are %+v, %v", before, after, err)
			}
			if err := target.Reload(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := get(t.Context(), target.URL()); err != nil {
				t.Error(err)
			}
			select {
			case <-target.Done():
				t.Errorf("the target has ended: %v", target.Err())
			default:
			}
			s.stop(target)
		})
	}
}

// Who stops a cluster whose master has just been killed stops the next one too.
func TestStopInASuccession(t *testing.T) {
	s, target := playWithStandby(t, "handoff")
	first, _ := target.Main()
	if err := proc.Signal(first, os.Kill); err != nil {
		t.Fatal(err)
	}
	s.stop(target)
	if status, err := target.client.Status(t.Context()); !errors.Is(err, cluster.ErrNoMaster) {
		t.Errorf("after the stop: %+v, %v", status, err)
	}
}
