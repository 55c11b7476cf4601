package chaos

import (
	"context"
	"errors"
	"fmt"

	"github.com/hachaos/hachaos/targets/proc"
)

// Revert undoes one fault. It is data, so that it can be written down before
// the fault is injected and played by another process. Playing it twice does no
// harm but for what the command Run does.
type Revert struct {
	Thaw []proc.ID `json:"thaw,omitempty"` // processes to let go on (SIGCONT)
	Run  []string  `json:"run,omitempty"`  // a command to run
	Dir  string    `json:"dir,omitempty"`  // its working directory
}

// Play undoes the fault. A process that has ended needs no thawing. The error
// joins all that could not be undone.
func (r Revert) Play(ctx context.Context) error {
	var errs []error
	for _, id := range r.Thaw {
		if err := thaw(id); err != nil && !isGone(err) {
			errs = append(errs, fmt.Errorf("thaw pid %d: %w", id.PID, err))
		}
	}
	if len(r.Run) > 0 {
		if err := runCommand(ctx, r.Run, r.Dir, nil); err != nil {
			errs = append(errs, fmt.Errorf("revert: %w", err))
		}
	}
	return errors.Join(errs...)
}
