package chaos

import (
	"slices"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

func TestFaultCheck(t *testing.T) {
	const s = units.Duration(time.Second)
	exec := func(run, revert []string) *Exec { return &Exec{Run: run, Revert: revert} }
	do := []string{"do"}
	for name, c := range map[string]struct {
		fault Fault
		paths []string
	}{
		"kill":              {Fault{Kill: &Kill{}, At: s, Every: 3 * s, Count: 4, Jitter: s}, nil},
		"kill main":         {Fault{Kill: &Kill{Selector: Selector{Process: "main"}}}, nil},
		"kill short signal": {Fault{Kill: &Kill{Signal: "term"}}, nil},
		"pause":             {Fault{Pause: &Pause{}, For: s, Every: 2 * s, Until: 9 * s}, nil},
		"exit":              {Fault{Exit: &Exit{}}, nil},
		"reload":            {Fault{Reload: &Reload{}}, nil},
		"exec":              {Fault{Exec: exec(do, nil)}, nil},
		"exec to the end":   {Fault{Exec: exec(do, do)}, nil},
		"exec for a while":  {Fault{Exec: exec(do, do), For: s}, nil},

		"no kind":            {Fault{At: s}, []string{""}},
		"two kinds":          {Fault{Kill: &Kill{}, Reload: &Reload{}}, []string{"reload"}},
		"signal":             {Fault{Kill: &Kill{Signal: "SIGNOT"}}, []string{"kill.signal"}},
		"signal that stops":  {Fault{Kill: &Kill{Signal: "stop"}}, []string{"kill.signal"}},
		"pick":               {Fault{Kill: &Kill{Selector: Selector{Pick: "first"}}}, []string{"kill.pick"}},
		"process":            {Fault{Kill: &Kill{Selector: Selector{Process: "primary"}}}, []string{"kill.process"}},
		"main and workers":   {Fault{Kill: &Kill{Selector: Selector{Process: "main", Workers: Count{N: 1}, Pick: "random"}}}, []string{"kill.workers", "kill.pick"}},
		"match":              {Fault{Pause: &Pause{Selector{Match: "("}}, For: s}, []string{"pause.match"}},
		"exit of main":       {Fault{Exit: &Exit{Selector: Selector{Process: "main"}}}, []string{"exit.process"}},
		"endless pause":      {Fault{Pause: &Pause{}}, []string{"for"}},
		"lasting kill":       {Fault{Kill: &Kill{}, For: s}, []string{"for"}},
		"lasting exec":       {Fault{Exec: exec(do, nil), For: s}, []string{"for"}},
		"empty exec":         {Fault{Exec: exec(nil, []string{})}, []string{"exec.run", "exec.revert"}},
		"count":              {Fault{Kill: &Kill{}, Count: 2}, []string{"count"}},
		"negative count":     {Fault{Kill: &Kill{}, Every: s, Count: -1}, []string{"count"}},
		"until alone":        {Fault{Kill: &Kill{}, Until: s}, []string{"until"}},
		"until before at":    {Fault{Kill: &Kill{}, At: 2 * s, Every: s, Until: s}, []string{"until"}},
		"overlap":            {Fault{Pause: &Pause{}, For: s, Every: s}, []string{"every"}},
		"a late overlap":     {Fault{Pause: &Pause{}, For: 4 * s, Every: 5 * s, Jitter: 2 * s}, []string{"jitter"}},
		"late and adjacent":  {Fault{Pause: &Pause{}, For: 3 * s, Every: 5 * s, Jitter: 2 * s}, []string{"jitter"}},
		"late with room":     {Fault{Pause: &Pause{}, For: 3 * s, Every: 5 * s, Jitter: 2*s - 1}, nil},
		"overtaking":         {Fault{Kill: &Kill{}, Every: s, Jitter: s}, []string{"jitter"}},
		"a flood":            {Fault{Kill: &Kill{}, Every: units.Duration(time.Microsecond)}, []string{"every"}},
		"negative at":        {Fault{Kill: &Kill{}, At: -s}, []string{"at"}},
		"one kind, no count": {Fault{Kill: &Kill{}, Every: s}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var paths []string
			c.fault.SetDefaults()
			c.fault.Check(func(path, message string) {
				if message == "" {
					t.Error("an empty message")
				}
				paths = append(paths, path)
			})
			if !slices.Equal(paths, c.paths) {
				t.Errorf("reported %q, want %q", paths, c.paths)
			}
		})
	}
}
