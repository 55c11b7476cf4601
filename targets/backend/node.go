package backend

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hachaos/hachaos/targets/proc"
)

// Role is what a node does at the moment.
type Role string

// The roles of nodes. A node that ended keeps its role until another has it.
const (
	Main     Role = "main"     // the only server
	Primary  Role = "primary"  // takes writes
	Replica  Role = "replica"  // follows a primary
	Sentinel Role = "sentinel" // watches the others and decides who is primary
)

// Node is one server of a dependency.
type Node struct {
	Name  string // "node-1", "sentinel-2": unique in the dependency, and never another's
	Role  Role
	Proxy string // name of the chaos proxy that leads to it; "" if none does
	// Addr is its own address, host:port, behind the proxy.
	Addr string
	// ID is its process, the postmaster of a PostgreSQL; the zero ID of an
	// external one and of one that has ended.
	ID    proc.ID
	Alive bool
}

// Select returns the living nodes of a role, in the order of their names. Main
// means the primaries if there are any. None is an error that says what there
// is.
func (b *Backend) Select(role Role) ([]Node, error) {
	all := b.Nodes()
	matches := func(n Node) bool { return n.Role == role || role == Main && n.Role == Primary }
	known, alive := false, []Node{}
	var roles []string
	for _, n := range all {
		known = known || matches(n)
		if matches(n) && n.Alive {
			alive = append(alive, n)
		}
		if !slices.Contains(roles, string(n.Role)) {
			roles = append(roles, string(n.Role))
		}
	}
	switch {
	case len(alive) > 0:
		return alive, nil
	case b.mode == "external":
		return nil, fmt.Errorf("dependency %s: %w", b.name, errExternal)
	case known:
		return nil, fmt.Errorf("dependency %s: no %s is alive", b.name, role)
	}
	return nil, fmt.Errorf("dependency %s has no %s (it has %s)", b.name, role, strings.Join(roles, ", "))
}

// Processes lists every living process of a node, its main one first: those of
// a PostgreSQL are many, and freezing the first alone leaves open connections
// served.
func (b *Backend) Processes(node string) []proc.ID {
	for _, n := range b.Nodes() {
		if n.Name != node || !n.Alive {
			continue
		}
		table, err := proc.ReadTable()
		if err != nil {
			return []proc.ID{n.ID}
		}
		var ids []proc.ID
		for _, p := range table.Tree(n.ID) {
			ids = append(ids, p.ID)
		}
		return ids
	}
	return nil
}

func (b *Backend) setRole(n *node, role Role) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n.role = role
}

func (b *Backend) roleOf(n *node) Role {
	b.mu.Lock()
	defer b.mu.Unlock()
	return n.role
}
