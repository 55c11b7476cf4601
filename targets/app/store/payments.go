package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// Payments is a client of an external HTTP API that takes payments.
type Payments struct {
	url    string
	client *http.Client
}

// Payment is what the API is sent.
type Payment struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount"` // in cents
}

// RefusedError says that the API has answered that it does not take a payment
// (a status of 400 to 499, but for 408 and 429). The API is sound.
type RefusedError struct{ Status int }

func (e RefusedError) Error() string { return fmt.Sprintf("refused with status %d", e.Status) }

// OpenPayments returns a client of the API at an http: or https: URL.
func OpenPayments(address string, o Options) (*Payments, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("its scheme is %q, want http or https", u.Scheme)
	}
	return &Payments{url: u.String(), client: &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: o.Timeout}).DialContext,
			MaxConnsPerHost:     o.Conns,
			MaxIdleConnsPerHost: o.conns(),
			IdleConnTimeout:     90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close ends its idle connections.
func (p *Payments) Close() { p.client.CloseIdleConnections() }

// Pay sends a payment: POST with a JSON body. The API knows by the payment's id,
// which is also its Idempotency-Key, one that it has taken already. The error is
// a [RefusedError] if it does not want it.
func (p *Payments) Pay(ctx context.Context, payment Payment) error {
	body, err := json.Marshal(payment)
	if err != nil {
		return err
	}
	// A reader that cannot be read again keeps net/http from sending it twice.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, struct{ io.Reader }{bytes.NewReader(body)})
	if err != nil {
		return err
	}
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", payment.ID)
	status, err := p.send(r)
	switch {
	case err != nil:
		return err
	case status >= 200 && status < 300:
		return nil
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
		return RefusedError{status}
	}
	return fmt.Errorf("it answered with status %d", status)
}

// Ping asks for a sign of life: any answer below 500 is one.
func (p *Payments) Ping(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return err
	}
	status, err := p.send(r)
	if err == nil && status >= 500 {
		err = fmt.Errorf("it answered with status %d", status)
	}
	return err
}

func (p *Payments) send(r *http.Request) (status int, err error) {
	answer, err := p.client.Do(r)
	if err != nil {
		return 0, plain(err)
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	return answer.StatusCode, err
}

// plain is the error without the URL, which may have a password in it.
func plain(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
