package netproxy

import (
	"fmt"
	"time"
)

// cycle is a flapping toxic at work.
type cycle struct {
	toxic *toxic
	timer *time.Timer
	down  bool
}

// applyDown refuses connections and resets those that live while a toxic wants
// the proxy down, and takes connections again once none does.
func (p *Proxy) applyDown() error {
	p.stopCycles(true)
	var by *toxic
	for _, t := range p.toxics {
		switch t.Attributes.(type) {
		case *Down:
			by = t
		case *Flapping:
			if p.cycles[t.id] == nil {
				p.startCycle(t)
			}
			if p.cycles[t.id].down {
				by = t
			}
		}
	}
	return p.setDown(by)
}

// setDown makes the proxy down because of a toxic, or up at nil.
func (p *Proxy) setDown(by *toxic) error {
	if p.ln == nil || (by != nil) == p.paused {
		return nil
	}
	if by == nil {
		if err := p.ln.resume(); err != nil {
			return fmt.Errorf("listen on %s again: %w", p.config.Listen, err)
		}
		p.paused = false
		return nil
	}
	if err := p.ln.pause(); err != nil {
		return fmt.Errorf("stop listening on %s: %w", p.config.Listen, err)
	}
	p.paused = true
	by.tally.events.Add(1)
	by.tally.connections.Add(int64(p.server.engine.end(p, reset)))
	return nil
}

func (p *Proxy) startCycle(t *toxic) {
	a := t.Attributes.(*Flapping)
	c := &cycle{toxic: t, down: true}
	c.timer = time.AfterFunc(milliseconds(a.Down), func() { p.turn(c, a) })
	if p.cycles == nil {
		p.cycles = map[uint64]*cycle{}
	}
	p.cycles[t.id] = c
}

// turn ends one phase of a cycle and begins the other.
func (p *Proxy) turn(c *cycle, a *Flapping) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cycles[c.toxic.id] != c {
		return // it was removed or changed meanwhile
	}
	c.down = !c.down
	if err := p.applyDown(); err != nil {
		p.server.log.Error("flapping", "proxy", p.name, "error", err)
	}
	phase := a.Up
	if c.down {
		phase = a.Down
	}
	c.timer.Reset(milliseconds(phase))
}

// stopCycles ends the cycles of toxics that are gone or changed; those of all
// toxics unless keep.
func (p *Proxy) stopCycles(keep bool) {
	for id, c := range p.cycles {
		if keep && p.has(c.toxic) {
			continue
		}
		c.timer.Stop()
		delete(p.cycles, id)
	}
}

func (p *Proxy) has(t *toxic) bool {
	for _, other := range p.toxics {
		if other == t {
			return true
		}
	}
	return false
}
