package bench

import (
	"time"

	"github.com/hachaos/hachaos/reports/units"
)

// Options are what a user asks for, one field for each flag of the command.
// What is left at its zero value was not asked for.
type Options struct {
	// As ab names them, by letter.
	Requests      int64         // -n
	Concurrency   int           // -c
	TimeLimit     time.Duration // -t
	Timeout       time.Duration // -s
	Window        int           // -b, bytes
	Bind          string        // -B
	PostFile      string        // -p
	PutFile       string        // -u
	ContentType   string        // -T
	Verbosity     int           // -v
	HTML          bool          // -w
	Head          bool          // -i
	Table         string        // -x
	Row           string        // -y
	Cell          string        // -z
	Cookies       []string      // -C
	Headers       []string      // -H
	Auth          string        // -A
	ProxyAuth     string        // -P
	Proxy         string        // -X
	KeepAlive     bool          // -k
	NoPercentiles bool          // -d
	NoConfidence  bool          // -S
	Quiet         bool          // -q
	Variable      bool          // -l
	Gnuplot       string        // -g
	CSV           string        // -e
	GoOn          bool          // -r
	Method        string        // -m
	NoSNI         bool          // -I
	Ciphers       string        // -Z
	Protocol      string        // -f
	CertFile      string        // -E

	// Beyond ab.
	Rate        units.Rate
	Ramp        string // FROM..TO
	RampUp      time.Duration
	Targets     string // file of vegeta's targets
	Until       string // an objective
	HTTP2       bool
	CA          string
	Insecure    bool
	Cert, Key   string
	SNI         string
	NoProbe     bool
	ProbeEvery  time.Duration
	AllowRemote bool
	Seed        uint64
}
