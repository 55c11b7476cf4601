package main

import (
	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/spf13/cobra"
)

func budgetCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "budget OBJECTIVE",
		Short:   "Print what an objective allows a day, a week, a month, a quarter and a year",
		Example: "  hachaos budget 99.95%",
		Args:    arguments(1, 1, "name an objective, such as 99.95%"),
		RunE: func(cmd *cobra.Command, args []string) error {
			objective, err := units.ParseRatio(args[0])
			if err != nil {
				return usageError(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), reports.BudgetTable(objective))
			}
			return printed(reports.BudgetText(cmd.OutOrStdout(), objective, textOptions(cmd.OutOrStdout())))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the table as JSON")
	return cmd
}
