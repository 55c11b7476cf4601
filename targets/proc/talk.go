package proc

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
)

// Talk is a process that is spoken to by lines: on its standard input, which
// ends with this process and so tells it of that, and on its standard output.
// All methods may be called at once.
type Talk struct {
	*Process
	in    *os.File
	out   *os.File
	lines chan string   // what it said; closed at the end of its output
	turn  chan struct{} // holds one while a question waits for its answer
	owed  int           // answers to come, those of given-up questions too; guarded by turn

	once   sync.Once
	hungUp chan struct{}
	reader sync.WaitGroup
}

// Converse starts a process whose standard input and output are the talk's, in
// place of those of c. Whoever starts it hangs up. The error names the program.
func Converse(c Command) (*Talk, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	defer theirOut.Close()
	c.Stdin, c.Stdout = theirIn, theirOut
	p, err := Start(c)
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	t := &Talk{
		Process: p, in: in, out: out,
		lines: make(chan string), turn: make(chan struct{}, 1), hungUp: make(chan struct{}),
	}
	t.reader.Go(t.read)
	return t, nil
}

// read is a goroutine because not every system lets a deadline end the reading
// of a pipe, and because a line that came in halves must not be lost.
func (t *Talk) read() {
	defer close(t.lines)
	for r := bufio.NewReader(t.out); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		select {
		case t.lines <- strings.TrimSpace(line):
		case <-t.hungUp:
			return
		}
	}
}

// HangUp ends the talk: the process finds its input at the end, and what it
// still says is thrown away.
func (t *Talk) HangUp() {
	t.once.Do(func() {
		close(t.hungUp)
		t.in.Close()
		t.out.Close()
	})
	t.reader.Wait()
}

// Say says a line. It does not wait for the process to read it as long as the
// pipe holds it, which has room for some kilobytes. [os.ErrProcessDone] says
// that the process reads no more.
func (t *Talk) Say(line string) error {
	if _, err := t.in.WriteString(line + "\n"); err != nil {
		return os.ErrProcessDone
	}
	return nil
}

// Tell says v as a line of JSON.
func (t *Talk) Tell(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.Say(string(line))
}

// Line waits for the next line, without the space around it. The error is ctx's
// cause, or says how the process ended at the end of its output.
func (t *Talk) Line(ctx context.Context) (string, error) {
	select {
	case line, ok := <-t.lines:
		if ok {
			return line, nil
		}
	case <-ctx.Done():
		return "", fmt.Errorf("it says nothing: %w", context.Cause(ctx))
	}
	select {
	case <-t.Done():
		return "", fmt.Errorf("it ended: %s", t.Exit())
	case <-ctx.Done():
		return "", fmt.Errorf("it closed its output: %w", context.Cause(ctx))
	}
}

// Hear waits for the next line, which is the JSON of v.
func (t *Talk) Hear(ctx context.Context, v any) error {
	line, err := t.Line(ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(line), v); err != nil {
		return fmt.Errorf("it said %q", line)
	}
	return nil
}

// Ask says a line and waits for its answer, the line that the process says to
// it. Questions are put one after the other; the answer to one that ctx ended
// is thrown away when it comes.
func (t *Talk) Ask(ctx context.Context, question string) (string, error) {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return "", fmt.Errorf("it says nothing: %w", context.Cause(ctx))
	}
	defer func() { <-t.turn }()
	if err := t.Say(question); err != nil {
		return "", err
	}
	for t.owed++; ; {
		answer, err := t.Line(ctx)
		if err != nil {
			return "", err
		}
		if t.owed--; t.owed == 0 {
			return answer, nil
		}
	}
}
