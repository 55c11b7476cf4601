package main

import (
	"github.com/hachaos/hachaos/reports"
	"github.com/spf13/cobra"
)

func dashboardCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dashboard",
		Short: "Print a Grafana dashboard for the metrics of run --metrics",
		Long: `Print a Grafana dashboard as JSON, to be imported as it is. It shows the metrics
that hachaos run --metrics lets Prometheus scrape, and those of .prom files.`,
		Example: "  hachaos dashboard > dashboard.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printed(reports.Dashboard(cmd.OutOrStdout()))
		},
	}
}
