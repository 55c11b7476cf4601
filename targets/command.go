package targets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/proc"
	"github.com/shirou/gopsutil/v3/process"
)

const (
	// A command's processes are counted this often: closely while they are
	// expected to change, seldom otherwise, since each look costs processor time
	// that the target could use.
	lookCalm  = 500 * time.Millisecond
	lookStir  = 20 * time.Millisecond
	stirFor   = 5 * time.Second
	reloadFor = time.Minute
)

// Command is any program as a target. Its workers are the descendants of its
// first process; without any, the first process itself is the one worker.
type Command struct {
	config CommandConfig
	opts   Options
	log    string

	main *proc.Process
	stop chan struct{} // ends the monitor
	done chan struct{} // the first process has ended
	wg   sync.WaitGroup

	wake chan struct{} // ends the monitor's pause

	mu       sync.Mutex
	slots    []proc.ID // by slot - 1; a dead worker's slot is the next one's
	living   []proc.ID // as last seen
	stirred  clock.Time
	usages   map[proc.ID]Usage
	stopping bool
}

// NewCommand returns a command target that has not been started. Templates in
// config must have been expanded.
func NewCommand(config CommandConfig, opts Options) *Command {
	return &Command{
		config: config,
		opts:   opts,
		log:    filepath.Join(opts.Folder, "command.log"),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
		wake:   make(chan struct{}, 1),
		usages: map[proc.ID]Usage{},
	}
}

// Start implements [Target].
func (c *Command) Start(context.Context) error {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the command's log: %w", err)
	}
	defer log.Close()
	c.main, err = proc.Start(proc.Command{
		Path: c.config.Run[0], Args: c.config.Run[1:], Env: c.env(), Dir: c.config.Dir, Stdout: log, Stderr: log,
	})
	if err != nil {
		return err
	}
	if c.opts.OnStart != nil {
		c.opts.OnStart(c.main.ID())
	}
	c.wg.Go(c.monitor)
	return nil
}

// env is the environment of the command and of its reload.
func (c *Command) env() []string {
	env := slices.Clone(c.opts.Env)
	for _, name := range slices.Sorted(maps.Keys(c.config.Env)) {
		env = append(env, name+"="+c.config.Env[name])
	}
	return env
}

// URL implements [Target].
func (c *Command) URL() string { return c.config.URL }

// Done implements [Target].
func (c *Command) Done() <-chan struct{} { return c.done }

// Err implements [Target].
func (c *Command) Err() error {
	return proc.WithTail(fmt.Errorf("%s ended: %s", c.config.Run[0], c.main.Exit()), c.log)
}

// Stop implements [Target]. What the first process leaves behind is the guard's
// to end.
func (c *Command) Stop(ctx context.Context) error {
	if c.main == nil {
		return nil
	}
	c.mu.Lock()
	c.stopping = true
	c.mu.Unlock()
	close(c.stop)
	c.wg.Wait()
	c.look() // the last usages
	return stopMain(ctx, c.main)
}

// stopMain stops a process. The error says that force was needed.
func stopMain(ctx context.Context, p *proc.Process) error {
	begin := clock.Now()
	if p.Stop(ctx) {
		return fmt.Errorf("pid %d had not ended %s after SIGTERM and was killed", p.PID(), units.FormatDuration(clock.Since(begin)))
	}
	return nil
}

// Log is the file that the command's output goes to.
func (c *Command) Log() string { return c.log }

// Main returns the first process; false if it has ended.
func (c *Command) Main() (proc.ID, bool) {
	select {
	case <-c.main.Done():
		return proc.ID{}, false
	default:
		return c.main.ID(), true
	}
}

// Slots returns how many workers there were at most at a time.
func (c *Command) Slots() int {
	c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.slots)
}

// Workers lists the living workers.
func (c *Command) Workers() ([]Worker, error) {
	living, err := c.look()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var workers []Worker
	for i, id := range c.slots {
		if slices.Contains(living, id) {
			workers = append(workers, Worker{Slot: i + 1, PID: id.PID, ID: id, Ready: true})
		}
	}
	return workers, nil
}

// Stir says that something was done to the processes, so that their coming and
// going is watched closely for a while.
func (c *Command) Stir() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stirred = clock.Now()
	select {
	case c.wake <- struct{}{}:
	default: // it is awake
	}
}

// Reload reloads the command as its configuration says, and waits until every
// worker of before has ended and as many are back, or ctx ends. A command
// without workers of its own is not waited for.
func (c *Command) Reload(ctx context.Context) error {
	before, err := c.Workers()
	if err != nil {
		return err
	}
	mainID, alive := c.Main()
	if !alive {
		return errors.New("reload: the command has ended")
	}
	c.Stir()
	if err := c.askReload(ctx); err != nil {
		return err
	}
	if len(before) == 0 || before[0].PID == mainID.PID {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reloadFor)
	defer cancel()
	tick := time.NewTicker(lookStir)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("reload: not all workers were replaced: %w", ctx.Err())
		case <-c.main.Done():
			return errors.New("reload: the command ended meanwhile")
		case <-tick.C:
			c.Stir()
			now, err := c.Workers()
			if err != nil {
				return err
			}
			old := slices.ContainsFunc(now, func(w Worker) bool {
				return slices.ContainsFunc(before, func(b Worker) bool { return b.PID == w.PID })
			})
			if !old && len(now) >= len(before) {
				return nil
			}
		}
	}
}

func (c *Command) askReload(ctx context.Context) error {
	r := c.config.Reload
	if r == nil {
		return errors.New("reload: the command has no reload in the scenario")
	}
	if r.Signal != "" {
		sig, err := proc.ParseSignal(r.Signal)
		if err != nil {
			return err
		}
		return c.main.Signal(sig)
	}
	log, err := os.OpenFile(c.log, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	defer log.Close()
	p, err := proc.Start(proc.Command{Path: r.Run[0], Args: r.Run[1:], Env: c.env(), Dir: c.config.Dir, Stdout: log, Stderr: log})
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("reload: %w", ctx.Err())
	}
	if p.Exit().Failed() {
		return fmt.Errorf("reload: %s: %s", strings.Join(r.Run, " "), p.Exit())
	}
	return nil
}

// Usages returns what each process of the command used, as last seen.
func (c *Command) Usages() []Usage {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.usages), func(a, b Usage) int { return a.PID - b.PID })
}

// monitor counts the processes until the target is stopped.
func (c *Command) monitor() {
	ended := c.main.Done()
	for {
		c.look()
		c.mu.Lock()
		wait := lookCalm
		if clock.Since(c.stirred) < stirFor {
			wait = lookStir
		}
		c.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-c.stop:
			timer.Stop()
			return
		case <-ended:
			c.look()
			close(c.done)
			ended = nil
		case <-c.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// look reads which workers live now, gives new ones their slots, and reports a
// change of their number.
func (c *Command) look() ([]proc.ID, error) {
	c.mu.Lock() // from before the reading: an older look must not follow a newer one
	defer c.mu.Unlock()
	table, err := proc.ReadTable()
	if err != nil {
		return nil, err
	}
	at := clock.Now()
	tree := table.Tree(c.main.ID())
	if len(tree) > 1 {
		tree = tree[1:]
	}
	living := make([]proc.ID, len(tree))
	for i, p := range tree {
		living[i] = p.ID
	}

	c.assign(living)
	for slot, id := range c.slots {
		if slices.Contains(living, id) {
			c.measure(id, fmt.Sprintf("worker %d", slot+1))
		}
	}
	c.measure(c.main.ID(), "main")
	if what := c.changed(living); what != "" && !c.stopping && c.opts.Observe != nil {
		c.opts.Observe(Change{At: at, Ready: len(living), Source: "command", What: what})
	}
	c.living = living
	return living, nil
}

// changed says which workers have ended and which are new: "worker 2 (pid 4711)
// has ended".
func (c *Command) changed(living []proc.ID) string {
	var words []string
	for _, id := range c.living {
		if !slices.Contains(living, id) {
			words = append(words, fmt.Sprintf("worker (pid %d) has ended", id.PID))
		}
	}
	for _, id := range living {
		if !slices.Contains(c.living, id) {
			words = append(words, fmt.Sprintf("worker %d (pid %d) has started", slices.Index(c.slots, id)+1, id.PID))
		}
	}
	return strings.Join(words, ", ")
}

// assign gives each process without a slot the lowest one that is free.
func (c *Command) assign(living []proc.ID) {
	for _, id := range living {
		if slices.Contains(c.slots, id) {
			continue
		}
		free := slices.IndexFunc(c.slots, func(old proc.ID) bool { return !slices.Contains(living, old) })
		if free < 0 {
			c.slots = append(c.slots, id)
		} else {
			c.slots[free] = id
		}
	}
}

// measure notes what a living process has used so far.
func (c *Command) measure(id proc.ID, name string) {
	p := process.Process{Pid: int32(id.PID)}
	times, err := p.Times()
	if err != nil {
		return // it has just ended; what was seen last stays
	}
	u := c.usages[id]
	u.Process, u.PID, u.Served = name, id.PID, -1
	u.CPU = time.Duration((times.User + times.System) * float64(time.Second))
	if mem, err := p.MemoryInfo(); err == nil {
		u.RSSMax = max(u.RSSMax, int64(mem.RSS))
	}
	c.usages[id] = u
}
