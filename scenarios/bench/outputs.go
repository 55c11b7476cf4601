package bench

import (
	"errors"
	"io"
	"net/url"

	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/loadgen/ab"
	"github.com/hachaos/hachaos/loadgen/results"
	"github.com/hachaos/hachaos/reports"
)

// WriteFiles writes the files of -g and -e.
func (o *Outcome) WriteFiles(c *Config) error {
	var errs []error
	if c.Gnuplot != "" {
		errs = append(errs, reports.WriteFile(c.Gnuplot, o.gnuplot))
	}
	if c.CSV != "" {
		errs = append(errs, reports.WriteFile(c.CSV, func(w io.Writer) error { return ab.Percentiles(w, o.Figures) }))
	}
	return errors.Join(errs...)
}

func (o *Outcome) gnuplot(w io.Writer) error {
	if _, err := io.WriteString(w, ab.GnuplotHead); err != nil {
		return err
	}
	var line []byte
	return o.log.Each(results.ByLatency, func(_ int64, e *results.Entry) error {
		line = ab.AppendGnuplot(line[:0], o.attack.Started.Add(e.Start), e.Connect, e.Latency, e.Wait)
		_, err := w.Write(line)
		return err
	})
}

// WriteBin writes every request in vegeta's encoding. It needs an outcome that
// kept everything.
func (o *Outcome) WriteBin(w io.Writer) error { return o.log.Vegeta(w, o.attack) }

// server is the URL without user info, path and what follows.
func (c *Config) server() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return "" // never: it was parsed before
	}
	return u.Scheme + "://" + u.Host
}

// requests are the stream's with whole paths.
func (c *Config) requests() []loadgen.Request {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil // never: it was parsed before
	}
	list := make([]loadgen.Request, len(c.Stream.Requests))
	for i, r := range c.Stream.Requests {
		r.SetDefaults()
		if r.Path == "/" {
			r.Path = u.RequestURI()
		}
		list[i] = r
	}
	return list
}

// secrets are what must not be read in a report.
func (c *Config) secrets() []string {
	var list []string
	if u, err := url.Parse(c.URL); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok && password != "" {
			list = append(list, password)
		}
	}
	return list
}
