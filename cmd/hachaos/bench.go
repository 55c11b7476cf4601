package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/scenarios/bench"
	"github.com/spf13/cobra"
)

// exitAbUsage is what ab exits with when its command line is wrong.
const exitAbUsage = 22

func benchCommand() *cobra.Command {
	var o bench.Options
	var paths []string
	var format string
	cmd := &cobra.Command{
		Use:   "bench [flags] [http[s]://]HOST[:PORT]/PATH",
		Short: "Load a URL with the flags and the output of ab, plus availability",
		Long: `Load a URL as ab, the benchmark tool of the Apache HTTP server, does: the same
flags, the same lines. Below them stand availability, uptime and outages as a
prober sees them, failures by cause, and a histogram.

Different from ab:
  - it speaks HTTP/1.1 (ab: HTTP/1.0), or HTTP/2 with --h2;
  - -t sets no limit of 50,000 requests, and does not undo an -n before it;
  - "Failed requests" counts a lost request once (ab: up to three times);
  - a kept connection that the server had closed is replaced, and what was sent on
    it is sent once more and counted as retried;
  - a prober sends the first request 100 times a second beside the load, whatever
    its method (--no-probe: none);
  - certificates are checked (--insecure: not), and -v shows none;
  - -X leads to https through a tunnel (ab: it speaks TLS with the proxy);
  - what ab takes for 0 or leaves out (-v x, -b 0, -f SSL3) is refused, and every
    mistake ends it with 22 (ab: some with 1);
  - hosts that are not loopback need --allow-remote.
Availability counts answers of status 400 and above as failed; "Failed requests"
does not, as with ab.

Exit codes: 0 done · 1 of --until: no rate kept the objective · 3 a socket error
ended it (-r: go on), or an output could not be written · 4 the generator could not
keep up with the rate, or the prober ended early or saw too little · 22 the command
line is wrong · 129, 130, 143 ended by a signal.`,
		Example: `  hachaos bench -c 500 -t 10 -r http://localhost:8080/
  hachaos bench -n10000 -c50 -k http://localhost:8080/
  hachaos bench --rate 2000/s -t 30 -k -o report.html http://localhost:8080/
  hachaos bench --until "p99 < 50ms" -k http://localhost:8080/`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return abUsage(fmt.Errorf("one URL at a time, not %s", strings.Join(args, " ")))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if version, err := cmd.Flags().GetBool("version"); err == nil && version {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "hachaos bench %s\n", cmd.Root().Version)
				return printed(err)
			}
			return runBench(cmd, &o, strings.Join(args, ""), paths, format)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return abUsage(err) })
	benchFlags(cmd.Flags(), &o)
	cmd.Flags().StringArrayVarP(&paths, "output", "o", nil, "write the report to `FILE`, in the format of its ending; .bin is every request as vegeta encodes it; - is standard output (repeatable)")
	cmd.Flags().StringVar(&format, "format", "json", formatUsage())
	return cmd
}

func abUsage(err error) error { return exitError{exitAbUsage, err} }

func runBench(cmd *cobra.Command, o *bench.Options, url string, paths []string, format string) error {
	bins, rest := splitBins(paths)
	outputs, err := parseOutputs(withStdout(cmd, rest, false), format)
	for _, path := range bins {
		err = cmp.Or(err, checkFolder(path))
	}
	if err != nil {
		return abUsage(err)
	}
	config, err := o.Config(url)
	if err == nil && config.Until != nil && len(bins) > 0 {
		err = fmt.Errorf("--until plays many trials: leave out -o %s, which holds the requests of one", bins[0])
	}
	if err != nil {
		return abUsage(err)
	}
	if err := checkFiles(paths); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return runError(fmt.Errorf("find hachaos's own binary: %w", err))
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	out := cmd.OutOrStdout()
	if toStdout(outputs) {
		out = io.Discard
	}
	p := bench.Player{Self: []string{self}, Version: version, Trace: out, Progress: benchProgress(cmd.ErrOrStderr(), config)}
	if config.Until != nil {
		p.Progress = nil // each trial is a line
		return searchRate(ctx, cmd, &p, config, outputs)
	}
	bench.Head(out, config, version)
	outcome, err := p.Play(ctx, config, len(bins) > 0)
	if err != nil {
		return runError(err)
	}
	codes := []int{signalCode(ctx), reports.ExitCode(outcome.Report.Verdict)}
	if outcome.Broken != nil {
		if err := outcome.Total(out, config); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "hachaos:", printed(err))
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "hachaos: %v (the first socket error ends it; -r goes on)\n", outcome.Broken)
	} else if err := outcome.Text(out, config, textOptions(out)); err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "hachaos:", printed(err))
		codes = append(codes, reports.ExitError)
	}
	errs := []error{outcome.WriteFiles(config)}
	for _, path := range bins {
		errs = append(errs, reports.WriteFile(path, outcome.WriteBin))
	}
	for _, o := range outputs {
		errs = append(errs, o.write(cmd.OutOrStdout(), outcome.Report))
	}
	if err := errors.Join(append(errs, outcome.Close())...); err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "hachaos:", err)
		codes = append(codes, reports.ExitError)
	}
	return ended(codes)
}

// splitBins takes the recordings out of a list of outputs.
func splitBins(paths []string) (bins, rest []string) {
	for _, path := range paths {
		if strings.EqualFold(filepath.Ext(path), ".bin") {
			bins = append(bins, path)
		} else {
			rest = append(rest, path)
		}
	}
	return bins, rest
}

func benchProgress(w io.Writer, c *bench.Config) bench.Progress {
	if c.Quiet {
		return nil
	}
	if width := terminalWidth(w); width != nil {
		return &bench.Live{W: w, Width: width}
	}
	return &bench.Lines{W: w}
}

// searchRate looks for the highest rate that keeps an objective.
func searchRate(ctx context.Context, cmd *cobra.Command, p *bench.Player, c *bench.Config, outputs []output) error {
	trials := cmd.ErrOrStderr()
	if c.Quiet {
		trials = io.Discard
	}
	found, err := p.Search(ctx, c, trials)
	if err != nil {
		return runError(err)
	}
	codes := []int{signalCode(ctx), found.ExitCode()}
	to := cmd.OutOrStdout()
	if toStdout(outputs) {
		to = cmd.ErrOrStderr()
	}
	if err := found.Text(to, textOptions(to)); err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "hachaos:", printed(err))
		codes = append(codes, reports.ExitError)
	}
	if r := found.Report(); r != nil {
		codes = append(codes, writeAll(cmd, outputs, r))
	}
	return ended(codes)
}
