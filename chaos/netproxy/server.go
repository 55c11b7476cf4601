package netproxy

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// Config describes a proxy. Its JSON is Toxiproxy's.
type Config struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`   // "127.0.0.1:0" takes a free port
	Upstream string `json:"upstream"` // host:port; a name is looked up for every connection
	Enabled  bool   `json:"enabled"`
}

// Options of a [Server]. The zero value is usable.
type Options struct {
	Seed    uint64       // of every random draw
	Log     *slog.Logger // nil: nothing is logged
	Version string       // what GET /version answers; "" is "2.12.0", the version whose API it speaks
	Hosts   []string     // host names under which the API may be asked, beside addresses and names without a dot

	portable bool // goroutines instead of the system's own loop
	loops    int  // how many, where the system has one; 0: as many as suit the machine
}

// Server holds proxies.
type Server struct {
	opts   Options
	seed   uint64
	log    *slog.Logger
	engine engine

	requests atomic.Uint64 // of the API

	mu      sync.Mutex
	proxies map[string]*Proxy
}

// engine moves the bytes of all proxies of a server.
type engine interface {
	// listen begins to accept the proxy's connections.
	listen(p *Proxy, addr string) (listener, error)
	// refresh gives the proxy's chain to every connection of it that lives.
	refresh(p *Proxy)
	// end ends every connection of the proxy, with a reset or without, and
	// returns how many there were.
	end(p *Proxy, how mark) int
	// close ends everything and returns when nothing of it is left.
	close()
}

// listener accepts the connections of one proxy.
type listener interface {
	addr() net.Addr
	// pause refuses connections and keeps the port; resume takes them again.
	pause() error
	resume() error
	close()
}

// New starts a server without proxies. It returns an error if the system lacks
// the descriptors that it needs.
func New(opts Options) (*Server, error) {
	if opts.Version == "" {
		opts.Version = "2.12.0"
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{opts: opts, seed: opts.Seed, log: opts.Log, proxies: map[string]*Proxy{}}
	var err error
	if opts.portable {
		s.engine = newPortable()
	} else if s.engine, err = newEngine(opts.loops); err != nil {
		return nil, fmt.Errorf("start the proxy's loop: %w", err)
	}
	return s, nil
}

// Close ends every proxy and every connection.
func (s *Server) Close() error {
	s.mu.Lock()
	proxies := s.proxies
	s.proxies = map[string]*Proxy{}
	s.mu.Unlock()
	for _, p := range proxies {
		p.stop()
	}
	s.engine.close()
	return nil
}

// Add makes a proxy, which listens when it returns, unless c is not enabled.
func (s *Server) Add(c Config) (*Proxy, error) {
	if err := c.check(""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proxies[c.Name] != nil {
		return nil, errProxyAlreadyExists
	}
	p := newProxy(s, c)
	if c.Enabled {
		if err := p.start(); err != nil {
			return nil, err
		}
	}
	s.proxies[c.Name] = p
	return p, nil
}

// Populate makes proxies, or replaces those of the same name whose addresses
// differ. It stops at the first error and returns those that are made.
func (s *Server) Populate(configs []Config) ([]*Proxy, error) {
	for i, c := range configs {
		if err := c.check(fmt.Sprintf(" at proxy %d", i+1)); err != nil {
			return nil, err
		}
	}
	var made []*Proxy
	for _, c := range configs {
		p, err := s.addOrReplace(c)
		if err != nil {
			return made, err
		}
		made = append(made, p)
	}
	return made, nil
}

func (s *Server) addOrReplace(c Config) (*Proxy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.proxies[c.Name]; old != nil {
		differs, err := old.differs(c)
		if err != nil {
			return nil, err
		}
		if !differs {
			return old, nil
		}
		old.stop()
	}
	p := newProxy(s, c)
	if c.Enabled {
		if err := p.start(); err != nil {
			return nil, err
		}
	}
	s.proxies[c.Name] = p
	return p, nil
}

// Proxy returns a proxy by its name.
func (s *Server) Proxy(name string) (*Proxy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.proxies[name]; p != nil {
		return p, nil
	}
	return nil, errProxyNotFound
}

// Proxies lists the proxies by name.
func (s *Server) Proxies() []*Proxy {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Proxy, 0, len(s.proxies))
	for _, p := range s.proxies {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *Proxy) int { return cmp.Compare(a.name, b.name) })
	return list
}

// Remove ends a proxy and its connections.
func (s *Server) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.proxies[name]
	if p == nil {
		return errProxyNotFound
	}
	p.stop()
	delete(s.proxies, name)
	return nil
}

// Reset enables every proxy and removes every toxic.
func (s *Server) Reset() error {
	for _, p := range s.Proxies() {
		if err := p.reset(); err != nil {
			return err
		}
	}
	return nil
}

// check returns the error for what is missing; where says of which proxy.
func (c Config) check(where string) error {
	if c.Name == "" {
		return missingField("name" + where)
	}
	if c.Upstream == "" {
		return missingField("upstream" + where)
	}
	return nil
}
