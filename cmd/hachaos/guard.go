package main

import (
	"os"
	"os/signal"
	"slices"

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
			// Nothing but its controller's end may end it. It hears the signals and does
			// nothing, since what it puts back would inherit that they are ignored.
			signal.Notify(make(chan os.Signal, 1), slices.Concat(heard(), brokenPipe)...)
			if err := scenarios.RunGuard(cmd.InOrStdin(), cmd.OutOrStdout()); err != nil {
				return usageError(err)
			}
			return nil
		},
	}
}
