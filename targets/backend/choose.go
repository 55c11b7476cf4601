package backend

import (
	"errors"
	"fmt"
)

// choose decides how the dependency is provided.
func (b *Backend) choose() error {
	b.mode = b.config.Mode
	if b.mode == "external" {
		b.engine = external{}
		return nil
	}
	if b.mode != "embedded" && (b.config.Kind == "redis" || b.config.Kind == "postgres") {
		err := b.chooseLocal()
		var missing *missingError
		if !errors.As(err, &missing) {
			b.mode = "local"
			return err
		}
		if b.mode == "local" {
			return err
		}
		if b.config.Topology == "sentinel" || b.config.Topology == "cluster" {
			return fmt.Errorf("topology %s needs real servers: %w", b.config.Topology, err)
		}
	}
	b.mode = "embedded"
	b.engine = &embedded{}
	return nil
}

// chooseLocal looks for the programs of a real server.
func (b *Backend) chooseLocal() error {
	return &missingError{b.config.Kind + "-server", "its package"}
}

// missingError says that this machine lacks programs.
type missingError struct{ programs, install string }

func (e *missingError) Error() string {
	return fmt.Sprintf("%s not found in PATH (install %s, or take mode: embedded)", e.programs, e.install)
}
