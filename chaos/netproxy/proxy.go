package netproxy

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// Proxy is one address that is listened on and the upstream behind it.
type Proxy struct {
	server *Server
	name   string

	mu      sync.Mutex // one change at a time
	config  Config
	ln      listener // nil while disabled
	toxics  []*toxic // in the order in which they were added
	nextID  uint64
	cycles  map[uint64]*cycle // of flapping toxics, by id
	tallies []*tally          // of toxics that are gone too
	paused  bool              // a toxic keeps the proxy down

	// What the engine reads, at any time.
	chain    atomic.Pointer[[]*toxic]
	upstream atomic.Pointer[string]
	accepted atomic.Uint64
	traffic  traffic
}

func newProxy(s *Server, c Config) *Proxy {
	p := &Proxy{server: s, name: c.Name, config: c}
	p.config.Enabled = false // until it listens
	p.chain.Store(new([]*toxic))
	p.upstream.Store(&c.Upstream)
	return p
}

// Name returns the proxy's name.
func (p *Proxy) Name() string { return p.name }

// Config returns the proxy as it is: its Listen is the real address.
func (p *Proxy) Config() Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.config
}

// Update changes the addresses and whether the proxy listens. A proxy whose
// address or upstream changes is started anew: its connections are closed.
func (p *Proxy) Update(c Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	differs, err := p.differsLocked(c)
	if err != nil {
		return err
	}
	if differs {
		p.stopLocked()
		p.config.Listen, p.config.Upstream = c.Listen, c.Upstream
		p.upstream.Store(&c.Upstream)
	}
	switch {
	case c.Enabled && p.ln == nil:
		return p.startLocked()
	case !c.Enabled:
		p.stopLocked()
	}
	return nil
}

func (p *Proxy) differs(c Config) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.differsLocked(c)
}

func (p *Proxy) differsLocked(c Config) (bool, error) {
	listen, err := net.ResolveTCPAddr("tcp", c.Listen)
	if err != nil {
		return false, err
	}
	return p.config.Listen != listen.String() || p.config.Upstream != c.Upstream, nil
}

func (p *Proxy) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.startLocked()
}

func (p *Proxy) startLocked() error {
	if p.ln != nil {
		return nil
	}
	ln, err := p.server.engine.listen(p, p.config.Listen)
	if err != nil {
		return err
	}
	if ln.addr().String() == p.config.Upstream {
		ln.close()
		return badBody(fmt.Errorf("upstream %s is the proxy's own address: every connection would make another one", p.config.Upstream))
	}
	p.ln = ln
	p.config.Listen, p.config.Enabled = ln.addr().String(), true
	p.paused = false
	p.server.log.Info("proxy listens", "proxy", p.name, "listen", p.config.Listen, "upstream", p.config.Upstream)
	return p.applyDown()
}

func (p *Proxy) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopLocked()
	p.stopCycles(false)
}

// stopLocked frees the port and closes the connections.
func (p *Proxy) stopLocked() {
	if p.ln == nil {
		return
	}
	p.ln.close()
	p.ln, p.config.Enabled = nil, false
	p.server.engine.end(p, cut)
}

func (p *Proxy) reset() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.startLocked(); err != nil {
		return err
	}
	return p.replace(nil)
}

// Toxics lists the toxics: those upstream, then those downstream, each in the
// order in which they were added.
func (p *Proxy) Toxics() []Toxic {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Toxic, 0, len(p.toxics))
	for _, dir := range []Direction{Upstream, Downstream} {
		for _, t := range p.toxics {
			if t.dir == dir {
				list = append(list, t.Toxic)
			}
		}
	}
	return list
}

// Toxic returns a toxic by its name.
func (p *Proxy) Toxic(name string) (Toxic, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.indexOf(name); i >= 0 {
		return p.toxics[i].Toxic, nil
	}
	return Toxic{}, errToxicNotFound
}

// AddToxic adds a toxic, also to the connections that live, and returns it with
// its defaults filled in. The attributes belong to the proxy from then on.
func (p *Proxy) AddToxic(t Toxic) (Toxic, error) {
	made, err := newToxic(t)
	if err != nil {
		return Toxic{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.indexOf(made.Name) >= 0 {
		return Toxic{}, errToxicAlreadyExists
	}
	p.nextID++
	made.id, made.tally = p.nextID, p.tallyOf(made)
	return made.Toxic, p.replace(append(slices.Clone(p.toxics), made))
}

// UpdateToxic changes the attributes and the toxicity of a toxic.
func (p *Proxy) UpdateToxic(name string, attributes Attributes, toxicity float32) (Toxic, error) {
	return p.changeToxic(name, func(old *toxic) (Toxic, error) {
		t := old.Toxic
		t.Attributes, t.Toxicity = attributes, toxicity
		return t, nil
	})
}

func (p *Proxy) changeToxic(name string, change func(*toxic) (Toxic, error)) (Toxic, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.indexOf(name)
	if i < 0 {
		return Toxic{}, errToxicNotFound
	}
	old := p.toxics[i]
	t, err := change(old)
	if err != nil {
		return Toxic{}, err
	}
	made, err := newToxic(t)
	if err != nil {
		return Toxic{}, err
	}
	made.id, made.revision, made.tally = old.id, old.revision+1, old.tally
	toxics := slices.Clone(p.toxics)
	toxics[i] = made
	return made.Toxic, p.replace(toxics)
}

// RemoveToxic removes a toxic, also from the connections that live.
func (p *Proxy) RemoveToxic(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.indexOf(name)
	if i < 0 {
		return errToxicNotFound
	}
	return p.replace(slices.Delete(slices.Clone(p.toxics), i, i+1))
}

func (p *Proxy) indexOf(name string) int {
	return slices.IndexFunc(p.toxics, func(t *toxic) bool { return t.Name == name })
}

// replace makes toxics the proxy's. When it returns they act on every
// connection.
func (p *Proxy) replace(toxics []*toxic) error {
	p.toxics = toxics
	p.chain.Store(&toxics)
	p.server.engine.refresh(p)
	return p.applyDown()
}

// admit decides on a new connection: the toxic that refuses it, or nil.
func (p *Proxy) admit(s *session, chain []*toxic) *toxic {
	var by *toxic
	for _, t := range chain {
		a, ok := t.Attributes.(acceptToxic)
		if !ok || s.draws(t).Float32() >= t.Toxicity {
			continue
		}
		if a.refuses(t.seen.Add(1)) && by == nil {
			by = t
		}
	}
	if by != nil {
		by.tally.connections.Add(1)
		by.tally.events.Add(1)
	}
	return by
}
