package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/hachaos/hachaos/targets/app/store"
)

const (
	lastItems = 10
	// maxAcknowledged is how many writes a process remembers, some 50 MB.
	maxAcknowledged = 1_000_000
)

// acknowledged are the ids of the writes that this process said were done, in
// the order in which it said so.
type acknowledged struct {
	mu  sync.Mutex
	ids []string
}

func (a *acknowledged) add(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ids) < maxAcknowledged {
		a.ids = append(a.ids, id)
	}
}

func (a *acknowledged) list() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.ids)
}

// items: POST writes an item to the primary, GET reads the last ones from the
// replica. With ryw=1 either method writes one and reads it from the replica at
// once: did the write come through?
func (a *App) items(r *http.Request, h http.Header) (reply, error) {
	if err := allow(r, h, http.MethodGet, http.MethodHead, http.MethodPost); err != nil {
		return reply{}, err
	}
	if r.URL.Query().Has("ryw") {
		return a.readYourWrite(r, h)
	}
	if r.Method == http.MethodPost {
		item, err := a.addItem(r)
		return reply{http.StatusCreated, item}, err
	}
	found, err := recall(a, h, a.lists, "items", []store.Item{}, func() (found []store.Item, err error) {
		err = a.remotes.read(r.Context(), h, func(ctx context.Context, c *store.SQL) (err error) {
			found, err = c.LastItems(ctx, lastItems)
			return err
		})
		return found, err
	})
	return reply{value: found}, err
}

// addItem writes the request's body. Its id is given before, so that a write
// whose answer was lost can be tried again without being done twice.
func (a *App) addItem(r *http.Request) (store.Item, error) {
	item, err := a.itemOf(r)
	if err != nil {
		return item, err
	}
	err = a.remotes.primary.do(r.Context(), func(ctx context.Context, c *store.SQL) error { return c.AddItem(ctx, item) })
	if err == nil {
		a.acknowledged.add(item.ID)
	}
	return item, err
}

func (a *App) itemOf(r *http.Request) (store.Item, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxItem))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return store.Item{}, statusError{http.StatusRequestEntityTooLarge, fmt.Sprintf("an item has at most %d bytes", maxItem)}
	case err != nil:
		return store.Item{}, statusError{http.StatusBadRequest, "the body is incomplete"}
	case len(body) == 0:
		body = []byte("item")
	}
	// What a database takes for text is not every byte.
	text := strings.ReplaceAll(strings.ToValidUTF8(string(body), "?"), "\x00", "?")
	return store.Item{ID: a.newID(), Body: text}, nil
}

func (a *App) readYourWrite(r *http.Request, h http.Header) (reply, error) {
	item, err := a.addItem(r)
	if err != nil {
		return reply{}, err
	}
	err = a.remotes.read(r.Context(), h, func(ctx context.Context, c *store.SQL) error {
		_, err := c.Item(ctx, item.ID)
		return err
	})
	seen := err == nil
	if errors.Is(err, store.ErrNone) {
		err = nil
	}
	return reply{value: map[string]any{"id": item.ID, "seen": seen}}, err
}

// item reads one from the primary, or, with from=replica, as others are read.
func (a *App) item(r *http.Request, h http.Header) (reply, error) {
	var found store.Item
	err := a.readItems(r, h, func(ctx context.Context, c *store.SQL) (err error) {
		found, err = c.Item(ctx, strings.TrimPrefix(r.URL.Path, "/items/"))
		return err
	})
	return reply{value: found}, err
}

// allItems reads all ids: {"count": n, "ids": [...]}.
func (a *App) allItems(r *http.Request, h http.Header) (reply, error) {
	var found []string
	err := a.readItems(r, h, func(ctx context.Context, c *store.SQL) error {
		found = []string{} // of a call that failed half-way nothing counts
		return c.ItemIDs(ctx, "", func(id string) { found = append(found, id) })
	})
	return reply{value: map[string]any{"count": len(found), "ids": found}}, err
}

func (a *App) readItems(r *http.Request, h http.Header, call func(context.Context, *store.SQL) error) error {
	if err := allow(r, h, http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	if r.URL.Query().Get("from") == "replica" {
		return a.remotes.read(r.Context(), h, call)
	}
	return a.remotes.primary.do(r.Context(), call)
}

// checkItems tells how many of the writes that this process acknowledged the
// primary does not have.
func (a *App) checkItems(r *http.Request, h http.Header) (reply, error) {
	if err := allow(r, h, http.MethodGet, http.MethodHead); err != nil {
		return reply{}, err
	}
	written, missing, err := a.missingItems(r.Context())
	if err != nil {
		return reply{}, err
	}
	return reply{value: map[string]any{
		"acknowledged": written, "missing": len(missing), "examples": missing[:min(len(missing), 10)],
	}}, nil
}

func (a *App) missingItems(ctx context.Context) (written int, missing []string, err error) {
	ids := a.acknowledged.list()
	missing = []string{}
	if len(ids) == 0 {
		return 0, missing, nil
	}
	there := map[string]bool{}
	err = a.remotes.primary.do(ctx, func(ctx context.Context, c *store.SQL) error {
		clear(there)
		return c.ItemIDs(ctx, slices.Min(ids), func(id string) { there[id] = true })
	})
	for _, id := range ids {
		if !there[id] {
			missing = append(missing, id)
		}
	}
	return len(ids), missing, err
}

// reportItems tells, at the process's end, whether its acknowledged writes are
// there.
func (a *App) reportItems(ctx context.Context) {
	written, missing, err := a.missingItems(ctx)
	switch {
	case written == 0:
	case err != nil:
		a.tell("database", "worker %d cannot tell whether its %d acknowledged writes are there: %v", a.slot, written, err)
	case len(missing) > 0:
		a.tell("database", "%d of the %d writes that worker %d acknowledged are lost", len(missing), written, a.slot)
	default:
		a.tell("database", "all %d writes that worker %d acknowledged are there", written, a.slot)
	}
}
