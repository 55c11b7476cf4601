package targets

import "context"

// URL is a target that already runs: nothing of it is started or stopped.
type URL struct{ base string }

// NewURL returns the target at a base URL.
func NewURL(base string) *URL { return &URL{base} }

// Start implements [Target].
func (*URL) Start(context.Context) error { return nil }

// URL implements [Target].
func (u *URL) URL() string { return u.base }

// Done implements [Target]: it never ends as far as hachaos knows.
func (*URL) Done() <-chan struct{} { return nil }

// Err implements [Target].
func (*URL) Err() error { return nil }

// Stop implements [Target].
func (*URL) Stop(context.Context) error { return nil }
