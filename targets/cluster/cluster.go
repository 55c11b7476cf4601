// Package cluster is the reference cluster: a master process that starts,
// replaces and reloads worker processes, and lets connections reach them.
//
// [RunMaster] is the whole master and [RunWorker] a whole worker; both are
// commands of the same binary. The master starts workers (spawn.go, restart.go),
// each of which dials it over a socket (wire.go, link.go) and says when it is
// ready. Connections come to a worker in one of four ways: the master accepts
// them and hands them over (dispatch_handoff.go), all workers accept on one
// inherited listener (dispatch_shared.go), each slot has a listener of its own on
// the same port (dispatch_reuseport.go), or the master passes requests on as an
// HTTP proxy (dispatch_proxy.go). [Client] asks a running master for
// its status and gives it orders (control.go).
//
// What workers count survives them in a page that they share with the master,
// see package page.
package cluster

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hachaos/hachaos/targets/page"
)

// Lifeline is how long a worker goes on without a master.
const Lifeline = 30 * time.Second

// NoAdmin as [Options].Admin leaves the admin address out.
const NoAdmin = "none"

// Options say what a master runs, and where it can be reached.
type Options struct {
	Config Config
	// Listen is the address for clients, host:port; port 0 chooses one.
	Listen string
	// Admin is the address for monitors: /health, /health/detailed, /ready, /live
	// and /metrics; empty or [NoAdmin] for none.
	Admin string
	// Dir holds the control socket, the workers' socket and the pipes for what they
	// print. It is made if need be, belongs to this user alone, and serves one master
	// at a time. Its path is short: a socket's path has some 100 bytes. A disk that it
	// is on holds up the start of workers when it stalls.
	Dir string
	// Seed decides when workers crash that are to crash.
	Seed uint64
	// Command starts a worker: program and arguments.
	Command []string
	// Standby starts a standby (see [RunStandby]): program and arguments. It may be
	// empty if there is to be none, and no upgrade.
	Standby []string
	// Page is the page of counters of whoever watches this master, which owns it
	// from now on; nil lets it make one.
	Page *page.Page
	// Output is where workers write what they print; nil is this process's
	// standard error.
	Output *os.File
	// Ready is told once, in one line of JSON (see [Ready]), when the master
	// listens and can be controlled; its workers need not be ready then. May be nil.
	Ready io.Writer
	// Lifeline is how long a worker goes on without a master; 0 is [Lifeline].
	Lifeline time.Duration
	Log      *slog.Logger
}

// Ready is what a master says when it listens.
type Ready struct {
	PID     int    `json:"pid"`
	Address string `json:"address"`
	TLS     bool   `json:"tls"`   // clients speak TLS
	Admin   string `json:"admin"` // for monitors; empty: there is none
}

// URL is where clients find the service.
func (r Ready) URL() string { return serviceURL(r.TLS, r.Address) }

func serviceURL(tls bool, address string) string {
	if tls {
		return "https://" + address + "/"
	}
	return "http://" + address + "/"
}

// maxDir leaves room for the names of the sockets below the 104 bytes that
// every Unix allows (BSD and macOS have the fewest).
const maxDir = 104 - len("/control.sock") - 1

func (o *Options) setDefaults() {
	o.Config.SetDefaults()
	o.Config.Workers = Workers(o.Config.Workers.Number())
	if o.Lifeline == 0 {
		o.Lifeline = Lifeline
	}
	if o.Output == nil {
		o.Output = os.Stderr
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func (o *Options) check() error {
	mistakes := []error{o.Config.Validate()}
	if err := o.Config.checkProgram(); err != nil {
		mistakes = append(mistakes, err)
	}
	if len(o.Command) == 0 {
		mistakes = append(mistakes, errors.New("there is no command that starts a worker"))
	}
	if o.Config.Standby != "none" {
		if err := standbySupported(); err != nil {
			mistakes = append(mistakes, err)
		}
		if len(o.Standby) == 0 {
			mistakes = append(mistakes, errors.New("there is no command that starts a standby"))
		}
	}
	if len(o.Dir) > maxDir {
		mistakes = append(mistakes, fmt.Errorf("the control directory's path %s has %d bytes; sockets in it allow %d (choose a shorter one)", o.Dir, len(o.Dir), maxDir))
	}
	return errors.Join(mistakes...)
}

// DefaultDir is the control directory of a cluster that was given none:
// hachaos in the user's runtime directory, or one of the user's own in the
// directory for temporary files.
func DefaultDir() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "hachaos")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("hachaos-%d", os.Getuid()))
}

func controlSocket(dir string) string { return filepath.Join(dir, "control.sock") }
func workerSocket(dir string) string  { return filepath.Join(dir, "workers.sock") }
func lockFile(dir string) string      { return filepath.Join(dir, "lock") }
