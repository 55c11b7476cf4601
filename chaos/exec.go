package chaos

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/hachaos/hachaos/targets/proc"
)

func (e *Exec) aim(_ context.Context, t Target, _ Shot) (*injection, error) {
	in := &injection{
		detail: strings.Join(e.Run, " "),
		inject: func(ctx context.Context) error { return runCommand(ctx, e.Run, e.dir, t.journal) },
	}
	if len(e.Revert) > 0 {
		in.revert = &Revert{Run: e.Revert, Dir: e.dir}
	}
	return in, nil
}

// SetDir sets the directory that the commands are run in.
func (e *Exec) SetDir(dir string) { e.dir = dir }

// runCommand runs a command to its end, and ends it with all its process group
// when ctx does. It does not carry the run's id: what it starts, a service say,
// is meant to stay. While it runs it stands in the journal, if there is one. The
// error has the last lines that it printed, if they could be kept.
func runCommand(ctx context.Context, argv []string, dir string, j Journal) error {
	out, discard, err := newOutput()
	if err == nil { // else what it does matters more than what it says
		defer discard()
	}
	p, err := proc.Start(proc.Command{Path: argv[0], Args: argv[1:], Dir: dir, Stdout: out, Stderr: out})
	if err != nil {
		return err
	}
	if j != nil {
		if err := j.Command(p.ID()); err != nil {
			endGroup(p)
			return fmt.Errorf("run %s: %w", argv[0], err)
		}
		defer j.CommandEnded(p.ID()) // a journal that fails here is noticed by the next note
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		endGroup(p)
		return fmt.Errorf("run %s: not finished in time: %w", argv[0], ctx.Err())
	}
	if exit := p.Exit(); exit.Failed() {
		tail := ""
		if out != nil {
			tail = proc.TailOf(out, 3)
		}
		if tail != "" {
			return fmt.Errorf("run %s: %s: %s", argv[0], exit, tail)
		}
		return fmt.Errorf("run %s: %s", argv[0], exit)
	}
	return nil
}

// endGroup kills a command and what it started in its own process group.
func endGroup(p *proc.Process) {
	if table, err := proc.ReadTable(); err == nil {
		for _, member := range table.OfRun("", []proc.ID{p.ID()}) {
			_ = proc.Signal(member.ID, os.Kill) // one that has ended needs none
		}
	}
	p.Kill()
}
