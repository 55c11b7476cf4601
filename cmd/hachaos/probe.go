package main

import (
	"github.com/hachaos/hachaos/loadgen"
	"github.com/spf13/cobra"
)

func probeCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "probe",
		Short:  "Probe a service on a schedule (started by run itself)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadgen.RunProber(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout()); err != nil {
				return runError(err)
			}
			return nil
		},
	}
}
