//go:build unix

package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// selfSignedFor is how long a certificate that the proxy signs itself is good.
const selfSignedFor = 365 * 24 * time.Hour

// secrets are what a proxy makes up for itself. Each master hands them on to the
// next, so that clients go on trusting its certificate and keep their workers.
type secrets struct {
	Certificate []byte `json:"certificate,omitempty"` // DER, signed by its own key
	Key         []byte `json:"key,omitempty"`         // of the certificate, PKCS #8
	Cookies     []byte `json:"cookies,omitempty"`     // signs them
}

// complete makes what c asks for and nobody has made. The certificate is good for
// localhost and host.
func (s *secrets) complete(c Config, host string) error {
	if c.Sticky != nil && c.Sticky.Key == "" && len(s.Cookies) == 0 {
		s.Cookies = make([]byte, sha256.Size)
		_, _ = rand.Read(s.Cookies) // it never fails
	}
	if c.TLS == nil || !c.TLS.SelfSigned || len(s.Certificate) > 0 {
		return nil
	}
	var err error
	if s.Certificate, s.Key, err = selfSigned(host); err != nil {
		return fmt.Errorf("tls: sign a certificate: %w", err)
	}
	return nil
}

// pair is the certificate that was made.
func (s *secrets) pair() (tls.Certificate, error) {
	key, err := x509.ParsePKCS8PrivateKey(s.Key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the key of the certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{s.Certificate}, PrivateKey: key}, nil
}

func selfSigned(host string) (certificate, private []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "hachaos"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(selfSignedFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		c.IPAddresses = append(c.IPAddresses, ip)
	} else if host != "" {
		c.DNSNames = append(c.DNSNames, host)
	}
	if certificate, err = x509.CreateCertificate(rand.Reader, c, c, key.Public(), key); err != nil {
		return nil, nil, err
	}
	private, err = x509.MarshalPKCS8PrivateKey(key)
	return certificate, private, err
}
