//go:build unix

package cluster

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hachaos/hachaos/loadgen/clock"
	"github.com/hachaos/hachaos/targets/cluster/balance"
	"github.com/hachaos/hachaos/targets/page"
)

// errNobody says that there is no worker to ask.
var errNobody = errors.New("no worker is there")

// keepIdle is how many idle connections to a worker are kept.
const keepIdle = 256

// keepIdleFor is how long: less than a worker does.
const keepIdleFor = time.Minute

// pool is the workers that requests can be sent to.
type pool struct {
	config Config
	desk   *page.Desk
	log    *slog.Logger
	wg     sync.WaitGroup

	mu         sync.Mutex
	picker     balance.Picker
	upstreams  []*upstream // by slot; in a reload a slot may have two
	candidates []balance.Candidate
	chosen     []*upstream // of candidates
}

// upstream is one worker before which the proxy stands. What follows member
// belongs to the pool.
type upstream struct {
	member    *member
	transport *http.Transport
	lines     *lines // for requests without a body
	since     clock.Time
	uncheck   context.CancelFunc // ends its health checks

	leaving  bool
	inFlight int
	latency  balance.EWMA
	fails    int        // since failedAt
	failedAt clock.Time // the first of them
	until    clock.Time // it is passed over until then
	down     bool       // it fails its health checks
}

// roundTrip sends a request to the worker.
func (u *upstream) roundTrip(r *http.Request) (*http.Response, error) {
	if carries(r) {
		return u.lines.RoundTrip(r)
	}
	return u.transport.RoundTrip(r)
}

func (u *upstream) closeIdle() {
	u.transport.CloseIdleConnections()
	u.lines.closeIdle()
}

// usable tells whether a worker may be chosen without need.
func (u *upstream) usable(now clock.Time) bool { return now >= u.until && !u.down }

func newPool(c Config, desk *page.Desk, seed uint64, log *slog.Logger) (*pool, error) {
	algorithm := c.Balance
	if c.Sticky != nil && c.Sticky.By == "ip" {
		algorithm = "ip-hash"
	}
	picker, err := balance.New(algorithm, seed)
	return &pool{config: c, desk: desk, log: log, picker: picker}, err
}

func (p *pool) join(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.upstreams, func(u *upstream) bool { return u.member == m }) {
		return
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(m.port))
	dialer := net.Dialer{Timeout: p.config.Timeouts.Connect.Std()}
	u := &upstream{member: m, since: clock.Now(), transport: &http.Transport{
		DialContext:         watchedTo(&dialer, address),
		MaxIdleConnsPerHost: keepIdle, MaxIdleConns: keepIdle, IdleConnTimeout: keepIdleFor,
		DisableCompression: true,
	}}
	u.lines = &lines{dial: func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) }}
	ctx, uncheck := context.WithCancel(context.Background())
	u.uncheck = uncheck
	if p.config.Health != nil {
		p.wg.Go(func() { p.check(ctx, u, address) })
	}
	p.upstreams = append(p.upstreams, u)
	slices.SortStableFunc(p.upstreams, func(a, b *upstream) int { return a.member.slot - b.member.slot })
}

// leave sends nothing more to a worker. Requests that it has go on.
func (p *pool) leave(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.upstreams {
		if u.member == m {
			u.leaving = true
			u.uncheck()
			u.closeIdle()
		}
	}
	p.upstreams = slices.DeleteFunc(p.upstreams, func(u *upstream) bool { return u.leaving })
}

func (p *pool) close() {
	p.mu.Lock()
	for _, u := range p.upstreams {
		u.uncheck()
		u.closeIdle()
	}
	p.upstreams = nil
	p.mu.Unlock()
	p.wg.Wait()
}

// pick chooses a worker that was not tried yet, after another one failed unless
// that is nil: the one that the request wants,
// by its slot, if that can be; else one in use; else a backup; else one that
// failed lately, since trying it is better than giving up, unless health checks
// are to be believed.
func (p *pool) pick(key string, wanted int, tried []*upstream, failed *upstream) (*upstream, error) {
	now := clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := func(u *upstream) bool { return !slices.Contains(tried, u) }
	good := func(u *upstream) bool { return fresh(u) && u.usable(now) }
	backup := func(u *upstream) bool { return slices.Contains(p.config.Backup, u.member.slot) }
	for _, use := range []func(*upstream) bool{
		func(u *upstream) bool { return u.member.slot == wanted && good(u) },
		func(u *upstream) bool { return good(u) && !backup(u) },
		good,
		func(u *upstream) bool { return fresh(u) && !(u.down && p.config.Health.NoneLeft == "refuse") },
	} {
		if u := p.among(use, key, now); u != nil {
			u.inFlight++
			u.member.took(1)
			p.desk.Mine(page.Passing).Add(1)
			p.desk.Sent(u.member.slot).Requests.Add(1)
			if failed != nil {
				p.desk.Again.Add(1)
				failed.member.entry.Resent.Add(1)
			}
			return u, nil
		}
	}
	return nil, errNobody
}

// among chooses among those to use, one in each slot.
func (p *pool) among(use func(*upstream) bool, key string, now clock.Time) *upstream {
	p.candidates, p.chosen = p.candidates[:0], p.chosen[:0]
	for _, u := range p.upstreams {
		n := len(p.chosen)
		if !use(u) || n > 0 && p.chosen[n-1].member.slot == u.member.slot {
			continue
		}
		weight := balance.Ramp(now.Sub(u.since), p.config.SlowStart.Std())
		if i := u.member.slot - 1; i < len(p.config.Weights) {
			weight *= float64(p.config.Weights[i])
		}
		latency := u.latency.Value()
		if u.inFlight == 0 {
			latency = u.latency.Faded(time.Duration(now))
		}
		p.candidates = append(p.candidates, balance.Candidate{Slot: u.member.slot, Weight: weight, InFlight: u.inFlight, Latency: latency})
		p.chosen = append(p.chosen, u)
	}
	if len(p.chosen) == 0 {
		return nil
	}
	return p.chosen[p.picker.Pick(p.candidates, key)]
}

// figures tells what was counted of each slot, in order.
func (p *pool) figures() []workerFigures {
	now := clock.Now()
	usable := map[int]bool{}
	p.mu.Lock()
	for _, u := range p.upstreams {
		usable[u.member.slot] = usable[u.member.slot] || u.usable(now)
	}
	p.mu.Unlock()
	for _, slot := range p.desk.Slots() {
		if _, there := usable[slot]; !there {
			usable[slot] = false
		}
	}
	workers := []workerFigures{}
	for slot, healthy := range usable {
		sent := p.desk.Sent(slot)
		workers = append(workers, workerFigures{slot, sent.Requests.Load(), sent.Failures.Load(), healthy})
	}
	slices.SortFunc(workers, func(a, b workerFigures) int { return a.slot - b.slot })
	return workers
}

// answered notes when a worker answered.
func (p *pool) answered(u *upstream, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u.latency.Add(time.Duration(clock.Now()), took)
}

// failed notes that a worker did not: after max_fails within fail_timeout it is
// passed over for as long.
func (p *pool) failed(u *upstream) {
	now, window := clock.Now(), p.config.Passive.FailTimeout.Std()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(u.failedAt) > window {
		u.fails, u.failedAt = 0, now
	}
	p.desk.Sent(u.member.slot).Failures.Add(1)
	if u.fails++; u.fails >= p.config.Passive.MaxFails {
		u.fails, u.until = 0, now.Add(window)
	}
}

// release ends a request.
func (p *pool) release(u *upstream) {
	p.mu.Lock()
	u.inFlight--
	u.member.took(-1)
	p.desk.Mine(page.Passing).Add(-1)
	last := u.leaving && u.inFlight == 0
	p.mu.Unlock()
	if last {
		u.closeIdle()
	}
}

// has is how many requests the worker has from here.
func (p *pool) has(u *upstream) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return u.inFlight
}

// left tells whether a worker takes no more requests.
func (p *pool) left(u *upstream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return u.leaving
}
