package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hachaos/hachaos/targets/note"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/hachaos/hachaos/targets/port"
)

// Single is what a process that serves the application alone is told on its
// standard input: one line of JSON. Further lines are orders: "exit N" ends the
// process at once with status N, "stop" drains and ends it.
type Single struct {
	Config   Config        `json:"config"`
	Threads  int           `json:"threads"`
	Listen   string        `json:"listen"` // host:port; port 0 chooses one
	Seed     uint64        `json:"seed"`
	Life     int           `json:"life"`
	Page     string        `json:"page"` // file of the page of counters; empty: it is inherited
	Index    int           `json:"index"`
	Drain    time.Duration `json:"drain"`    // how long it may drain
	Lifeline time.Duration `json:"lifeline"` // how long it goes on after the end of its input
}

// inheritedPage is the page's descriptor if it is inherited.
const inheritedPage = 3

func (c *Single) page() (*page.Page, error) {
	if c.Page == "" {
		return page.Inherited(inheritedPage)
	}
	return page.Open(c.Page)
}

// Listening is what the process answers on its standard output, one line of
// JSON, once it takes connections.
type Listening struct {
	Address string `json:"address"`
}

// RunSingle serves the application until it is told to stop: by ctx, SIGTERM,
// SIGINT, an order, or because its input, and so whoever started it, has ended
// Lifeline ago. It then drains and returns nil.
func RunSingle(ctx context.Context, in io.Reader, out io.Writer, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	input := bufio.NewReader(in)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	var c Single
	if err := json.Unmarshal(line, &c); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	p, err := c.page()
	if err != nil {
		return err
	}
	entry, err := p.Entry(c.Index)
	if err != nil {
		return err
	}
	notes := note.FromEnv()
	defer notes.Close()
	app := New(Options{Config: c.Config, Threads: c.Threads, Seed: c.Seed, Slot: 1, Life: c.Life, Entry: entry, Notes: notes})
	if !app.Start(ctx) {
		return nil
	}
	ln, err := port.Listen(c.Listen)
	if err != nil {
		return err
	}
	server := NewServer(app, log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	if after, code, ok := app.Crash(); ok {
		time.AfterFunc(after, func() { os.Exit(code) })
	}
	go ReportMemory(ctx, entry)
	if err := json.NewEncoder(out).Encode(Listening{ln.Addr().String()}); err != nil {
		return fmt.Errorf("say where it listens: %w", err)
	}
	// The rest of the input is waited for, and left waiting, by the process's end.
	orders := make(chan error, 1)
	go func() { orders <- obey(input) }()
	select {
	case <-ctx.Done():
	case err := <-failed:
		return err
	case err := <-orders:
		if err != nil {
			log.Warn("whoever started this process has gone", "error", err, "ends in", c.Lifeline)
			sleep(ctx, c.Lifeline)
		}
	}
	ln.Close()
	drain, cancel := context.WithTimeout(context.Background(), c.Drain)
	defer cancel()
	if cut := server.Drain(drain); cut > 0 {
		log.Warn("connections were cut off", "connections", cut)
	}
	app.Close(drain)
	return nil
}

// obey follows orders until "stop", when it returns nil, or the end of the
// input.
func obey(input *bufio.Reader) error {
	for {
		line, err := input.ReadString('\n')
		if err != nil {
			return errors.New("end of input")
		}
		order, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch order {
		case "stop":
			return nil
		case "exit":
			if code, err := strconv.Atoi(arg); err == nil {
				os.Exit(code)
			}
		}
	}
}
