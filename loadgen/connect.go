package loadgen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/hachaos/hachaos/loadgen/http1"
)

// Connect says how connections are made. The zero value connects to the
// target's host from any local address.
type Connect struct {
	Local   netip.Addr // connections come from it; zero: the system's choice
	Buffers int        // bytes of a socket's buffers; 0: the system's choice

	// Proxy is host:port of an HTTP proxy: http requests are sent to it, https
	// ones through a tunnel that it opens.
	Proxy              string
	ProxyAuthorization string // value of Proxy-Authorization, or ""

	// Via is host:port that connections go to in place of the URL's own. What is
	// sent over them stays the same: a TCP proxy before the target takes it on.
	Via string

	NoSNI bool // TLS connections do not tell which name they ask for

	// Trace, if set, is given all that is sent and received, before encryption
	// and after decryption. Calls for different connections may overlap.
	Trace func(sent bool, b []byte) `json:"-"`
}

// through returns e as requests to it are written when they go through a proxy.
func (c Connect) through(e endpoint) endpoint {
	if c.Proxy != "" && !e.tls {
		e.origin = "http://" + e.authority
		e.proxyUser = c.ProxyAuthorization
	}
	return e
}

// dialer returns what connects to e, or to the proxy before it.
func (c Connect) dialer(e endpoint) (*dialer, error) {
	host, port := e.host, e.port
	if c.Proxy != "" {
		var err error
		if host, port, err = net.SplitHostPort(c.Proxy); err != nil {
			return nil, fmt.Errorf("proxy %q is not host:port", c.Proxy)
		}
	}
	if c.Via != "" {
		var err error
		if host, port, err = net.SplitHostPort(c.Via); err != nil {
			return nil, fmt.Errorf("address %q is not host:port", c.Via)
		}
	}
	d, err := newDialer(host, port)
	if err != nil {
		return nil, err
	}
	d.buffers = c.Buffers
	if c.Local.IsValid() {
		d.local = netip.AddrPortFrom(c.Local, 0)
	}
	return d, nil
}

// tunnel returns the request for a tunnel to e.
func (c Connect) tunnel(e endpoint) ([]byte, error) {
	authority := net.JoinHostPort(e.host, e.port)
	fields := []http1.Field{{Name: "Host", Value: authority}}
	if c.ProxyAuthorization != "" {
		fields = append(fields, http1.Field{Name: "Proxy-Authorization", Value: c.ProxyAuthorization})
	}
	return http1.AppendRequest(nil, "CONNECT", authority, fields, "")
}

// traced tells of all that goes over a connection.
type traced struct {
	net.Conn
	tell func(sent bool, b []byte)
}

func (t traced) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	if n > 0 {
		t.tell(false, b[:n])
	}
	return n, err
}

func (t traced) Write(b []byte) (int, error) {
	n, err := t.Conn.Write(b)
	if n > 0 {
		t.tell(true, b[:n])
	}
	return n, err
}

// TLSOptions say what TLS connections ask for and accept. The zero value checks
// the server's certificate against the system's roots.
type TLSOptions struct {
	CA                     string // file of certificates (PEM) to trust instead of the system's
	Cert, Key              string // files (PEM) of the client's certificate and its key
	Insecure               bool   // accept any certificate
	ServerName             string // to ask for and to check, instead of the URL's host
	MinVersion, MaxVersion uint16 // as crypto/tls numbers them; 0: its defaults
	CipherSuites           []uint16
}

// Config reads the files and returns what [Options.TLS] takes. The error says
// which file cannot be used.
func (o TLSOptions) Config() (*tls.Config, error) {
	c := &tls.Config{
		InsecureSkipVerify: o.Insecure, ServerName: o.ServerName,
		MinVersion: o.MinVersion, MaxVersion: o.MaxVersion, CipherSuites: o.CipherSuites,
	}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("read the certificates to trust: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM form", o.CA)
		}
	}
	if o.Cert != "" {
		key := o.Key
		if key == "" {
			key = o.Cert
		}
		pair, err := tls.LoadX509KeyPair(o.Cert, key)
		if err != nil {
			return nil, fmt.Errorf("read the client's certificate %s: %w", o.Cert, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// hideName lets c tell no name to the server, and check it all the same.
func hideName(c *tls.Config) {
	name, insecure, roots := c.ServerName, c.InsecureSkipVerify, c.RootCAs
	c.ServerName, c.InsecureSkipVerify = "", true
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if insecure {
			return nil
		}
		if len(s.PeerCertificates) == 0 {
			return errors.New("the server showed no certificate")
		}
		between := x509.NewCertPool()
		for _, cert := range s.PeerCertificates[1:] {
			between.AddCert(cert)
		}
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between})
		return err
	}
}

// clientTLS returns t made ready for connections to host.
func (c Connect) clientTLS(t *tls.Config, host string, protocols ...string) *tls.Config {
	if t = t.Clone(); t == nil {
		t = &tls.Config{}
	}
	if t.ServerName == "" {
		t.ServerName = host
	}
	if c.NoSNI {
		hideName(t)
	}
	t.NextProtos = protocols
	return t
}
