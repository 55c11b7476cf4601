package netproxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Serve answers the API on ln until ctx ends, and then closes ln and the
// server with everything that is on it.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	h := &http.Server{
		Handler:      s.Handler(),
		ReadTimeout:  15 * time.Second,
		WriteTimeout: 30 * time.Second,
		IdleTimeout:  time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ln) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if h.Shutdown(grace) != nil {
			h.Close()
		}
		err = <-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.Close())
}
