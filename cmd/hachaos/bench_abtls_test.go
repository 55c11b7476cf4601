//go:build unix

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBenchPrintsOfTLSWhatAbPrints compares what both say of a connection over TLS,
// and what their options let them connect to.
func TestBenchPrintsOfTLSWhatAbPrints(t *testing.T) {
	ab := needAb(t)
	cert := testCertificate()
	client := filepath.Join(t.TempDir(), "client.pem")
	writeCertificate(t, client, cert)
	server := func(curve tls.CurveID, auth tls.ClientAuthType) string {
		url := fixedServer(t, &tls.Config{Certificates: []tls.Certificate{cert}, CurvePreferences: []tls.CurveID{curve}, ClientAuth: auth})
		return strings.Replace(url, "127.0.0.1", "localhost", 1)
	}
	plain, p256, asking := server(tls.X25519, tls.NoClientCert), server(tls.CurveP256, tls.NoClientCert), server(tls.X25519, tls.RequireAnyClientCert)
	for name, c := range map[string]struct {
		server string
		args   []string
	}{
		"plain":            {plain, []string{"-n20", "-c2", "/"}},
		"kept":             {plain, []string{"-n20", "-k", "/a?b=c"}},
		"by address":       {strings.Replace(plain, "localhost", "127.0.0.1", 1), []string{"-n5", "/"}},
		"no name":          {plain, []string{"-n5", "-I", "/"}},
		"another name":     {plain, []string{"-n5", "-H", "Host: example.com", "/"}},
		"P-256":            {p256, []string{"-n5", "/"}},
		"TLS 1.2":          {plain, []string{"-n5", "-f", "TLS1.2", "-Z", "ECDHE-RSA-AES128-GCM-SHA256", "/"}},
		"TLS 1.3":          {plain, []string{"-n5", "-f", "tls1.3", "/"}},
		"all":              {plain, []string{"-n5", "-fALL", "/"}},
		"AES 256":          {p256, []string{"-n5", "-f", "TLS1.2", "-Z", "ECDHE-RSA-AES256-GCM-SHA384", "/"}},
		"ChaCha20":         {plain, []string{"-n5", "-f", "TLS1.2", "-Z", "ECDHE-RSA-CHACHA20-POLY1305", "/"}},
		"two suites":       {plain, []string{"-n5", "-f", "TLS1.2", "-Z", "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA", "/"}},
		"its own":          {asking, []string{"-n5", "-E", client, "/"}},
		"its own, TLS 1.2": {asking, []string{"-n5", "-k", "-f", "TLS1.2", "-Z", "ECDHE-RSA-AES128-GCM-SHA256", "-E", client, "/"}},
		"html":             {plain, []string{"-w", "-n5", "/"}},
	} {
		t.Run(name, func(t *testing.T) { compareWithAb(t, ab, c.server, c.args, "--insecure") })
	}
}

// testCertificate is that of httptest, of 2,048 bits.
func testCertificate() tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0]
}

// writeCertificate writes a certificate and its key into one file.
func writeCertificate(t *testing.T, path string, cert tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
