package main

import (
	"log/slog"

	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/cluster"
	"github.com/spf13/cobra"
)

func workerCommand() *cobra.Command {
	var single, compute bool
	cmd := &cobra.Command{
		Use:    "worker",
		Short:  "Serve the reference application (started by a cluster's master, or by run)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey && !single { // the master puts it before each line
					return slog.Attr{}
				}
				return a
			}}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), options))
			var err error
			switch {
			case compute:
				err = app.RunCompute(cmd.InOrStdin(), cmd.OutOrStdout())
			case single:
				err = app.RunSingle(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), log)
			default:
				err = cluster.RunWorker(cmd.Context(), log)
			}
			if err != nil {
				return runError(err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&single, "single", false, "serve alone, as told on standard input")
	cmd.Flags().BoolVar(&compute, "compute", false, "compute for another worker, as told on standard input")
	return cmd
}

func standbyCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "standby",
		Short:  "Be a cluster's master when the one before has died (started by it)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, end := newLog(cmd.ErrOrStderr(), nil)
			defer end()
			if err := cluster.RunStandby(cmd.Context(), log); err != nil {
				return runError(err)
			}
			return nil
		},
	}
}
