package main

import "github.com/spf13/cobra"

func reportCommand() *cobra.Command {
	var paths []string
	var format string
	cmd := &cobra.Command{
		Use:   "report FILE",
		Short: "Print a finished run's report, or write it in another format",
		Example: `  hachaos report report.json
  hachaos report report.json -o report.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := parseOutputs(paths, format)
			if err != nil {
				return usageError(err)
			}
			doc, err := readDocument(args[0])
			if err != nil {
				return err
			}
			if len(outputs) == 0 {
				return printText(cmd.OutOrStdout(), doc)
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
	cmd.Flags().StringVar(&format, "format", "json", "format of -o -")
	return cmd
}
