package backend

import "context"

// Proxies are the chaos proxies before a dependency's nodes.
type Proxies interface {
	// Add makes a proxy before upstream (host:port, where nothing may listen
	// yet) that listens on listen, and returns the address it listens on.
	Add(ctx context.Context, name, listen, upstream string) (address string, err error)
	// Repoint lets a proxy lead to another upstream. Open connections are cut.
	Repoint(ctx context.Context, name, upstream string) error
}
