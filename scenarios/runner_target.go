package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/targets"
	"github.com/hachaos/hachaos/targets/port"
	"github.com/hachaos/hachaos/targets/proc"
)

// workforce is a target whose processes hachaos knows.
type workforce interface {
	targets.Target
	Main() (proc.ID, bool)
	Slots() int
	Workers() ([]targets.Worker, error)
	Usages() []targets.Usage
}

// subject is the target of a run, with what faults may do to it.
type subject struct {
	targets.Target
	force workforce // nil: a url
	chaos chaos.Target
	run   *run
}

// newSubject makes the target that the scenario names; nothing is started yet.
func newSubject(r *run) *subject {
	t := r.scenario.Target
	opts := targets.Options{
		Self: r.player.Self, Env: r.targetEnv(), Folder: r.folder, Sockets: r.sockets, Seed: r.seed,
		OnStart: r.noteProcess, Observe: r.observeChange,
	}
	s := &subject{run: r}
	s.chaos.Dependencies = r.servers()
	if r.network != nil {
		s.chaos.Network = r
	}
	switch {
	case t.Cluster != nil:
		c := targets.NewCluster(*t.Cluster, opts)
		s.force, s.chaos.Exiter, s.chaos.Reloader = c, c, c
	case t.Single != nil:
		c := targets.NewSingle(*t.Single, opts)
		s.force, s.chaos.Exiter = c, c
	case t.Command != nil:
		c := targets.NewCommand(*t.Command, opts)
		s.force, s.chaos.Reloader = c, c
	default:
		s.Target = targets.NewURL(t.URL)
		return s
	}
	s.Target, s.chaos.Processes = s.force, s
	return s
}

// Main implements [chaos.Processes].
func (s *subject) Main() (proc.ID, bool) { return s.force.Main() }

// Slots implements [chaos.Processes].
func (s *subject) Slots() int { return s.force.Slots() }

// Workers implements [chaos.Processes].
func (s *subject) Workers() ([]chaos.Worker, error) {
	workers, err := s.force.Workers()
	if err != nil {
		return nil, err
	}
	var living []chaos.Worker
	for _, w := range workers {
		living = append(living, chaos.Worker{Slot: w.Slot, ID: w.ID})
	}
	return living, nil
}

// All implements [chaos.Processes]: every process of the run but hachaos's own
// instruments, which no fault may touch.
func (s *subject) All() ([]proc.Info, error) {
	table, err := proc.ReadTable()
	if err != nil {
		return nil, err
	}
	all := table.OfRun(s.run.id, nil)
	return slices.DeleteFunc(all, func(p proc.Info) bool {
		return s.run.prober != nil && p.PID == s.run.prober.PID() ||
			s.run.network != nil && p.PID == s.run.network.process.PID()
	}), nil
}

// stir tells the target that its processes are about to change.
func (s *subject) stir() {
	if c, ok := s.force.(*targets.Command); ok {
		c.Stir()
	}
}

// startTarget expands the templates and starts the target.
func (r *run) startTarget(ctx context.Context) error {
	number := 0
	if r.scenario.Target.Command != nil {
		var err error
		if number, err = port.Free(); err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
	}
	expanded, err := r.scenario.Expand(number, r.dependencyURLs())
	if err != nil {
		return err
	}
	r.scenario = expanded
	if c := expanded.Target.Command; c != nil {
		for i := range expanded.Chaos {
			if e := expanded.Chaos[i].Exec; e != nil {
				e.SetDir(c.Dir)
			}
		}
		if err := portIsFree(c.URL); err != nil {
			return err
		}
	}
	r.subject = newSubject(r)
	if err := r.subject.Start(ctx); err != nil {
		return fmt.Errorf("start the target: %w", err)
	}
	return nil
}

// portIsFree makes sure that a command's address is not another program's: the
// figures would be of that one.
func portIsFree(base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("the target's url: %w", err)
	}
	service := u.Port()
	if service == "" {
		service = u.Scheme // whose well-known port it is
	}
	address := net.JoinHostPort(u.Hostname(), service)
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return nil
	}
	conn.Close()
	return fmt.Errorf("start the target: %s is already in use (stop what listens there, or use ${port} in the scenario)", address)
}

// stopTarget asks the target to end and notes what it had used.
func (r *run) stopTarget() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := r.subject.Stop(ctx); err != nil {
		r.warn("stop the target: " + err.Error())
	}
	if f := r.subject.force; f != nil {
		usages := f.Usages()
		r.mu.Lock()
		r.usages = usages
		r.mu.Unlock()
	}
}

// readyEvery is the time between two questions whether a target is ready.
const readyEvery = 20 * time.Millisecond

// awaitReady asks the target until it answers as the scenario wants.
func (r *run) awaitReady(ctx context.Context) error {
	ready := r.scenario.Ready
	deadline, cancel := context.WithTimeout(ctx, ready.Timeout.Std())
	defer cancel()
	secure, err := r.scenario.tls().Config()
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil, TLSClientConfig: secure},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	address := strings.TrimSuffix(r.subject.URL(), "/") + ready.Path
	var last error
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		err := askReady(deadline, client, address, r.scenario)
		if err == nil {
			return nil
		}
		if last == nil || deadline.Err() == nil {
			last = err // not that the time was up: why
		}
		select {
		case <-r.subject.Done():
			return fmt.Errorf("the target ended before it was ready: %w", r.subject.Err())
		case <-deadline.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return r.withLog(fmt.Errorf("the target was not ready within %s: GET %s: %w", ready.Timeout, address, last))
		case <-tick.C:
		}
	}
}

// tls is what is asked of a target's certificate. The run started a cluster by
// itself and knows whom it talks to, so that any will do, one that the cluster
// signed itself too.
func (s *Scenario) tls() loadgen.TLSOptions {
	return loadgen.TLSOptions{Insecure: s.Target.Cluster != nil && s.Target.Cluster.TLS != nil}
}

func askReady(ctx context.Context, client *http.Client, address string, s *Scenario) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			return failed.Err // without the address, which stands before it
		}
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // only its status is asked for
	for _, status := range s.Ready.Status {
		if status.Contains(res.StatusCode) {
			return nil
		}
	}
	return fmt.Errorf("answered %s (ready.path says what is asked, ready.status which answers mean ready)", res.Status)
}

// withLog adds the last lines of the target's log to an error.
func (r *run) withLog(err error) error {
	if target, ok := r.subject.Target.(interface{ Log() string }); ok {
		return proc.WithTail(err, target.Log())
	}
	return err
}
