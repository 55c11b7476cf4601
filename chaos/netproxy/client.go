package netproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Client drives a proxy server over its HTTP API: `hachaos proxy`, or
// Toxiproxy, which lacks [Client.Stats] and our own kinds of toxics. An answer
// that is an error is returned as an [*Error].
type Client struct {
	URL  string       // such as "http://127.0.0.1:8474"
	HTTP *http.Client // nil: http.DefaultClient
}

// NewClient returns a client that keeps no connection open between requests.
func NewClient(url string) *Client {
	return &Client{URL: url, HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// Proxies returns every proxy by its name.
func (c *Client) Proxies(ctx context.Context) (map[string]State, error) {
	return call[map[string]State](ctx, c, "GET", "/proxies", nil)
}

// Proxy returns one proxy.
func (c *Client) Proxy(ctx context.Context, name string) (State, error) {
	return call[State](ctx, c, "GET", proxyPath(name), nil)
}

// Add makes a proxy and returns it with its real address.
func (c *Client) Add(ctx context.Context, config Config) (State, error) {
	return call[State](ctx, c, "POST", "/proxies", config)
}

// Populate makes proxies, or replaces those whose addresses differ.
func (c *Client) Populate(ctx context.Context, configs []Config) ([]State, error) {
	answer, err := call[struct{ Proxies []State }](ctx, c, "POST", "/populate", configs)
	return answer.Proxies, err
}

// Update changes a proxy's addresses and whether it listens.
func (c *Client) Update(ctx context.Context, config Config) (State, error) {
	return call[State](ctx, c, "POST", proxyPath(config.Name), config)
}

// Remove ends a proxy.
func (c *Client) Remove(ctx context.Context, name string) error {
	_, err := call[nothing](ctx, c, "DELETE", proxyPath(name), nil)
	return err
}

// Reset enables every proxy and removes every toxic.
func (c *Client) Reset(ctx context.Context) error {
	_, err := call[nothing](ctx, c, "POST", "/reset", nil)
	return err
}

// AddToxic adds a toxic to a proxy and returns it as it was made. An empty type
// is that of the attributes, an empty stream is downstream.
func (c *Client) AddToxic(ctx context.Context, proxy string, t Toxic) (Toxic, error) {
	if t.Type == "" {
		t.Type = kindOf(t.Attributes)
	}
	if t.Stream == "" {
		t.Stream = Downstream.String()
	}
	return call[Toxic](ctx, c, "POST", proxyPath(proxy)+"/toxics", t)
}

// UpdateToxic changes a toxic's attributes and toxicity.
func (c *Client) UpdateToxic(ctx context.Context, proxy, name string, a Attributes, toxicity float32) (Toxic, error) {
	return call[Toxic](ctx, c, "POST", toxicPath(proxy, name), map[string]any{"attributes": a, "toxicity": toxicity})
}

// RemoveToxic removes a toxic.
func (c *Client) RemoveToxic(ctx context.Context, proxy, name string) error {
	_, err := call[nothing](ctx, c, "DELETE", toxicPath(proxy, name), nil)
	return err
}

// Stats returns the counters of every proxy, by name.
func (c *Client) Stats(ctx context.Context) ([]Stats, error) {
	return call[[]Stats](ctx, c, "GET", "/stats", nil)
}

// Version returns the version that the server says it is.
func (c *Client) Version(ctx context.Context) (string, error) {
	answer, err := call[struct{ Version string }](ctx, c, "GET", "/version", nil)
	return answer.Version, err
}

// nothing is the answer of a request that has none.
type nothing struct{}

func proxyPath(name string) string { return "/proxies/" + url.PathEscape(name) }

func toxicPath(proxy, name string) string {
	return proxyPath(proxy) + "/toxics/" + url.PathEscape(name)
}

// call sends a request and reads its answer.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer, fmt.Errorf("%s %s: %w", method, path, err)
		}
		in = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.URL+path, in)
	if err != nil {
		return answer, err
	}
	r.Header.Set("Content-Type", "application/json")
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(r)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= 300 {
		failed := &Error{Status: resp.StatusCode}
		if json.Unmarshal(text, failed) != nil || failed.Message == "" {
			failed = &Error{fmt.Sprintf("%s %s: %s", method, path, resp.Status), resp.StatusCode}
		}
		return answer, failed
	}
	if len(text) == 0 {
		return answer, nil
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return answer, nil
}
