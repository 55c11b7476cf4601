package targets

import (
	"errors"
	"log/slog"
)

func runWorker(*slog.Logger) error           { return errors.New("there is none") }
func runMaster([]string, *slog.Logger) error { return errors.New("there is none") }

func runTree() error { return nil }

func runStandby(*slog.Logger) error { return errors.New("there is none") }
