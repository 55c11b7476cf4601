package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

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

// sameSignal is within what time a second signal is the first one again:
// timeout(1) sends it to the process and then to its group.
const sameSignal = 200 * time.Millisecond

// heard are those of interrupts that this process was not started to ignore: nohup
// has SIGHUP ignored, and a script SIGINT in what it starts in the background.
// A SIGTERM is meant for this very process.
func heard() []os.Signal {
	return slices.DeleteFunc(slices.Clone(interrupts), func(sig os.Signal) bool {
		return sig != syscall.SIGTERM && signal.Ignored(sig)
	})
}

// interruptible returns a context that the first SIGINT, SIGTERM or SIGHUP ends,
// with a [scenarios.SignalError] as its cause. A second one ends the process at
// once; the guard puts back and ends what is left.
func interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	hears := heard()
	signal.Notify(signals, hears...)
	// What is ignored here must not be in what is started: a kill by SIGINT would do
	// nothing there. A signal that is heard, if by nobody, is reset in children.
	deaf := make(chan os.Signal, 1)
	for _, sig := range interrupts {
		if !slices.Contains(hears, sig) {
			signal.Notify(deaf, sig)
		}
	}
	// A closed standard output must not cost the report: with this, writing to it
	// is an error like any other, and no signal that ends the process.
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, brokenPipe...)
	done := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case <-done:
				return
			case sig := <-signals:
				name := signalName(sig)
				switch {
				case first.IsZero():
					first = time.Now()
					cancel(&scenarios.SignalError{Signal: name})
				case time.Since(first) > sameSignal:
					os.Exit(reports.SignalExitCode(name))
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		signal.Stop(deaf)
		signal.Stop(pipes)
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
