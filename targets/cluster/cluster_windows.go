package cluster

import (
	"context"
	"errors"
	"log/slog"
)

var errUnix = errors.New("the reference cluster needs Unix: it passes open connections between processes, which Windows cannot (use the target single, or hachaos under WSL)")

// Supported returns an error that says why clusters do not run here.
func Supported() error { return errUnix }

// RunMaster returns an error that says so.
func RunMaster(context.Context, Options) error { return errUnix }

// RunWorker returns an error that says so.
func RunWorker(context.Context, *slog.Logger) error { return errUnix }

// RunStandby returns an error that says so.
func RunStandby(context.Context, *slog.Logger) error { return errUnix }

func standbySupported() error { return errUnix }
