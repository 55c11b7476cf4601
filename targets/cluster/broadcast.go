//go:build unix

package cluster

import (
	"context"
	"os"
	"time"

	"github.com/hachaos/hachaos/targets/app"
	"github.com/hachaos/hachaos/targets/page"
)

// someUsers is how many users there are where no database is: a stand-in.
const someUsers = 100

// source tells a value that is the same for all workers.
type source func(context.Context) (int64, error)

// users is the application's number of users: its database's, or a stand-in.
func (m *master) users() source {
	if os.Getenv("DATABASE_URL") == "" {
		return func(context.Context) (int64, error) { return someUsers, nil }
	}
	return app.New(app.Options{Config: m.Config.App, Threads: 1, Entry: new(page.Entry)}).CountUsers
}

// broadcasts is what the master has told its workers.
type broadcasts struct {
	known   bool
	value   int64
	queries int64 // of its source
}

// broadcast asks the source once in every interval and tells all workers, until
// ctx ends: however many workers there are, they cost one query.
func (m *master) broadcast(ctx context.Context, ask source) {
	every := m.Config.Broadcast.Interval.Std()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		query, cancel := context.WithTimeout(ctx, every)
		value, err := ask(query)
		cancel()
		m.post(func() {
			m.broadcasts.queries++
			if err != nil {
				m.Log.Warn("the value to broadcast is not to be had", "error", err, "kept", m.broadcasts.known)
				return
			}
			m.broadcasts.known, m.broadcasts.value = true, value
			for w := range m.living {
				m.inform(w.member)
			}
			m.show(Change{State: Serving, What: "one query tells all workers the number of users"})
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// inform tells one worker what is known.
func (m *master) inform(mem *member) {
	if mem != nil && m.broadcasts.known {
		_ = mem.send(frame{kind: broadcast, n: uint64(m.broadcasts.value)}) // if its wire has ended, it will dial again; if it is full, there will be newer values
	}
}
