//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// users asks how many users there are, and who says so.
func (f *fixture) users(ctx context.Context) (n int64, from string) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.address+"/users", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer answer.Body.Close()
	var said struct {
		Users int64
		From  string
	}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || answer.StatusCode != http.StatusOK {
		f.t.Fatalf("status %d, %v", answer.StatusCode, err)
	}
	return said.Users, said.From
}

func TestBroadcastIsOneQueryAndNoAnswerLacksIt(t *testing.T) {
	for _, dispatch := range dispatches {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			conf := config(4, dispatch, 0)
			conf.Broadcast = &Broadcast{Interval: units.Duration(time.Hour)}
			f := start(t, masterOptions{Config: conf})
			ctx, cancel := timeout()
			defer cancel()
			for range 3 {
				for range 20 {
					if n, from := f.users(ctx); n != someUsers || from != "broadcast" {
						t.Errorf("%s says that there are %d users", from, n)
					}
				}
				if err := f.Reload(ctx); err != nil { // new workers know it before they are ready
					t.Fatal(err)
				}
			}
			if s := f.status(); s.Queries != 1 {
				t.Errorf("16 workers in all cost %d queries", s.Queries)
			}
		})
	}
}

func TestBroadcastGoesOn(t *testing.T) {
	t.Parallel()
	conf := config(1, "handoff", 0)
	conf.Broadcast = &Broadcast{Interval: units.Duration(5 * time.Millisecond)}
	f := start(t, masterOptions{Config: conf})
	f.await("more queries", func(s Status) bool { return s.Queries > 3 })
}
