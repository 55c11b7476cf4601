package backend

import "context"

// external is somebody else's server.
type external struct{}

func (external) start(ctx context.Context, b *Backend) error {
	u, address, err := parseURL(b.config.Kind, b.config.URL)
	if err != nil {
		return err
	}
	if b.opts.Proxies == nil {
		b.url = b.config.URL
		return nil
	}
	listen, err := b.front(ctx, b.name, b.config.Port, address)
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.nodes = append(b.nodes, &node{b: b, name: b.name, role: Main, proxy: b.name, addr: address})
	b.mu.Unlock()
	u.Host = listen
	if b.config.Kind == "mongodb" {
		// Else the driver asks who else there is and goes there.
		q := u.Query()
		q.Set("directConnection", "true")
		u.RawQuery = q.Encode()
		if u.Path == "" {
			u.Path = "/" // before a query it is not optional
		}
	}
	b.url = u.String()
	return nil
}
