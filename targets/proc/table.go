package proc

import (
	"regexp"
	"slices"
)

// ID names one process for good: its pid and when it started. Started is the
// system's own count (ticks since boot on Linux, milliseconds since 1970
// elsewhere) and only compares.
type ID struct {
	PID     int   `json:"pid"`
	Started int64 `json:"started"`
}

// Info is a row of the process table.
type Info struct {
	ID
	PPID   int
	PGID   int // process group; 0 where there are none
	Name   string
	Zombie bool // ended and not reaped
}

// Table is the process table at one moment, by pid.
type Table map[int]Info

// Tree returns root and all its living descendants, root first, then by start
// time and pid: the order in which they came. It is empty if root has ended.
func (t Table) Tree(root ID) []Info {
	if t[root.PID].ID != root {
		return nil
	}
	children := map[int][]Info{}
	for _, p := range t {
		children[p.PPID] = append(children[p.PPID], p)
	}
	tree := []Info{t[root.PID]}
	for i := 0; i < len(tree); i++ {
		for _, c := range children[tree[i].PID] {
			// A child is never older than its parent: a row that says so was read
			// when the pid had already passed on.
			if c.PID != tree[i].PID && c.Started >= tree[i].Started {
				tree = append(tree, c)
			}
		}
	}
	slices.SortFunc(tree[1:], byAge)
	return slices.DeleteFunc(tree, func(p Info) bool { return p.Zombie })
}

func byAge(a, b Info) int {
	if a.Started != b.Started {
		return int(min(max(a.Started-b.Started, -1), 1))
	}
	return a.PID - b.PID
}

// Matching returns those of ids whose command line matches, in their order.
func Matching(infos []Info, pattern *regexp.Regexp) []Info {
	var found []Info
	for _, p := range infos {
		if pattern.MatchString(Cmdline(p.PID)) {
			found = append(found, p)
		}
	}
	return found
}

// Holds tells whether id still names something: the living process, or a
// process group that outlived it.
func (t Table) Holds(id ID) bool {
	if now, taken := t[id.PID]; taken {
		return now.ID == id
	}
	for _, p := range t {
		if p.PGID == id.PID {
			return true
		}
	}
	return false
}

// OfRun returns every living process that belongs to the run: those that carry
// its id in their environment, those in known, their descendants, and those in
// their process groups. What known names must have existed at a look shortly
// before (see [Table.Holds]), lest its pid name a stranger's group. Some programs overwrite their environment to show a
// title, and some leave their group; hardly one does both and loses its parent.
func (t Table) OfRun(run string, known []ID) []Info {
	ours := map[int]bool{}
	groups := map[int]bool{}
	for _, id := range known {
		now, alive := t[id.PID]
		if alive && now.ID == id {
			ours[id.PID] = true
		}
		// The kernel does not reuse a pid while it names a group, so the group is
		// ours unless the pid is somebody else's by now.
		if !alive || now.ID == id {
			groups[id.PID] = true
		}
	}
	for pid, p := range t {
		// No process carries an empty id: most have no such variable at all.
		if (p.PGID != 0 && groups[p.PGID]) || (run != "" && Environ(pid, RunVar) == run) {
			ours[pid] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, p := range t {
			if !ours[pid] && ours[p.PPID] && p.Started >= t[p.PPID].Started {
				ours[pid], grown = true, true
			}
		}
	}
	var found []Info
	for pid := range ours {
		if p := t[pid]; !p.Zombie {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, byAge)
	return found
}
