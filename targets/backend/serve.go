package backend

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// Setup is what the process of an embedded dependency is told on its standard
// input: one line of JSON. Further lines are orders, "fill on", "fill off",
// "lag on" and "lag off", each answered with a line that is "ok" or says what
// went wrong.
type Setup struct {
	Listen        string `json:"listen"`         // host:port
	ReplicaListen string `json:"replica_listen"` // host:port; "" for none
	Folder        string `json:"folder"`         // for what it stores
}

// Listening is what it answers on its standard output, one line of JSON, once
// it takes connections.
type Listening struct {
	Server string `json:"server"` // what it is, with a version where it has one
}

// service is an embedded server.
type service interface {
	// name is what it is: "miniredis 2.40.0".
	name() string
	// order does one of the orders.
	order(what string, on bool) error
	close() error
}

// services are the kinds that can be embedded, and how each begins to listen.
var services = map[string]func(Setup) (service, error){
	"redis":    serveRedis,
	"postgres": servePostgres,
	"http":     serveHTTP,
	"tcp":      serveTCP,
}

// Serve is the process of an embedded dependency of a kind. It ends with ctx,
// SIGTERM or SIGINT, or when its input, and so whoever started it, has ended.
func Serve(ctx context.Context, kind string, in io.Reader, out io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	begin, known := services[kind]
	if !known {
		return fmt.Errorf("%q cannot be embedded", kind)
	}
	input := bufio.NewReader(in)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the setup: %w", err)
	}
	var setup Setup
	if err := json.Unmarshal(line, &setup); err != nil {
		return fmt.Errorf("read the setup: %w", err)
	}
	s, err := begin(setup)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(Listening{s.name()}); err != nil {
		return fmt.Errorf("say that it listens: %w", err)
	}
	// The rest of the input is waited for, and left waiting, by the process's end.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		obey(s, input, out)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return s.close()
}

// obey follows orders until the end of the input.
func obey(s service, input *bufio.Reader, out io.Writer) {
	for {
		line, err := input.ReadString('\n')
		if err != nil {
			return
		}
		what, state, _ := strings.Cut(strings.TrimSpace(line), " ")
		answer := "ok"
		if err := s.order(what, state == "on"); err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return
		}
	}
}

func unknownOrder(what string) error { return fmt.Errorf("it cannot %s", what) }

// moduleVersion returns the version of a module in this binary, with a space
// before it; "" if that is not known.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return " " + strings.TrimPrefix(m.Version, "v")
		}
	}
	return ""
}
