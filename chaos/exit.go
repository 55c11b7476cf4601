package chaos

import (
	"context"
	"errors"
	"fmt"
)

func (e *Exit) aim(_ context.Context, t Target, s Shot) (*injection, error) {
	if t.Exiter == nil {
		return nil, errors.New("only the reference application can be told to exit (kill ends other processes)")
	}
	marks, err := e.choose(t, s)
	if err != nil {
		return nil, err
	}
	code := 1
	if e.Code != nil {
		code = *e.Code
	}
	return &injection{
		victims: victims(marks),
		detail:  describe(fmt.Sprintf("exit %d in", code), marks),
		inject: func(ctx context.Context) error {
			for _, m := range marks {
				if err := t.Exiter.Exit(ctx, m.slot, code); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}
