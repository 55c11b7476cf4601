package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/chaos/netproxy"
	"github.com/spf13/cobra"
)

type proxyFlags struct {
	host    string
	port    uint16
	config  string
	seed    uint64
	allow   []string
	verbose bool
}

func proxyCommand() *cobra.Command {
	var f proxyFlags
	cmd := &cobra.Command{
		Use:   "proxy [NAME=LISTEN,UPSTREAM]...",
		Short: "Run the chaos proxy alone, driven over Toxiproxy's HTTP API",
		Long: `Run TCP proxies whose connections can be slowed, cut, corrupted and answered
wrongly while they live. Every client of Toxiproxy 2 drives it: proxies and
toxics are made, changed and removed over HTTP.

Toxics: ` + strings.Join(netproxy.Kinds(), ", ") + `.

The first line on standard output is the API's URL. GET /metrics and GET /stats
tell what passed and what each toxic did.`,
		Example: `  hachaos proxy redis=127.0.0.1:26379,127.0.0.1:6379
  curl -d '{"type":"latency","attributes":{"latency":200}}' localhost:8474/proxies/redis/toxics
  hachaos proxy --config proxies.json --seed 7`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.host, "host", "127.0.0.1", "`ADDRESS` that the API listens on")
	flags.Uint16Var(&f.port, "port", 8474, "port that the API listens on; 0 takes a free one")
	flags.StringVar(&f.config, "config", "", "make the proxies of `FILE`, a JSON list as Toxiproxy reads it")
	flags.Uint64Var(&f.seed, "seed", 0, "seed of every random draw (default: a random one)")
	flags.StringArrayVar(&f.allow, "allow-host", nil, "let the API be asked under the host `NAME` too (repeatable)")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log every proxy that is made and every request that is refused")
	return cmd
}

func (f *proxyFlags) run(cmd *cobra.Command, args []string) error {
	var configs []netproxy.Config
	for _, arg := range args {
		c, err := parseProxy(arg)
		if err != nil {
			return usageError(err)
		}
		configs = append(configs, c)
	}
	if !cmd.Flags().Changed("seed") {
		f.seed = rand.Uint64()
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	log, end := newLog(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level})
	defer end()
	server, err := netproxy.New(netproxy.Options{Seed: f.seed, Hosts: f.allow, Log: log})
	if err != nil {
		return runError(err)
	}
	defer server.Close()
	if f.config != "" {
		if err := populate(server, f.config); err != nil {
			return usageError(err)
		}
	}
	if _, err := server.Populate(configs); err != nil {
		return runError(err)
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	return f.serve(ctx, cmd, server)
}

// serve answers the API until a signal comes, which is how it is meant to end.
func (f *proxyFlags) serve(ctx context.Context, cmd *cobra.Command, server *netproxy.Server) error {
	ln, err := net.Listen("tcp", net.JoinHostPort(f.host, strconv.Itoa(int(f.port))))
	if err != nil {
		return runError(fmt.Errorf("listen for the API: %w (set --port, or stop the other server)", err))
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "http://%s\n", ln.Addr()); err != nil {
		ln.Close()
		return printed(err)
	}
	if err := server.Serve(ctx, ln); err != nil {
		return runError(err)
	}
	if code := signalCode(ctx); code != 0 {
		return exitError{code: code}
	}
	return nil
}

// parseProxy reads NAME=LISTEN,UPSTREAM.
func parseProxy(arg string) (netproxy.Config, error) {
	name, rest, ok := strings.Cut(arg, "=")
	listen, upstream, both := strings.Cut(rest, ",")
	if !ok || !both || name == "" || listen == "" || upstream == "" {
		return netproxy.Config{}, fmt.Errorf("proxy %q: want NAME=LISTEN,UPSTREAM, such as redis=127.0.0.1:26379,127.0.0.1:6379", arg)
	}
	return netproxy.Config{Name: name, Listen: listen, Upstream: upstream, Enabled: true}, nil
}

func populate(server *netproxy.Server, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := server.PopulateFrom(file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
