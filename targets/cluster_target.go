package targets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/cluster"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/proc"
)

// Cluster is the reference cluster as a target: its master is a process of its
// own, which starts the workers.
type Cluster struct {
	config cluster.Config
	opts   Options
	dir    string // the master's control directory
	log    string
	client cluster.Client
	done   chan struct{} // closed when the master has ended although nobody stopped it
	cancel context.CancelFunc
	wg     sync.WaitGroup

	main     *proc.Process // the first master
	head     head
	url      string
	counters *counters
	telling  sync.Mutex // held while something is passed on that others may contradict
	stopping chan struct{}
	once     sync.Once
}

// NewCluster returns a cluster target that has not been started.
func NewCluster(config cluster.Config, opts Options) *Cluster {
	config.SetDefaults()
	dir := filepath.Join(opts.Sockets, "cluster")
	return &Cluster{
		config:   config,
		opts:     opts,
		dir:      dir,
		log:      filepath.Join(opts.Folder, "cluster.log"),
		client:   cluster.Client{Dir: dir},
		done:     make(chan struct{}),
		stopping: make(chan struct{}),
		counters: newCounters(func(slot int) string {
			if slot == 0 {
				return "master"
			}
			return "worker " + strconv.Itoa(slot)
		}),
	}
}

// Start implements [Target]. The master listens when it returns; its workers
// may not be ready.
func (c *Cluster) Start(ctx context.Context) error {
	if err := cluster.Supported(); err != nil {
		return err
	}
	p, err := page.New(filepath.Join(c.opts.Folder, "cluster.page"))
	if err != nil {
		return fmt.Errorf("start the cluster: %w", err)
	}
	ready, err := c.launch(ctx, p)
	if err != nil {
		p.Close()
		return fmt.Errorf("start the cluster: %w", err)
	}
	c.url = ready.URL()
	c.head.set(c.main.ID(), false)
	c.counters.open(p)
	watching, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.wg.Go(func() { c.watch(watching) })
	c.wg.Go(func() { c.await(watching) })
	return nil
}

// launch starts the master and waits until it says that it listens.
func (c *Cluster) launch(ctx context.Context, p *page.Page) (cluster.Ready, error) {
	var ready cluster.Ready
	config := filepath.Join(c.opts.Folder, "cluster.json")
	text, err := json.Marshal(c.config)
	if err != nil {
		return ready, err
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return ready, err
	}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return ready, err
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return ready, err
	}
	defer r.Close()
	c.main, err = proc.Start(proc.Command{
		Path: c.opts.Self[0],
		Args: append(slices.Clone(c.opts.Self[1:]), "cluster", "--config", config, "--dir", c.dir,
			"--listen", "127.0.0.1:0", "--seed", strconv.FormatUint(c.opts.Seed, 10), "--ready-fd", "3", "--page-fd", "4"),
		Env:    c.opts.Env,
		Stdout: log, Stderr: log,
		Files: []*os.File{w, p.File()},
	})
	w.Close()
	if err != nil {
		return ready, err
	}
	if c.opts.OnStart != nil {
		c.opts.OnStart(c.main.ID())
	}
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = json.NewDecoder(r).Decode(&ready)
	if err == nil {
		return ready, nil
	}
	if errors.Is(err, io.EOF) {
		select {
		case <-c.main.Done():
			return ready, proc.WithTail(fmt.Errorf("the master ended before it listened: %s", c.main.Exit()), c.log)
		case <-ctx.Done():
		}
	}
	c.main.Kill()
	_ = c.stopHeir() // the first failure is the one to tell
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return ready, proc.WithTail(fmt.Errorf("the master does not listen: %w", err), c.log)
}

// watchEvery is the time between two attempts to watch a master.
const watchEvery = 5 * time.Millisecond

// watch passes on what each master says of its workers.
func (c *Cluster) watch(ctx context.Context) {
	for ctx.Err() == nil {
		// Its end is seen elsewhere.
		_ = c.client.Watch(ctx, func(change cluster.Change) error {
			c.telling.Lock()
			defer c.telling.Unlock()
			c.observe(Change{At: change.At, Ready: change.Ready, Source: "cluster", What: change.What})
			return nil
		})
		select {
		case <-time.After(watchEvery):
		case <-c.done:
			return
		case <-ctx.Done():
		}
	}
}

func (c *Cluster) observe(change Change) {
	if c.opts.Observe != nil {
		c.opts.Observe(change)
	}
}

// await waits for the end of the last master.
func (c *Cluster) await(ctx context.Context) {
	exit := c.main.Exit()
	how := inWords(exit)
	for {
		select {
		case <-c.stopping:
			return
		default:
		}
		c.observe(Change{At: clock.Now(), Ready: c.serving(), Source: "cluster", What: fmt.Sprintf("the master (pid %d) %s", c.head.get().PID, how)})
		if !c.succeed(ctx) {
			close(c.done)
			return
		}
		c.head.await(ctx)
		how = "ended"
	}
}

// serving is how many workers accept for themselves without a master, for a
// while.
func (c *Cluster) serving() (n int) {
	if c.config.Dispatch == "shared" || c.config.Dispatch == "reuseport" {
		for _, w := range c.counters.workers() {
			if w.Ready {
				n++
			}
		}
	}
	return n
}

// URL implements [Target].
func (c *Cluster) URL() string { return c.url }

// Done implements [Target]: it is closed when the master has ended.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Err implements [Target].
func (c *Cluster) Err() error {
	select {
	case <-c.done:
		return proc.WithTail(fmt.Errorf("the cluster's master (pid %d) ended: %s", c.main.PID(), c.main.Exit()), c.log)
	default:
		return nil
	}
}

// Stop implements [Target]. It ends workers too that the master has left
// behind. What was counted can be asked for afterwards.
func (c *Cluster) Stop(ctx context.Context) error {
	if c.cancel == nil { // it never started
		return nil
	}
	var err error
	c.once.Do(func() {
		c.counters.usages() // while they can be measured
		close(c.stopping)
		err = stopMain(ctx, c.main)
		err = errors.Join(err, c.head.stop(ctx), c.stopHeir())
		for _, w := range c.counters.workers() {
			// One that has just ended by itself is what was wanted.
			_ = proc.Signal(w.ID, os.Kill)
		}
		c.cancel()
		c.wg.Wait()
		c.counters.close()
	})
	return err
}

// Log is the file that the output of master and workers goes to.
func (c *Cluster) Log() string { return c.log }

// Main returns the master; false if it has ended and has no successor yet.
func (c *Cluster) Main() (proc.ID, bool) {
	if c.main == nil {
		return proc.ID{}, false
	}
	id := c.head.get()
	return id, proc.Alive(id)
}

// Slots is the number of workers that the cluster is to have.
func (c *Cluster) Slots() int { return c.config.Workers.Number() }

// Workers lists the living workers by slot; in a reload a slot may have two,
// the older one first.
func (c *Cluster) Workers() ([]Worker, error) { return c.counters.workers(), nil }

// All lists the living processes, the master first.
func (c *Cluster) All() ([]proc.Info, error) {
	var all []proc.Info
	add := func(id proc.ID) {
		if info, err := proc.Lookup(id.PID); err == nil && info.ID == id && !info.Zombie {
			all = append(all, info)
		}
	}
	if main, alive := c.Main(); alive {
		add(main)
	}
	for _, w := range c.counters.workers() {
		add(w.ID)
	}
	return all, nil
}

// Exit lets the worker in a slot end itself at once with an exit code, as if it
// had crashed.
func (c *Cluster) Exit(ctx context.Context, slot, code int) error {
	return c.client.Exit(ctx, slot, code)
}

// Reload replaces every worker, and returns once that is done.
func (c *Cluster) Reload(ctx context.Context) error { return c.client.Reload(ctx) }

// Status is what the master says of itself.
func (c *Cluster) Status(ctx context.Context) (cluster.Status, error) { return c.client.Status(ctx) }

// Usages returns what each process that ever ran has used, the master first.
func (c *Cluster) Usages() []Usage {
	usages := c.counters.usages()
	if c.main == nil {
		return usages
	}
	select {
	case <-c.main.Done():
		own := c.main.Exit().CPU // and its workers'
		for _, u := range usages {
			if u.PID != c.main.PID() {
				own -= u.CPU
			}
		}
		for i := range usages {
			if usages[i].PID == c.main.PID() {
				// Some may have been another master's.
				usages[i].CPU = max(usages[i].CPU, own)
			}
		}
	default:
	}
	return usages
}

// Served returns how many requests each worker that ever ran has served, by
// pid.
func (c *Cluster) Served() map[int]int64 { return c.counters.served() }
