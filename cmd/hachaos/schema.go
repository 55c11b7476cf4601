package main

import (
	"fmt"

	"github.com/hachaos/hachaos/scenarios"
	"github.com/spf13/cobra"
)

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of scenario files, for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := scenarios.JSONSchema()
			if err != nil {
				return runError(err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), string(schema))
			return printed(err)
		},
	}
}
