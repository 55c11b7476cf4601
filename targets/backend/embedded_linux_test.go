package backend_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/backend"
	"golang.org/x/sys/unix"
)

// An order that a frozen server obeys too late must not be taken for the next.
func TestOrdersOfAFrozenServer(t *testing.T) {
	s := newStage(t)
	b := s.play("cache", backend.Config{Kind: "redis", Mode: "embedded"})
	c := redisClient(t, b.URL())
	fillFrozen := func() {
		t.Helper()
		s.freezeMatching(b, "node-1", "")
		// Its threads stop one after the other, and the last may still obey.
		if err := unix.Waitid(unix.P_PID, b.Nodes()[0].ID.PID, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
		defer s.thaw(b, "node-1")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := b.Fill(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a frozen server was filled: %v", err)
		}
	}
	fillFrozen()
	s.await("the late order", func() error {
		if err := c.Set(t.Context(), "a", "1", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "OOM ") {
			return errors.New("it is not full")
		}
		return nil
	})
	fillFrozen()
	undo, err := b.Fill(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Set(t.Context(), "a", "1", 0).Err(); err != nil {
		t.Errorf("after the undoing: %v", err)
	}
}
