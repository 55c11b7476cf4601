package app

import (
	"context"
	"net/http"

	"github.com/hachaos/hachaos/targets/app/store"
)

// users: GET tells how many there are, POST adds one (its parameter user, or any
// one of ten).
func (a *App) users(r *http.Request, h http.Header) (reply, error) {
	if err := allow(r, h, http.MethodGet, http.MethodHead, http.MethodPost); err != nil {
		return reply{}, err
	}
	if r.Method == http.MethodPost {
		user, err := userOf(r)
		if err != nil {
			return reply{}, err
		}
		err = a.remotes.primary.do(r.Context(), func(ctx context.Context, c *store.SQL) error { return c.AddUser(ctx, user) })
		return reply{http.StatusCreated, map[string]string{"user": user}}, err
	}
	if told := a.told.Load(); told != nil {
		return reply{value: map[string]any{"users": *told, "from": "broadcast"}}, nil
	}
	n, err := recall(a, h, a.counts, "users", 0, func() (int64, error) { return a.CountUsers(r.Context()) })
	return reply{value: map[string]any{"users": n, "from": "database"}}, err
}

// CountUsers asks the database how many users there are, for a master that
// tells its workers.
func (a *App) CountUsers(ctx context.Context) (n int64, err error) {
	err = a.remotes.primary.do(ctx, func(ctx context.Context, c *store.SQL) (err error) {
		n, err = c.Users(ctx)
		return err
	})
	return n, err
}

// SetUsers says how many users there are. /users answers it from then on,
// without asking the database.
func (a *App) SetUsers(n int64) { a.told.Store(&n) }
