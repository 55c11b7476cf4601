package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hachaos/hachaos/reports"
	"github.com/spf13/cobra"
)

// output is one -o.
type output struct {
	path   string // "-": standard output
	format reports.Format
}

// parseOutputs reads -o and --format.
func parseOutputs(paths []string, format string) ([]output, error) {
	var outputs []output
	for _, path := range paths {
		var o output
		var err error
		if path == "-" {
			o = output{path: path}
			o.format, err = reports.FormatNamed(format)
		} else {
			o = output{path: path}
			o.format, err = reports.FormatFor(path)
		}
		if err != nil {
			return nil, err
		}
		if path != "-" {
			if err := checkFolder(path); err != nil {
				return nil, err
			}
		}
		outputs = append(outputs, o)
	}
	return outputs, nil
}

// checkFormat finds out whether --json and --format contradict each other.
func checkFormat(asJSON bool, format string) error {
	if asJSON && format != "json" {
		return fmt.Errorf("--json and --format %s: choose one", format)
	}
	return nil
}

// checkFolder finds out whether there is a folder for the file of an -o.
func checkFolder(path string) error {
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("-o %s: there is no folder %s (create it first)", path, folder)
	}
	return nil
}

// checkFiles finds out before a run whether the files of -o can be written.
func checkFiles(paths []string) error {
	for _, path := range paths {
		if path == "-" {
			continue
		}
		if err := reports.CheckFile(path); err != nil {
			return runError(err)
		}
	}
	return nil
}

// withStdout adds standard output to the files of -o where --format, or --json if
// there is one, asks for it.
func withStdout(cmd *cobra.Command, paths []string, asJSON bool) []string {
	if (asJSON || cmd.Flags().Changed("format")) && !slices.Contains(paths, "-") {
		return append(slices.Clone(paths), "-")
	}
	return paths
}

// writeAll writes doc to every output, tells what could not be written, and
// returns the exit code for that.
func writeAll(cmd *cobra.Command, outputs []output, doc reports.Document) int {
	code := reports.ExitPass
	for _, o := range outputs {
		if err := o.write(cmd.OutOrStdout(), doc); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "hachaos:", err)
			code = reports.ExitError
		}
	}
	return code
}

// ended ends a command with the gravest of its exit codes.
func ended(codes []int) error {
	if code := reports.WorstExitCode(codes...); code != 0 {
		return exitError{code: code}
	}
	return nil
}

// printed says of an error in writing to standard output what was being done. The
// command line is not at fault.
func printed(err error) error {
	if err == nil {
		return nil
	}
	return runError(fmt.Errorf("write to standard output: %w", err))
}

// printJSON prints v, indented.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return printed(encoder.Encode(v))
}

// formatUsage is the help of --format.
func formatUsage() string {
	var names []string
	for _, f := range reports.Formats() {
		names = append(names, f.Name)
	}
	return "`FORMAT` of standard output, which it is printed on with this or with -o -: " + strings.Join(names, ", ")
}

func toStdout(outputs []output) bool {
	return slices.ContainsFunc(outputs, func(o output) bool { return o.path == "-" })
}

func (o output) write(stdout io.Writer, doc reports.Document) error {
	if o.path == "-" {
		if err := o.format.Write(stdout, doc); err != nil {
			return fmt.Errorf("write the report to standard output: %w", err)
		}
		return nil
	}
	return reports.WriteFile(o.path, func(w io.Writer) error { return o.format.Write(w, doc) })
}
