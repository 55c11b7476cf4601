package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/hachaos/hachaos/scenarios"
	"github.com/spf13/cobra"
)

func scenariosCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "scenarios [NAME]",
		Short:             "List the built-in scenarios, or print one",
		Args:              arguments(0, 1, ""),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			if len(args) == 1 {
				source, err := scenarios.Source(args[0])
				if err != nil {
					return usageError(err)
				}
				_, err = out.Write(source)
				return printed(err)
			}
			list := scenarios.Library()
			if asJSON {
				return printJSON(out, list)
			}
			width := 0
			for _, e := range list {
				width = max(width, len(e.Name))
			}
			var b strings.Builder
			for _, e := range list {
				fmt.Fprintf(&b, "%-*s  %s\n", width, e.Name, e.Summary)
			}
			_, err := io.WriteString(out, b.String())
			return printed(err)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	return cmd
}
