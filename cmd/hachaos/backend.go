package main

import (
	"github.com/hachaos/hachaos/targets/backend"
	"github.com/spf13/cobra"
)

func backendCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "backend KIND",
		Short:  "Be an embedded dependency (started by run itself)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := backend.Serve(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout()); err != nil {
				return runError(err)
			}
			return nil
		},
	}
}
