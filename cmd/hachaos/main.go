// Command hachaos measures how available a service is while things break, and
// what that does to its downtime budget.
//
// Each file here is one command: flags in, calls of the packages out. How a run
// works is told in package scenarios.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/scenarios"
	"github.com/spf13/cobra"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version = "0.1.0-dev"

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs a command line and returns its exit code.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return reports.ExitPass
	}
	var code exitError
	if errors.As(err, &code) {
		if code.err != nil {
			fmt.Fprintln(errOut, "hachaos:", code.err)
		}
		return code.code
	}
	// What cobra itself complains of is the command line.
	fmt.Fprintf(errOut, "hachaos: %v\n", err)
	if !strings.Contains(err.Error(), "\n") {
		fmt.Fprintf(errOut, "Run %s --help to see what there is.\n", cmd.CommandPath())
	}
	return reports.ExitUsage
}

// exitError ends the command with a code of its own; a nil err says nothing.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

func usageError(err error) error { return exitError{reports.ExitUsage, err} }
func runError(err error) error   { return exitError{reports.ExitError, err} }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "hachaos",
		Short: "Measure how available a service is while things break",
		Long: `hachaos starts a service, drives load at it, injects faults on a schedule,
watches it from outside, and reports availability, downtime and what that does
to a downtime budget.

  hachaos run worker-crash      play a built-in scenario
  hachaos scenarios             list the built-in scenarios
  hachaos run my.yaml -o r.json play your own, and keep the report

Exit codes: 0 all objectives met · 1 an objective missed · 2 the scenario or the
command line is wrong · 3 the run could not be done, or an output not written ·
4 inconclusive: the generator's own limits are in the figures, or the prober saw
too little · 129, 130, 143 ended by a signal.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return errors.New(parserOf.ReplaceAllString(err.Error(), ""))
	})
	root.SetVersionTemplate("hachaos {{.Version}}\n")
	root.AddCommand(
		runCommand(),
		benchCommand(),
		validateCommand(),
		scenariosCommand(),
		schemaCommand(),
		budgetCommand(),
		reportCommand(),
		dashboardCommand(),
		compareCommand(),
		clusterCommand(),
		proxyCommand(),
		workerCommand(),
		standbyCommand(),
		backendCommand(),
		guardCommand(),
		probeCommand(),
	)
	return root
}

// parserOf matches what an error of a flag says of Go's parsers.
var parserOf = regexp.MustCompile(`strconv\.\w+: parsing "[^"]*": `)

// nameScenario says what a command needs that plays or checks scenarios.
const nameScenario = "name a scenario: a file, - for standard input, or a built-in one (hachaos scenarios lists them)"

// arguments bounds how many a command takes; most 0 is no bound. what says what
// to do if there are too few.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return errors.New(what)
		case most > 0 && len(args) > most:
			return fmt.Errorf("%s takes one argument: what is %q?", cmd.Name(), args[most])
		}
		return nil
	}
}

// loadScenarios reads a scenario, or all variants of its matrix, and says what is
// wrong with it, exit code 2.
func loadScenarios(name string, opts scenarios.Options) ([]*scenarios.Scenario, error) {
	all, err := scenarios.LoadAll(name, opts)
	if err != nil {
		return nil, usageError(err)
	}
	return all, nil
}

// completeScenarios completes the names of built-in scenarios, and files.
func completeScenarios(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names := []string{}
	for _, e := range scenarios.Library() {
		names = append(names, e.Name+"\t"+e.Summary)
	}
	return names, cobra.ShellCompDirectiveDefault
}
