package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hachaos/hachaos/targets/app/protect"
	"github.com/hachaos/hachaos/targets/app/store"
)

const (
	sessionTTL  = time.Hour
	maxSessions = 100_000 // in a process's memory
	// someUsers is how many users there are for requests that name none.
	someUsers = 10
)

// Session is who is logged in. Its id is the user's name, so that requests
// without a cookie jar can name it: what is tested here is not secrecy.
type Session struct {
	User   string    `json:"user"`
	Since  time.Time `json:"since"`
	Worker int       `json:"worker"` // the slot that the login reached
	PID    int       `json:"pid"`
}

// sessions is where sessions are kept.
type sessions interface {
	put(ctx context.Context, s Session) error
	get(ctx context.Context, user string) (Session, error) // or store.ErrNone
}

// memorySessions are kept in this process, and end with it.
type memorySessions struct {
	kept *protect.Keeper[Session]
}

func (m memorySessions) put(_ context.Context, s Session) error {
	m.kept.Keep(s.User, s)
	return nil
}

func (m memorySessions) get(_ context.Context, user string) (Session, error) {
	s, ok := m.kept.Last(user)
	if !ok || time.Since(s.Since) > sessionTTL {
		return s, store.ErrNone
	}
	return s, nil
}

// redisSessions are kept where every process finds them.
type redisSessions struct {
	redis *remote[*store.Redis]
}

func (r redisSessions) put(ctx context.Context, s Session) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return r.redis.do(ctx, func(ctx context.Context, c *store.Redis) error {
		return c.Set(ctx, "session:"+s.User, string(text), sessionTTL)
	})
}

func (r redisSessions) get(ctx context.Context, user string) (s Session, err error) {
	var text string
	err = r.redis.do(ctx, func(ctx context.Context, c *store.Redis) (err error) {
		text, err = c.Get(ctx, "session:"+user)
		return err
	})
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	return s, err
}

// login logs a user in. The session's cookie carries its id; with sticky
// sessions another one names the worker, for a balancer that reads it.
func (a *App) login(r *http.Request, h http.Header) (reply, error) {
	user, err := userOf(r)
	if err != nil {
		return reply{}, err
	}
	s := Session{User: user, Since: time.Now().UTC(), Worker: a.slot, PID: a.number}
	if err := a.sessions.put(r.Context(), s); err != nil {
		return reply{}, err
	}
	if a.config.Fallback == "stale" {
		a.profiles.Keep(user, s)
	}
	h.Add("Set-Cookie", (&http.Cookie{Name: "session", Value: user, Path: "/", HttpOnly: true}).String())
	if a.config.Sessions == "sticky" {
		h.Add("Set-Cookie", (&http.Cookie{Name: "worker", Value: strconv.Itoa(a.slot), Path: "/", HttpOnly: true}).String())
	}
	return reply{value: s}, nil
}

// profile answers 401 to a user who is not logged in as far as this process
// knows.
func (a *App) profile(r *http.Request, h http.Header) (reply, error) {
	user, err := userOf(r)
	if err != nil {
		return reply{}, err
	}
	s, err := recall(a, h, a.profiles, user, Session{User: "guest"}, func() (Session, error) {
		return a.sessions.get(r.Context(), user)
	})
	if errors.Is(err, store.ErrNone) {
		return reply{}, statusError{http.StatusUnauthorized, a.stranger(r, user)}
	}
	return reply{value: s}, err
}

func (a *App) stranger(r *http.Request, user string) string {
	if home, err := r.Cookie("worker"); err == nil && a.config.Sessions == "sticky" && home.Value != strconv.Itoa(a.slot) {
		return fmt.Sprintf("%s is logged in with worker %.10q, and this is worker %d", user, home.Value, a.slot)
	}
	return user + " is not logged in"
}

// userOf is who a request is from: its parameter user, its cookie session, its
// bearer token, or else any one of ten, so that a load without a cookie jar has
// several users.
func userOf(r *http.Request) (string, error) {
	user := r.URL.Query().Get("user")
	if cookie, err := r.Cookie("session"); user == "" && err == nil {
		user = cookie.Value
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); user == "" && ok {
		user = token
	}
	if user == "" {
		return fmt.Sprint("u", rand.IntN(someUsers)), nil
	}
	plain := func(c rune) bool {
		return c == '-' || c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	if len(user) > 64 || strings.ContainsFunc(user, func(c rune) bool { return !plain(c) }) {
		return "", statusError{http.StatusBadRequest, "a user's name is at most 64 letters, digits, dots, dashes and underscores"}
	}
	return user, nil
}
