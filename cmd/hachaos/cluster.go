package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/cluster"
	"github.com/hachaos/hachaos/targets/page"
	"github.com/spf13/cobra"
)

type clusterFlags struct {
	config  string
	listen  string
	admin   string
	dir     string
	workers string
	threads int
	pass    string
	work    time.Duration
	seed    uint64
	drain   time.Duration
	readyFD int
	pageFD  int
	verbose bool
}

func clusterCommand() *cobra.Command {
	var f clusterFlags
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Run the reference cluster alone",
		Long: `The reference cluster: a master that starts worker processes, replaces those that
crash, and reloads them one by one without losing a request (hachaos cluster
reload, or SIGUSR2). SIGTERM lets it finish what it has and ends it.`,
		Example: `  hachaos cluster --workers 4 --listen 127.0.0.1:8080
  hachaos cluster status
  hachaos cluster reload`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	cmd.PersistentFlags().StringVar(&f.dir, "dir", cluster.DefaultDir(), "control `DIRECTORY`: one for each cluster on this machine")
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "`FILE` with what a scenario has under target.cluster, as YAML or JSON")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to serve; port 0 chooses one")
	flags.StringVar(&f.admin, "admin", "127.0.0.1:0", "`ADDRESS` of /health and /metrics for monitors; port 0 chooses one, none leaves it out")
	flags.StringVar(&f.workers, "workers", "max", "number of workers, or max for one per processor")
	flags.IntVar(&f.threads, "threads", 1, "processors that a worker uses at once")
	flags.StringVar(&f.pass, "dispatch", "handoff", "how connections reach workers: handoff, shared, reuseport or proxy")
	flags.DurationVar(&f.work, "work", 0, "processor time that each request burns")
	flags.DurationVar(&f.drain, "drain-delay", 0, "time in which /health fails already and requests are still served when the cluster stops")
	flags.Uint64Var(&f.seed, "seed", 0, "seed of the application's random crashes")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	flags.IntVar(&f.readyFD, "ready-fd", 0, "descriptor on which a line of JSON says where it listens")
	flags.IntVar(&f.pageFD, "page-fd", 0, "descriptor of the page of counters of who watches the cluster")
	for _, name := range []string{"ready-fd", "page-fd"} {
		_ = flags.MarkHidden(name) // it stands
	}
	cmd.AddCommand(f.statusCommand(), f.reloadCommand(), f.scaleCommand(), f.upgradeCommand(), f.stopCommand())
	return cmd
}

func (f *clusterFlags) run(cmd *cobra.Command) error {
	config, err := f.configuration(cmd)
	if err == nil {
		err = f.check(config)
	}
	if err != nil {
		return usageError(err)
	}
	self, err := os.Executable()
	if err != nil {
		return runError(err)
	}
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	log, end := newLog(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level})
	defer end()
	opts := cluster.Options{
		Config: config, Listen: f.listen, Admin: f.admin, Dir: f.dir, Seed: f.seed,
		Command: []string{self, "worker"},
		Standby: []string{self, "standby"},
		Ready:   announcement{cmd.OutOrStdout()},
		Log:     log,
	}
	if f.pageFD > 0 {
		if opts.Page, err = page.Inherited(f.pageFD); err != nil {
			return runError(err)
		}
	}
	if f.readyFD > 0 {
		ready := os.NewFile(uintptr(f.readyFD), "ready")
		defer ready.Close()
		opts.Ready = ready
	}
	if err := cluster.RunMaster(cmd.Context(), opts); err != nil {
		return runError(err)
	}
	return nil
}

// configuration is the file's, with the flags that were given over it.
func (f *clusterFlags) configuration(cmd *cobra.Command) (cluster.Config, error) {
	var c cluster.Config
	if f.config != "" {
		file, err := os.Open(f.config)
		if err != nil {
			return c, err
		}
		defer file.Close()
		if err := yaml.NewDecoder(file, yaml.Strict()).Decode(&c); err != nil && !errors.Is(err, io.EOF) {
			return c, fmt.Errorf("%s: %w", f.config, err)
		}
	}
	given := cmd.Flags().Changed
	if given("workers") || f.config == "" {
		if err := c.Workers.UnmarshalText([]byte(f.workers)); err != nil {
			return c, fmt.Errorf("--workers: %w", err)
		}
	}
	if given("threads") || f.config == "" {
		c.Threads = f.threads
	}
	if given("dispatch") || f.config == "" {
		c.Dispatch = f.pass
	}
	if given("drain-delay") {
		c.Drain.Delay = units.Duration(f.drain)
	}
	if given("work") {
		c.App.Work = units.Duration(f.work)
	}
	return c, nil
}

// check finds what is wrong before anything is started.
func (f *clusterFlags) check(c cluster.Config) error {
	mistakes := []error{c.Validate()}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		mistakes = append(mistakes, fmt.Errorf("--listen: %w (want HOST:PORT)", err))
	}
	if _, _, err := net.SplitHostPort(f.admin); err != nil && f.admin != "" && f.admin != cluster.NoAdmin {
		mistakes = append(mistakes, fmt.Errorf("--admin: %w (want HOST:PORT, or none)", err))
	}
	return errors.Join(mistakes...)
}

// announcement says for people where a master listens.
type announcement struct{ w io.Writer }

func (a announcement) Write(b []byte) (int, error) {
	var ready cluster.Ready
	if err := json.Unmarshal(b, &ready); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(a.w, "the cluster listens on %s (master pid %d)\n", ready.URL(), ready.PID); err != nil {
		return 0, err
	}
	if ready.Admin != "" {
		if _, err := fmt.Fprintf(a.w, "its health and metrics are on http://%s/health and /metrics\n", ready.Admin); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (f *clusterFlags) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the cluster's workers",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), answerTimeout)
			defer cancel()
			status, err := cluster.Client{Dir: f.dir}.Status(ctx)
			if err != nil {
				return runError(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), status)
			}
			_, err = io.WriteString(cmd.OutOrStdout(), statusText(status))
			return printed(err)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status as JSON")
	return cmd
}

// answerTimeout bounds how long a master may take to answer: it may be frozen.
const answerTimeout = 10 * time.Second

func statusText(s cluster.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "master pid %d · %s · dispatch %s · %d of %s ready · %s waiting\n",
		s.PID, s.URL(), s.Dispatch, s.Ready, units.CountOf(int64(len(s.Workers)), "worker"), units.CountOf(int64(s.Queued), "connection"))
	if s.Admin != "" {
		fmt.Fprintf(&b, "monitors: http://%s/health · http://%s/metrics\n", s.Admin, s.Admin)
	}
	b.WriteByte('\n')
	table := tabwriter.NewWriter(&b, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "SLOT\tPID\tSTATE\tUPTIME\tRESTARTS\tCPU\tMEMORY\tIN FLIGHT\tREQUESTS\tERRORS\t")
	for _, worker := range s.Workers {
		pid, uptime, cpu, memory := "–", "–", "–", "–"
		if worker.PID != 0 {
			pid = strconv.Itoa(worker.PID)
			uptime = units.FormatDuration(time.Duration(worker.UptimeS * float64(time.Second)))
		}
		if worker.Memory != 0 { // it was looked at
			cpu, memory = fmt.Sprintf("%.0f %%", 100*worker.CPU), units.FormatBytes(worker.Memory)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\t\n", worker.Slot, pid, worker.State, uptime,
			worker.Restarts, cpu, memory, worker.InFlight, units.FormatCount(worker.Requests), units.FormatCount(worker.Errors))
	}
	_ = table.Flush() // a builder takes everything
	return b.String()
}

func (f *clusterFlags) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Replace every worker, one by one, and wait until that is done",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), heard()...)
			defer stop()
			if err := (cluster.Client{Dir: f.dir}).Reload(ctx); err != nil {
				return runError(err)
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "every worker was replaced")
			return printed(err)
		},
	}
}

func (f *clusterFlags) scaleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "scale N",
		Short: "Change the number of workers, and wait until that is done",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil {
				return usageError(fmt.Errorf("%q is no number of workers", args[0]))
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), heard()...)
			defer stop()
			if err := (cluster.Client{Dir: f.dir}).Scale(ctx, n); err != nil {
				return runError(err)
			}
			be := "are"
			if n == 1 {
				be = "is"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s ready\n", units.CountOf(int64(n), "worker"), be)
			return printed(err)
		},
	}
}

func (f *clusterFlags) upgradeCommand() *cobra.Command {
	var binary string
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Hand the cluster over to a master of this binary, losing no connection",
		Long: `Starts a new master, of the binary that is run here or of another one, and hands
it the listeners, the workers and the connections that no worker has taken. The
workers go on; hachaos cluster reload replaces them by the new binary's.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if binary == "" {
				self, err := os.Executable()
				if err != nil {
					return runError(err)
				}
				binary = self
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), heard()...)
			defer stop()
			client := cluster.Client{Dir: f.dir}
			if err := client.Upgrade(ctx, binary); err != nil {
				return runError(err)
			}
			status, err := client.Status(ctx)
			if err != nil {
				return runError(err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "process %d is master now\n", status.PID)
			return printed(err)
		},
	}
	cmd.Flags().StringVar(&binary, "binary", "", "`PATH` of the new binary; this one by default")
	return cmd
}

func (f *clusterFlags) stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "Let the cluster finish what it has and end",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), heard()...)
			defer stop()
			if err := (cluster.Client{Dir: f.dir}).Stop(ctx); err != nil {
				return runError(err)
			}
			return nil
		},
	}
}
