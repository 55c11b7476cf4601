//go:build unix

package cluster

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sticky keeps clients at their worker by a cookie of the form
//
//	SLOT.EXPIRY.SIGNATURE
//
// with the expiry in Unix seconds, and an HMAC-SHA256 over the cookie's name and
// both, so that nobody can choose a worker for himself, or keep one for ever.
type sticky struct {
	Sticky
	key    []byte
	secure bool // cookies are for TLS only
}

// newSticky returns nil if no cookie is asked for.
func newSticky(c Config, made *secrets) *sticky {
	if c.Sticky == nil || c.Sticky.By != "cookie" {
		return nil
	}
	s := &sticky{Sticky: *c.Sticky, secure: c.TLS != nil}
	if s.key = []byte(s.Key); len(s.key) == 0 {
		s.key = made.Cookies
	}
	return s
}

// session is to which worker a request belongs, and came. The nil session
// belongs to none.
type session struct {
	wanted int  // slot; 0: none
	renew  bool // the cookie is past half of its life
	got    int  // slot that answered
}

type sessionKey struct{}

// begin reads a request's cookie. The request that it returns carries the
// session.
func (s *sticky) begin(r *http.Request, now time.Time) *http.Request {
	var sess session
	for _, c := range r.CookiesNamed(s.Name) {
		if slot, expiry, ok := s.verify(c.Value); ok && now.Before(expiry) {
			sess = session{wanted: slot, renew: expiry.Sub(now) < s.TTL.Std()/2}
			break
		}
	}
	return r.WithContext(context.WithValue(r.Context(), sessionKey{}, &sess))
}

func sessionOf(r *http.Request) *session {
	s, _ := r.Context().Value(sessionKey{}).(*session)
	return s
}

// slot is the worker that a request belongs to; 0 is none.
func (s *session) slot() int {
	if s == nil {
		return 0
	}
	return s.wanted
}

// answeredBy notes where the request was sent last.
func (s *session) answeredBy(slot int) {
	if s != nil {
		s.got = slot
	}
}

// end gives the client a cookie if it needs one.
func (s *sticky) end(answer *http.Response, now time.Time) {
	sess := sessionOf(answer.Request)
	if sess == nil || sess.got == 0 || sess.got == sess.wanted && !sess.renew {
		return
	}
	c := http.Cookie{
		Name: s.Name, Value: s.sign(sess.got, now.Add(s.TTL.Std())), Path: s.Path,
		MaxAge: int(s.TTL.Std() / time.Second), HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	}
	answer.Header.Add("Set-Cookie", c.String())
}

func (s *sticky) sign(slot int, expiry time.Time) string {
	text := fmt.Sprintf("%d.%d", slot, expiry.Unix())
	return text + "." + base64.RawURLEncoding.EncodeToString(s.signature(text))
}

func (s *sticky) signature(text string) []byte {
	h := hmac.New(sha256.New, s.key)
	_, _ = h.Write([]byte(s.Name + "=" + text)) // it never fails
	return h.Sum(nil)
}

// verify reads what sign wrote; ok is false for anything else.
func (s *sticky) verify(value string) (slot int, expiry time.Time, ok bool) {
	i := strings.LastIndexByte(value, '.')
	if i < 0 {
		return 0, time.Time{}, false
	}
	signature, err := base64.RawURLEncoding.DecodeString(value[i+1:])
	if err != nil || !hmac.Equal(signature, s.signature(value[:i])) {
		return 0, time.Time{}, false
	}
	first, second, _ := strings.Cut(value[:i], ".")
	slot, err1 := strconv.Atoi(first)
	unix, err2 := strconv.ParseInt(second, 10, 64)
	return slot, time.Unix(unix, 0), err1 == nil && err2 == nil
}
