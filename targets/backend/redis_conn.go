package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2/proto"
)

// redisConn asks one Redis over its own address, past the proxy. It is safe for
// use by several goroutines. (go-redis, made for pools and retries, would log
// each attempt at a node that is down.)
type redisConn struct {
	addr string

	mu     sync.Mutex
	conn   net.Conn
	client *proto.Client
}

// askTimeout is when a Redis that does not answer is taken for hung.
const askTimeout = 500 * time.Millisecond

// orderTimeout is how long a Redis that is being set up may take for a command: it
// writes some of them to disk before it answers, and the disk may be busy.
const orderTimeout = 10 * time.Second

// do sends a command and returns its answer: nil, string, int or []any. An
// answer that is an error is returned as one.
func (r *redisConn) do(ctx context.Context, command ...string) (any, error) {
	return r.within(ctx, askTimeout, command)
}

// order is do for a server that is being set up, and is not to be taken for hung.
func (r *redisConn) order(ctx context.Context, command ...string) (any, error) {
	return r.within(ctx, orderTimeout, command)
}

func (r *redisConn) within(ctx context.Context, timeout time.Duration, command []string) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	raw, err := r.exchange(ctx, command)
	if err != nil {
		r.dropLocked()
		return nil, fmt.Errorf("%s %s: %w", r.addr, command[0], err)
	}
	answer, err := proto.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.addr, command[0], err)
	}
	if refused, ok := answer.(error); ok {
		return nil, fmt.Errorf("%s %s: %w", r.addr, command[0], refused)
	}
	return answer, nil
}

// exchange sends a command; ctx has a deadline.
func (r *redisConn) exchange(ctx context.Context, command []string) (string, error) {
	if r.conn == nil {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", r.addr)
		if err != nil {
			return "", err
		}
		r.conn, r.client = conn, proto.NewClient(conn)
	}
	deadline, _ := ctx.Deadline()
	if err := r.conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	return r.client.Do(command...)
}

func (r *redisConn) dropLocked() {
	if r.conn != nil {
		r.conn.Close()
		r.conn, r.client = nil, nil
	}
}

func (r *redisConn) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropLocked()
}

// list is do for an answer that is a list of strings.
func (r *redisConn) list(ctx context.Context, command ...string) ([]string, error) {
	answer, err := r.do(ctx, command...)
	if err != nil {
		return nil, err
	}
	items, ok := answer.([]any)
	if !ok {
		return nil, fmt.Errorf("%s %s: the answer is no list", r.addr, command[0])
	}
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = fmt.Sprint(item)
	}
	return list, nil
}

// fields is do for an answer of lines "name:value".
func (r *redisConn) fields(ctx context.Context, command ...string) (map[string]string, error) {
	answer, err := r.do(ctx, command...)
	if err != nil {
		return nil, err
	}
	text, ok := answer.(string)
	if !ok {
		return nil, fmt.Errorf("%s %s: the answer is no text", r.addr, command[0])
	}
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields, nil
}

// answers is for a node without data to load: it is up once it says so.
func (r *redisConn) answers(ctx context.Context) error {
	answer, err := r.do(ctx, "PING")
	if err == nil && answer != "PONG" {
		err = errors.New("it does not answer a PING")
	}
	return err
}
