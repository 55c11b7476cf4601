package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
)

// Client asks the master in a control directory. Each call is a connection of
// its own; its context bounds it, which matters when the master may be frozen.
type Client struct{ Dir string }

// ErrNoMaster says that no master answers in a control directory.
var ErrNoMaster = errors.New("no cluster runs here")

// Status returns the state of the cluster.
func (c Client) Status(ctx context.Context) (Status, error) {
	var status Status
	err := c.ask(ctx, request{Do: "status"}, func(r reply) error {
		if r.Status == nil {
			return errors.New("the master answered without a status")
		}
		status = *r.Status
		return errEnough
	})
	return status, err
}

// Reload replaces every worker, one by one, and returns once that is done. The
// error of a reload that stopped half-way says why; the cluster then goes on
// with the workers it has. A call while another reload runs starts one more
// after it, which all calls in between share.
func (c Client) Reload(ctx context.Context) error {
	return c.ask(ctx, request{Do: "reload"}, func(reply) error { return errEnough })
}

// Scale changes the number of workers, and returns once new ones are ready or
// those that are too many have finished what they had and gone. It does not wait
// for a reload that runs.
func (c Client) Scale(ctx context.Context, workers int) error {
	return c.ask(ctx, request{Do: "scale", Workers: workers}, func(reply) error { return errEnough })
}

// Upgrade hands the cluster over to a new master of another binary (a path),
// and returns once that is master. Workers go on; a reload replaces them by the
// new binary's.
func (c Client) Upgrade(ctx context.Context, binary string) error {
	return c.ask(ctx, request{Do: "upgrade", Binary: binary}, func(reply) error { return errEnough })
}

// Exit lets the worker in a slot end itself at once with an exit code, as if it
// had crashed.
func (c Client) Exit(ctx context.Context, slot, code int) error {
	return c.ask(ctx, request{Do: "exit", Slot: slot, Code: code}, func(reply) error { return errEnough })
}

// Stop asks the master to drain and end, and returns when it has.
func (c Client) Stop(ctx context.Context) error {
	return c.ask(ctx, request{Do: "stop"}, func(reply) error { return nil })
}

// Watch calls f for each change until ctx ends, f returns an error, or the
// master ends; it returns the context's error, f's, or nil. The first call
// comes at once and says what is ready now. A watcher that is hundreds of
// changes behind is dropped, which is an error.
func (c Client) Watch(ctx context.Context, f func(Change) error) error {
	return c.ask(ctx, request{Do: "watch"}, func(r reply) error {
		if r.Change == nil {
			return errors.New("the master sent no change")
		}
		return f(*r.Change)
	})
}

// errEnough ends a conversation that got what it was for.
var errEnough = errors.New("enough")

// ask sends a request and calls f for each reply until f has enough or the
// master closes the connection.
func (c Client) ask(ctx context.Context, q request, f func(reply) error) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return c.broken(ctx, q, err)
	}
	replies := json.NewDecoder(bufio.NewReader(conn))
	for n := 0; ; n++ {
		var r reply
		err := replies.Decode(&r)
		switch {
		case err == nil && r.Error != "":
			return errors.New(r.Error)
		case err == nil:
			err = f(r)
		case isEnd(err) && ctx.Err() == nil && (q.Do == "stop" || q.Do == "watch" && n > 0):
			return nil
		default:
			return c.broken(ctx, q, err)
		}
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c Client) dial(ctx context.Context) (net.Conn, error) {
	path := controlSocket(c.Dir)
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no control socket %s", ErrNoMaster, path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w: the master of control socket %s has ended without a word (start a new one, it takes the socket over)", ErrNoMaster, path)
	case err != nil:
		return nil, fmt.Errorf("ask the master: %w", err)
	}
	return conn, nil
}

func (c Client) broken(ctx context.Context, q request, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: the master has not answered: %w", q.Do, ctx.Err())
	case isEnd(err):
		return fmt.Errorf("%s: the master ended before it answered", q.Do)
	}
	return fmt.Errorf("%s: %w", q.Do, err)
}

// isEnd tells whether a connection ended because the other side did.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
