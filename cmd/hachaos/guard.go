package main

import (
	"os/signal"

	"github.com/hachaos/hachaos/scenarios"
	"github.com/spf13/cobra"
)

func guardCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "guard",
		Short:  "Put back and end what a run leaves behind (started by run itself)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			signal.Ignore(interrupts...) // it must outlive its controller
			if err := scenarios.RunGuard(cmd.InOrStdin(), cmd.OutOrStdout()); err != nil {
				return usageError(err)
			}
			return nil
		},
	}
}
