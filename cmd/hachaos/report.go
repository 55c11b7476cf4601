package main

import (
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
			doc, err := readDocument(args[0])
			if err != nil {
				return err
			}
			if len(outputs) == 0 {
				o := textOptions(cmd.OutOrStdout())
				o.Practices = practices
				return printed(reports.Text(cmd.OutOrStdout(), doc, o))
			}
			for _, o := range outputs {
				if err := o.write(cmd.OutOrStdout(), doc); err != nil {
					return runError(err)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVarP(&paths, "output", "o", nil, "write to `FILE`, in the format of its ending; - is standard output (repeatable)")
	cmd.Flags().BoolVar(&practices, "practices", false, "add the checklist: which practices of high availability the run has shown")
	cmd.Flags().StringVar(&format, "format", "json", formatUsage())
	return cmd
}
