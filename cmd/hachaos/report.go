package main

import (
	"fmt"
	"io"

	"github.com/hachaos/hachaos/reports"
	"github.com/spf13/cobra"
)

func reportCommand() *cobra.Command {
	var paths []string
	var format string
	var practices bool
	cmd := &cobra.Command{
		Use:   "report FILE",
		Short: "Print a finished run's report, or write it in another format",
		Example: `  hachaos report report.json
  hachaos report report.json -o report.html -o junit.xml`,
		Args: arguments(1, 1, "name a report: a file that hachaos run -o report.json wrote"),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := parseOutputs(withStdout(cmd, paths, false), format)
			if err != nil {
				return usageError(err)
			}
			if practices {
				if err := addPractices(outputs); err != nil {
					return usageError(err)
				}
			}
			doc, err := readDocument(args[0])
			if err != nil {
				return err
			}
			if len(outputs) == 0 {
				o := textOptions(cmd.OutOrStdout())
				o.Practices = practices
				return printed(reports.Text(cmd.OutOrStdout(), doc, o))
			}
			return ended([]int{writeAll(cmd, outputs, doc)})
		},
	}
	cmd.Flags().StringArrayVarP(&paths, "output", "o", nil, "write to `FILE`, in the format of its ending; - is standard output (repeatable)")
	cmd.Flags().BoolVar(&practices, "practices", false, "add the checklist to the text: which practices of high availability the run has shown")
	cmd.Flags().StringVar(&format, "format", "json", formatUsage())
	return cmd
}

// addPractices puts the checklist into outputs that are text. Pages and JSON have
// it anyway; what cannot have it is refused.
func addPractices(outputs []output) error {
	for i := range outputs {
		switch f := &outputs[i].format; f.Name {
		case "json", "html":
		case "txt":
			f.Write = func(w io.Writer, doc reports.Document) error {
				return reports.Text(w, doc, reports.TextOptions{Practices: true})
			}
		default:
			return fmt.Errorf("--practices: %s holds no checklist (txt, html and json do)", f.Name)
		}
	}
	return nil
}
