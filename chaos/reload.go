package chaos

import (
	"context"
	"errors"
)

func (*Reload) aim(_ context.Context, t Target, _ Shot) (*injection, error) {
	if t.Reloader == nil {
		return nil, errors.New("the target does not say how it is reloaded")
	}
	return &injection{detail: "reload", inject: t.Reloader.Reload}, nil
}
