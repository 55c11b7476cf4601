package store

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hachaos/hachaos/targets/app/apptest"
)

func openPayments(t *testing.T, url string) *Payments {
	t.Helper()
	p, err := OpenPayments(url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestPayments(t *testing.T) {
	var status atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p Payment
		if r.Method == http.MethodPost && (json.NewDecoder(r.Body).Decode(&p) != nil || p != (Payment{"p1", 250}) || r.Header.Get("Idempotency-Key") != "p1") {
			t.Errorf("%s, %v, %v", r.Method, p, r.Header)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(status.Load()))
	}))
	defer server.Close()
	p := openPayments(t, server.URL+"/charge")
	for _, c := range []struct {
		status        int
		paid, refused bool
		alive         bool
	}{
		{200, true, false, true}, {201, true, false, true},
		{302, false, false, true}, {402, false, true, true}, {404, false, true, true},
		{408, false, false, true}, {429, false, false, true},
		{500, false, false, false}, {503, false, false, false},
	} {
		status.Store(int64(c.status))
		err := p.Pay(within(t), Payment{"p1", 250})
		if (err == nil) != c.paid || errors.As(err, &RefusedError{}) != c.refused {
			t.Errorf("status %d: %v", c.status, err)
		}
		if err := p.Ping(within(t)); (err == nil) != c.alive {
			t.Errorf("status %d: the ping says %v", c.status, err)
		}
	}
}

// A connection that ends after the payment was sent might have paid: sending it
// again is the caller's business.
func TestPaymentsNeverTriesTwice(t *testing.T) {
	var posts atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	p := openPayments(t, strings.Replace(server.URL, "http://", "http://user:secret@", 1))
	for i := range 3 {
		if err := p.Ping(within(t)); err != nil { // leaves a connection to be used again
			t.Fatal(err)
		}
		if err := p.Pay(within(t), Payment{"p1", 1}); err == nil || posts.Load() != int64(i+1) {
			t.Errorf("%v, sent %d times", err, posts.Load())
		}
	}
	server.Close()
	if err := p.Pay(within(t), Payment{"p1", 1}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a server that is gone: %v", err)
	}
	relay := apptest.NewRelay(t, "127.0.0.1:1")
	q := openPayments(t, "http://"+relay.Address)
	if err := q.Pay(within(t), Payment{"p1", 1}); err == nil || relay.Taken() != 1 {
		t.Errorf("%v after %d connections", err, relay.Taken())
	}
}
