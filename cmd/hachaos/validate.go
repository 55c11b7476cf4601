package main

import (
	"errors"
	"fmt"

	"github.com/hachaos/hachaos/reports"
	"github.com/hachaos/hachaos/scenarios"
	"github.com/spf13/cobra"
)

func validateCommand() *cobra.Command {
	var sets []string
	var allowRemote bool
	cmd := &cobra.Command{
		Use:               "validate SCENARIO...",
		Short:             "Check scenarios without playing them",
		Args:              arguments(1, 0, nameScenario),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			wrong := false
			for _, name := range args {
				all, err := scenarios.LoadAll(name, scenarios.Options{Sets: sets, AllowRemote: allowRemote, Stdin: cmd.InOrStdin()})
				if err == nil {
					if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: valid (%s)\n", all[0].File, validWords(all)); err != nil {
						return printed(err)
					}
					continue
				}
				wrong = true
				var mistakes *scenarios.Mistakes
				if errors.As(err, &mistakes) {
					fmt.Fprintln(cmd.ErrOrStderr(), err) // each has its own place in front
				} else {
					fmt.Fprintln(cmd.ErrOrStderr(), "hachaos:", err)
				}
			}
			if wrong {
				return exitError{code: reports.ExitUsage}
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&sets, "set", nil, "change a value of the scenario: `PATH=VALUE` (repeatable)")
	cmd.Flags().BoolVar(&allowRemote, "allow-remote", false, "allow targets whose host is not loopback")
	return cmd
}

// validWords is the scenario's name, and its variants if it has a matrix.
func validWords(all []*scenarios.Scenario) string {
	words := all[0].Name
	for i, s := range all {
		switch {
		case s.Variant == "":
		case i == 0:
			words += ": " + s.Variant
		default:
			words += "; " + s.Variant
		}
	}
	return words
}
