package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/hachaos/hachaos/targets/app/apptest"
)

func openSQL(t *testing.T, address string) *SQL {
	t.Helper()
	s, err := OpenSQL("postgres://postgres@"+address+"/postgres?sslmode=disable", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestSQL(t *testing.T) {
	address := apptest.Postgres(t)
	// Many processes make the tables at the same moment.
	var wg sync.WaitGroup
	for range 8 {
		s := openSQL(t, address)
		wg.Go(func() {
			if err := s.Ensure(within(t)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := openSQL(t, address)
	ctx := within(t)

	t.Run("items", func(t *testing.T) {
		if found, err := s.LastItems(ctx, 3); err != nil || found == nil || len(found) != 0 {
			t.Errorf("at first there are %v, %v", found, err)
		}
		var want []string
		for i := range 5 {
			item := Item{fmt.Sprintf("id-%d", i), fmt.Sprintf("body %d's 'text' \x01 ünïcode", i)}
			want = append(want, item.ID)
			for range 2 { // a write that is tried again is done once
				if err := s.AddItem(ctx, item); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := s.Item(ctx, item.ID); got != item || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		}
		if found, err := s.LastItems(ctx, 2); err != nil || len(found) != 2 || found[0].ID != "id-4" || found[1].ID != "id-3" {
			t.Errorf("the last are %v, %v", found, err)
		}
		for _, from := range []int{0, 3} {
			var got []string
			if err := s.ItemIDs(ctx, want[from], func(id string) { got = append(got, id) }); err != nil || !slices.Equal(got, want[from:]) {
				t.Errorf("from %d: %v, %v", from, got, err)
			}
		}
		if _, err := s.Item(ctx, "none"); !errors.Is(err, ErrNone) {
			t.Errorf("nothing is %v", err)
		}
	})
	t.Run("users", func(t *testing.T) {
		for _, name := range []string{"u5", "new", "new"} {
			if err := s.AddUser(ctx, name); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.Users(ctx); n != atFirst+1 || err != nil {
			t.Errorf("%d users, %v", n, err)
		}
	})
	t.Run("cached", func(t *testing.T) {
		if got, err := s.Cached(ctx, "k7"); got != "value of k7" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := s.Cached(ctx, "none"); !errors.Is(err, ErrNone) {
			t.Errorf("nothing is %v", err)
		}
	})
	t.Run("replica", func(t *testing.T) {
		r, err := OpenReplica("postgres://postgres@"+address+"/template1?sslmode=disable", Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := r.Cached(ctx, "k7"); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("a replica without tables made them: %v", err)
		}
	})
	t.Run("down", func(t *testing.T) {
		relay := apptest.NewRelay(t, address)
		s := openSQL(t, relay.Address)
		if err := s.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		relay.Cut()
		for range 2 {
			if err := s.AddItem(ctx, Item{ID: "x"}); err == nil {
				t.Error("a cut server takes items")
			}
		}
		relay.Mend()
		if err := s.AddItem(ctx, Item{ID: "x"}); err != nil {
			t.Errorf("after it is mended: %v", err)
		}
	})
}
