package main

import (
	"fmt"
	"os"

	"github.com/hachaos/hachaos/reports"
	"github.com/spf13/cobra"
)

func compareCommand() *cobra.Command {
	var paths []string
	var format, failIf string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare FILE...",
		Short: "Compare reports: what their differences are worth",
		Long: `compare sets the reports of finished runs against the first one: availability,
downtime, recovery, p99 and throughput, each difference with its interval and a
plain word. A report is one side; of a suite each scenario, or variant of one, is
one, with all its repetitions (run --repeat 5 gives an interval something to
stand on). Where the first file has several variants, each one of the other files
is set against the same variant in it. Scenarios that differ are compared, and the
differences named.

--fail-if worse makes it a gate: it exits with 1 if a side is worse than the
first one, with 3 if a run of either could not be done, and with 4 if nothing can
be told: a run was inconclusive, interrupted or aborted; every difference is too
little to tell; or a fault was recovered from before and not now, which one run
alone does not make worse. Play each side with --repeat 5.`,
		Example: `  hachaos compare before.json after.json
  hachaos compare before.json after.json --fail-if worse
  hachaos compare single.json cluster.json -o compare.html`,
		Args: arguments(1, 0, "name two reports or more: files that hachaos run -o report.json wrote"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if failIf != "" && failIf != "worse" {
				return usageError(fmt.Errorf("--fail-if %s: the only condition is worse", failIf))
			}
			if err := checkFormat(asJSON, format); err != nil {
				return usageError(err)
			}
			outputs, err := parseOutputs(withStdout(cmd, paths, asJSON), format)
			if err != nil {
				return usageError(err)
			}
			suite, err := compareFiles(args)
			if err != nil {
				return err
			}
			if failIf != "" && len(suite.Comparison.Pairs) == 0 {
				return usageError(fmt.Errorf("--fail-if %s: there is one side in %s, and nothing that it could be worse than (name a second report)", failIf, args[0]))
			}
			var codes []int
			if !toStdout(outputs) {
				out := cmd.OutOrStdout()
				if err := reports.ComparisonText(out, suite, textOptions(out)); err != nil {
					fmt.Fprintln(cmd.ErrOrStderr(), "hachaos:", printed(err))
					codes = append(codes, reports.ExitError)
				}
			}
			codes = append(codes, writeAll(cmd, outputs, suite))
			if failIf != "" {
				codes = append(codes, suite.Gate())
			}
			return ended(codes)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&paths, "output", "o", nil, "write to `FILE`, in the format of its ending; - is standard output (repeatable)")
	flags.StringVar(&format, "format", "json", formatUsage())
	flags.BoolVar(&asJSON, "json", false, "print the suite with its comparison as JSON: short for -o - --format json")
	flags.StringVar(&failIf, "fail-if", "", "exit with 1 if a side is `worse` than the first one, with 3 or 4 if nothing can be told")
	return cmd
}

// compareFiles compares report files; the sides are named after them.
func compareFiles(paths []string) (*reports.Suite, error) {
	var docs []reports.Document
	for _, path := range paths {
		doc, err := readDocument(path)
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	suite := reports.Compare(docs...)
	if suite.Comparison == nil {
		return nil, usageError(fmt.Errorf("%s: there is one run in it, and nothing to compare it with (name a second report)", paths[0]))
	}
	if sides := suite.Comparison.Sides; len(paths) > 1 {
		for i := range sides {
			sides[i].Name += " (" + paths[sides[i].Document-1] + ")"
		}
	}
	return suite, nil
}

// readDocument reads a report file.
func readDocument(path string) (reports.Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usageError(err)
	}
	defer f.Close()
	doc, err := reports.Read(f)
	if err != nil {
		return nil, usageError(fmt.Errorf("%s: %w", path, err))
	}
	return doc, nil
}
