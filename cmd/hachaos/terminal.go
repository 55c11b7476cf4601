package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/scenarios"
	"github.com/hachaos/hachaos/targets/proc"
	"golang.org/x/term"
)

// terminalWidth returns a function that asks how wide the terminal behind w is;
// nil if there is none.
func terminalWidth(w io.Writer) func() int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil || width < 20 {
			return 80
		}
		return width
	}
}

// colored tells whether to write colours to w: to a terminal, unless NO_COLOR is
// set (no-color.org).
func colored(w io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && terminalWidth(w) != nil
}

// textOptions says how a report is printed to w.
func textOptions(w io.Writer) reports.TextOptions {
	opts := reports.TextOptions{Color: colored(w)}
	if width := terminalWidth(w); width != nil {
		opts.Width = width()
	}
	return opts
}

// interruptible returns a context that the first SIGINT, SIGTERM or SIGHUP ends,
// with a [scenarios.SignalError] as its cause. A second one ends the process at
// once; the guard puts back and ends what is left.
func interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, interrupts...)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case sig := <-signals:
				name := signalName(sig)
				if n > 0 {
					os.Exit(reports.SignalExitCode(name))
				}
				cancel(&scenarios.SignalError{Signal: name})
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

func signalName(sig os.Signal) string {
	if number, ok := sig.(syscall.Signal); ok {
		return proc.SignalName(number)
	}
	return sig.String()
}
