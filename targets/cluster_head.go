package targets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/cluster"
	"github.com/hachaos/hachaos/targets/proc"
)

const (
	// headEvery is the time between two looks at a master that is no child.
	headEvery = 5 * time.Millisecond
	// successionTimeout is how long a standby may take until it answers as master.
	successionTimeout = 15 * time.Second
)

// head is the process that is master now: the first one, or a standby that
// followed it and is no child of this process.
type head struct {
	mu   sync.Mutex
	id   proc.ID
	heir bool
}

func (h *head) get() proc.ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.id
}

func (h *head) set(id proc.ID, heir bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.id, h.heir = id, heir
}

// await waits until the process has ended, or ctx.
func (h *head) await(ctx context.Context) {
	tick := time.NewTicker(headEvery)
	defer tick.Stop()
	for id := h.get(); proc.Alive(id); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// stop asks an heir to end, waits, and kills it when ctx ends.
func (h *head) stop(ctx context.Context) error {
	h.mu.Lock()
	id, heir := h.id, h.heir
	h.mu.Unlock()
	if !heir || !proc.Alive(id) {
		return nil
	}
	terminate, err := proc.ParseSignal("SIGTERM")
	if err != nil {
		return err
	}
	_ = proc.Signal(id, terminate) // one that has just ended is as good
	if thaw, err := proc.ParseSignal("SIGCONT"); err == nil {
		_ = proc.Signal(id, thaw)
	}
	h.await(ctx)
	if !proc.Alive(id) {
		return nil
	}
	_ = proc.Signal(id, os.Kill)
	return fmt.Errorf("the master (pid %d) had not ended in time after SIGTERM and was killed", id.PID)
}

// stopHeir ends a master that nobody has met yet: a standby that takes over from
// one that was killed.
func (c *Cluster) stopHeir() error {
	if c.config.Standby == "none" {
		return nil
	}
	// A standby holds the control socket from its start: nobody does, or it answers
	// as soon as it is master.
	ctx, cancel := context.WithTimeout(context.Background(), successionTimeout)
	defer cancel()
	if err := c.client.Stop(ctx); !errors.Is(err, cluster.ErrNoMaster) {
		return err
	}
	return nil
}

// succeed waits until another process than the one that ended is master; false
// says that there will be none.
func (c *Cluster) succeed(ctx context.Context) bool {
	if c.config.Standby == "none" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, successionTimeout)
	defer cancel()
	last := c.head.get()
	tick := time.NewTicker(headEvery)
	defer tick.Stop()
	for {
		if status, err := c.client.Status(ctx); err == nil && status.PID != last.PID {
			if info, err := proc.Lookup(status.PID); err == nil && c.greet(ctx, info.ID) {
				return true
			}
		}
		select {
		case <-tick.C:
		case <-c.stopping:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// greet tells of a new master and how many of its workers are ready: what it said
// before the end of the last one was seen came too early, and was followed by that
// end. Meanwhile nothing else of what it says is passed on, or an older word of it
// could come last.
func (c *Cluster) greet(ctx context.Context, id proc.ID) bool {
	c.telling.Lock()
	defer c.telling.Unlock()
	at := clock.Now() // the status holds all that is older
	status, err := c.client.Status(ctx)
	if err != nil || status.PID != id.PID {
		return false
	}
	c.head.set(id, true)
	c.observe(Change{At: at, Ready: status.Ready, Source: "cluster", What: fmt.Sprintf("process %d is master now", id.PID)})
	return true
}
