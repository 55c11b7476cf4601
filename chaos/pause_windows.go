package chaos

import (
	"context"
	"errors"

	"github.com/hachaos/hachaos/targets/proc"
)

var errNoFreeze = errors.New("processes cannot be frozen on Windows")

func (p *Pause) aim(context.Context, Target, Shot) (*injection, error) { return nil, errNoFreeze }

func thaw(proc.ID) error { return errNoFreeze }
