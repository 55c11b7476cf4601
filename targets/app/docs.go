package app

import (
	"context"
	"net/http"
	"strings"

	"github.com/hachaos/hachaos/targets/app/store"
)

// docs: POST writes a document, GET reads the last ones.
func (a *App) docs(r *http.Request, h http.Header) (reply, error) {
	if err := allow(r, h, http.MethodGet, http.MethodHead, http.MethodPost); err != nil {
		return reply{}, err
	}
	if r.Method == http.MethodPost {
		item, err := a.itemOf(r)
		if err != nil {
			return reply{}, err
		}
		err = a.remotes.docs.do(r.Context(), func(ctx context.Context, c *store.Mongo) error { return c.Add(ctx, item) })
		return reply{http.StatusCreated, item}, err
	}
	found, err := recall(a, h, a.lists, "docs", []store.Item{}, func() (found []store.Item, err error) {
		err = a.remotes.docs.do(r.Context(), func(ctx context.Context, c *store.Mongo) (err error) {
			found, err = c.Last(ctx, lastItems)
			return err
		})
		return found, err
	})
	return reply{value: found}, err
}

// doc reads one.
func (a *App) doc(r *http.Request, h http.Header) (reply, error) {
	if err := allow(r, h, http.MethodGet, http.MethodHead); err != nil {
		return reply{}, err
	}
	var found store.Item
	err := a.remotes.docs.do(r.Context(), func(ctx context.Context, c *store.Mongo) (err error) {
		found, err = c.Get(ctx, strings.TrimPrefix(r.URL.Path, "/docs/"))
		return err
	})
	return reply{value: found}, err
}
