package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/proc"
)

const (
	defaultCompute = 100 * time.Millisecond
	maxCompute     = 10 * time.Second
)

// compute burns processor time: 100ms, or what the parameter for says.
func (a *App) compute(r *http.Request, h http.Header) (reply, error) {
	d := defaultCompute
	if text := r.URL.Query().Get("for"); text != "" {
		var err error
		if d, err = units.ParseDuration(text); err != nil {
			return reply{}, statusError{http.StatusBadRequest, err.Error()}
		}
		if d < 0 || d > maxCompute {
			return reply{}, statusError{http.StatusBadRequest, fmt.Sprintf("for is %s, which is not between 0s and %s", d, maxCompute)}
		}
	}
	pid := a.number
	if a.config.Compute == "child" {
		var err error
		if pid, err = a.child.burn(r.Context(), d); err != nil {
			return reply{}, err
		}
	} else {
		if err := a.processor.Acquire(r.Context()); err != nil {
			return reply{}, err
		}
		burn(d)
		a.processor.Release()
	}
	return reply{value: map[string]any{"computed_ms": float64(d) / 1e6, "pid": pid}}, nil
}

// child is a process that computes for this one, one request at a time. It is
// started when it is first needed, started again if it has died, and ends with
// this process, since its input does.
type child struct {
	command []string      // how it is started
	turn    chan struct{} // holds one while a request uses it
	talk    *proc.Talk    // nil: there is none
}

func newChild(command []string) *child {
	return &child{command: command, turn: make(chan struct{}, 1)}
}

// burn lets the child burn so much, and returns its pid.
func (c *child) burn(ctx context.Context, d time.Duration) (pid int, err error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-c.turn }()
	if c.talk == nil {
		c.talk, err = proc.Converse(proc.Command{Path: c.command[0], Args: c.command[1:], Stderr: os.Stderr})
		if err != nil {
			return 0, fmt.Errorf("child process: %w", err)
		}
	}
	pid = c.talk.PID()
	// It is waited for even if the client leaves: it computes all the same.
	if _, err := c.talk.Ask(context.WithoutCancel(ctx), strconv.FormatInt(int64(d), 10)); err != nil {
		c.end()
		return pid, errors.New("the child process has ended")
	}
	return pid, nil
}

// end ends the child, if there is one.
func (c *child) end() {
	if c.talk != nil {
		c.talk.HangUp()
		c.talk.Kill()
		c.talk = nil
	}
}

// close ends the child once it has nothing to do, or when ctx ends.
func (c *child) close(ctx context.Context) {
	select {
	case c.turn <- struct{}{}:
		c.end()
	case <-ctx.Done(): // it ends with this process
	}
}

// RunCompute is the child process: for each line of its input, a number of
// nanoseconds, it burns so much processor time and answers with a line. It ends
// with its input.
func RunCompute(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		n, err := strconv.ParseInt(strings.TrimSpace(lines.Text()), 10, 64)
		if err != nil {
			return fmt.Errorf("read how long to compute: %w", err)
		}
		burn(time.Duration(n))
		if _, err := fmt.Fprintln(out, "done"); err != nil {
			return fmt.Errorf("say that it is computed: %w", err)
		}
	}
	return lines.Err()
}
