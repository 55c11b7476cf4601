package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hachaos/hachaos/loadgen"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "probe" {
		if err := loadgen.RunProber(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "dies" {
		os.Exit(3) // a prober that does
	}
	goleak.VerifyTestMain(m)
}

// serve accepts connections on loopback until the test ends, reads the beginning
// of a request on each, and gives it to handle. It returns the URL.
func serve(t *testing.T, handle func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[c] = true
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 4096)); err == nil {
					handle(c)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "http://" + l.Addr().String() + "/"
}

// says answers each connection once, and then closes it.
func says(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text) } // the client may be gone
}

// silent keeps a connection open until the client goes.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func mustConfig(t *testing.T, o Options, url string) *Config {
	t.Helper()
	c, err := o.Config(url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustPlay(t *testing.T, o Options, url string) (*Outcome, *Config) {
	t.Helper()
	c := mustConfig(t, o, url)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := Player{Self: []string{self}, Version: "test"}
	out, err := p.Play(t.Context(), c, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	})
	return out, c
}

const short = 300 * time.Millisecond
