package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/scenarios"
	"github.com/spf13/cobra"
)

type runFlags struct {
	outputs     []string
	format      string
	seed        uint64
	sets        []string
	repeat      int
	dry         bool
	json        bool
	allowRemote bool
	quiet       bool
	keep        bool
	metrics     string
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO...",
		Short: "Play scenarios: a file, - for standard input, or the name of a built-in one",
		Example: `  hachaos run worker-crash
  hachaos run my.yaml -o report.json --seed 7
  hachaos run steady --set load.main.closed.concurrency=100
  hachaos run worker-crash --dry-run`,
		Args:              arguments(1, 0, nameScenario),
		ValidArgsFunction: completeScenarios,
		RunE:              func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.outputs, "output", "o", nil, "write the report to `FILE`, in the format of its ending; - is standard output (repeatable)")
	flags.StringVar(&f.format, "format", "json", formatUsage())
	flags.Uint64Var(&f.seed, "seed", 0, "seed of every random choice, instead of the scenario's")
	flags.StringArrayVar(&f.sets, "set", nil, "change a value of the scenario: `PATH=VALUE`, lists indexed by name (repeatable)")
	flags.IntVar(&f.repeat, "repeat", 1, "play each scenario this many times")
	flags.BoolVar(&f.dry, "dry-run", false, "print the schedule of faults, or the same as JSON (--json), and play nothing")
	flags.BoolVar(&f.json, "json", false, "print the report (or the schedule) as JSON: short for -o - --format json")
	flags.BoolVar(&f.allowRemote, "allow-remote", false, "allow targets whose host is not loopback")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors; the exit code and -o tell the outcome")
	flags.BoolVar(&f.keep, "keep", false, "keep the run's folder with the target's logs")
	flags.StringVar(&f.metrics, "metrics", "", "let Prometheus scrape the figures at `ADDRESS` during the run: HOST:PORT, or :PORT on loopback")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, names []string) error {
	if f.repeat < 1 {
		return usageError(fmt.Errorf("--repeat %d: at least 1", f.repeat))
	}
	if i := slices.IndexFunc(f.outputs, func(path string) bool { return path != "-" }); f.dry && i >= 0 {
		return usageError(fmt.Errorf("-o %s: --dry-run plays nothing, so that there is no report", f.outputs[i]))
	}
	if err := checkFormat(f.json, f.format); err != nil {
		return usageError(err)
	}
	if f.dry && f.format != "json" && f.format != "txt" {
		return usageError(fmt.Errorf("--format %s: --dry-run prints its schedule as txt or json", f.format))
	}
	outputs, err := parseOutputs(withStdout(cmd, f.outputs, f.json), f.format)
	if err != nil {
		return usageError(err)
	}
	opts := scenarios.Options{Sets: f.sets, AllowRemote: f.allowRemote, Stdin: cmd.InOrStdin()}
	if cmd.Flags().Changed("seed") {
		opts.Seed = &f.seed
	}
	var list []*scenarios.Scenario
	for _, name := range names {
		all, err := loadScenarios(name, opts)
		if err != nil {
			return err
		}
		list = append(list, all...)
	}
	if f.dry {
		return printSchedules(cmd.OutOrStdout(), list, toStdout(outputs) && f.format == "json")
	}
	if err := checkFiles(f.outputs); err != nil {
		return err
	}
	return f.play(cmd, list, outputs)
}

// play plays every scenario and writes what came of it.
func (f *runFlags) play(cmd *cobra.Command, list []*scenarios.Scenario, outputs []output) error {
	self, err := os.Executable()
	if err != nil {
		return runError(fmt.Errorf("find hachaos's own binary: %w", err))
	}
	latest := &scenarios.Latest{}
	if f.metrics != "" {
		server, err := scenarios.ServeMetrics(f.metrics, latest)
		if err != nil {
			return runError(err)
		}
		defer server.Close()
		if !f.quiet {
			fmt.Fprintln(cmd.ErrOrStderr(), "metrics at", server.URL())
		}
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	docs, codes := f.playAll(ctx, cmd, list, self, latest, toStdout(outputs))
	if code := signalCode(ctx); code != 0 {
		codes = append([]int{code}, codes...)
	}
	suite := reports.NewSuite(docs...)
	var doc reports.Document = suite
	if len(docs) == 1 {
		doc = docs[0]
	}
	if suite.Comparison != nil && !f.quiet && !toStdout(outputs) {
		fmt.Fprintln(cmd.OutOrStdout())
		if err := reports.ComparisonText(cmd.OutOrStdout(), suite, textOptions(cmd.OutOrStdout())); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "hachaos:", printed(err))
			codes = append(codes, reports.ExitError)
		}
	}
	// A report of nothing would only take an earlier one's place.
	if len(docs) > 0 {
		codes = append(codes, writeAll(cmd, outputs, doc))
		if err := summarize(doc); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "hachaos: warning:", err) // nobody asked for it on the command line
		}
	}
	return ended(codes)
}

// playAll plays the scenarios until ctx ends, and prints what came of each unless
// standard output is a file's. It returns an exit code for each, and more for what
// could not be printed.
func (f *runFlags) playAll(ctx context.Context, cmd *cobra.Command, list []*scenarios.Scenario, self string, latest *scenarios.Latest, taken bool) (docs []*reports.Report, codes []int) {
	for _, s := range list {
		for range f.repeat {
			if ctx.Err() != nil {
				return docs, codes
			}
			progress, end := f.progress(cmd.ErrOrStderr())
			p := scenarios.Player{Self: []string{self}, Keep: f.keep, Version: version, Progress: scenarios.Fan{latest, progress}}
			latest.Begin()
			r := p.Play(ctx, s)
			latest.Finish(r)
			end()
			docs = append(docs, r)
			codes = append(codes, reports.ExitCode(r.Verdict))
			if f.quiet || taken {
				if r.Verdict == reports.Error {
					fmt.Fprintf(cmd.ErrOrStderr(), "hachaos: %s: %s\n", r.Scenario.Name, r.Reason())
				}
				continue
			}
			if err := printText(cmd.OutOrStdout(), r); err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "hachaos:", printed(err))
				codes = append(codes, reports.ExitError)
			}
		}
	}
	return docs, codes
}

// progress returns what shows how a run goes, and what ends it. A fault must not
// last longer because nobody reads of it.
func (f *runFlags) progress(w io.Writer) (scenarios.Progress, func()) {
	if f.quiet {
		return scenarios.Quiet{}, func() {}
	}
	p := newPatientWriter(w, func(lost int) { fmt.Fprintf(w, "%d lines that could not be written for some time are lost\n", lost) })
	if width := terminalWidth(w); width != nil {
		return &scenarios.TerminalProgress{W: p, Width: width, Color: colored(w)}, p.close
	}
	return &scenarios.LineProgress{W: p}, p.close
}

func printText(w io.Writer, doc reports.Document) error {
	return reports.Text(w, doc, textOptions(w))
}

// signalCode returns 128 + the signal that ended ctx, 0 if none did.
func signalCode(ctx context.Context) int {
	if s, ok := context.Cause(ctx).(*scenarios.SignalError); ok {
		return reports.SignalExitCode(s.Signal)
	}
	return 0
}
