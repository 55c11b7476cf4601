package bench

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/hachaos/hachaos/loadgen"
)

// versions are the protocols of ab's -f that are still to be had.
var versions = map[string]uint16{
	"TLS1": tls.VersionTLS10, "TLS1.0": tls.VersionTLS10, "TLS1.1": tls.VersionTLS11,
	"TLS1.2": tls.VersionTLS12, "TLS1.3": tls.VersionTLS13,
}

// openSSLNames are OpenSSL's names of the cipher suites that Go has.
var openSSLNames = map[string]uint16{
	"RC4-SHA":                       tls.TLS_RSA_WITH_RC4_128_SHA,
	"DES-CBC3-SHA":                  tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	"AES128-SHA256":                 tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-RC4-SHA":           tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA,
	"ECDHE-RSA-RC4-SHA":             tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA,
	"ECDHE-RSA-DES-CBC3-SHA":        tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,
	"ECDHE-ECDSA-AES128-SHA256":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-RSA-AES128-SHA256":       tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
}

func (o Options) tls() (loadgen.TLSOptions, error) {
	t := loadgen.TLSOptions{
		CA: o.CA, Insecure: o.Insecure, ServerName: orDefault(o.SNI, o.hostHeader()),
		Cert: orDefault(o.Cert, o.CertFile), Key: o.Key,
	}
	if o.Protocol != "" && !strings.EqualFold(o.Protocol, "ALL") {
		v, ok := versions[strings.ToUpper(o.Protocol)]
		if !ok {
			return t, fmt.Errorf("-f %s: there are TLS1, TLS1.1, TLS1.2, TLS1.3 and ALL", o.Protocol)
		}
		t.MinVersion, t.MaxVersion = v, v
	} else if o.Protocol != "" {
		t.MinVersion = tls.VersionTLS10
	}
	if o.Ciphers != "" {
		for _, name := range strings.FieldsFunc(o.Ciphers, func(r rune) bool { return r == ':' || r == ',' }) {
			id, ok := cipher(name)
			if !ok {
				return t, fmt.Errorf("-Z %s: the cipher suite is not known (such as ECDHE-RSA-AES128-GCM-SHA256; those of TLS 1.3 cannot be chosen)", name)
			}
			t.CipherSuites = append(t.CipherSuites, id)
		}
	}
	_, err := t.Config() // read now, so that a wrong file is found before any load
	return t, err
}

// hostHeader is the name in the Host header that was given by hand, which ab asks
// for over TLS too; "" if there is none, or it is an address.
func (o Options) hostHeader() string {
	for _, line := range o.Headers {
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(name), "Host") {
			continue
		}
		u := url.URL{Host: strings.TrimSpace(value)}
		if _, err := netip.ParseAddr(u.Hostname()); err != nil {
			return u.Hostname()
		}
	}
	return ""
}

// cipher finds a suite by OpenSSL's name or by IANA's.
func cipher(name string) (uint16, bool) {
	if id, ok := openSSLNames[name]; ok {
		return id, true
	}
	suites := slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites())
	for _, s := range suites {
		if s.Name == name && !slices.Equal(s.SupportedVersions, []uint16{tls.VersionTLS13}) {
			return s.ID, true
		}
	}
	return 0, false
}

// describeTLS says of a connection what ab says of it.
func describeTLS(s *tls.ConnectionState) (protocol, key string) {
	if s == nil {
		return "", ""
	}
	name := tls.CipherSuiteName(s.CipherSuite)
	bits, server := 128, 0
	switch {
	case strings.Contains(name, "256_"), strings.Contains(name, "CHACHA20"):
		bits = 256
	case strings.Contains(name, "3DES"):
		bits = 112 // that it is worth
	}
	for open, id := range openSSLNames {
		if id == s.CipherSuite {
			name = open
		}
	}
	if len(s.PeerCertificates) > 0 {
		server = keyBits(s.PeerCertificates[0].PublicKey)
	}
	version := strings.Replace(tls.VersionName(s.Version), "TLS ", "TLSv", 1)
	protocol = fmt.Sprintf("%s,%s,%d,%d", strings.TrimSuffix(version, ".0"), name, server, bits)
	if curve, ok := curves[s.CurveID]; ok {
		key = curve
	}
	return protocol, key
}

var curves = map[tls.CurveID]string{
	tls.X25519: "X25519 253 bits", tls.CurveP256: "ECDH prime256v1 256 bits", tls.CurveP384: "ECDH secp384r1 384 bits",
	tls.CurveP521: "ECDH secp521r1 521 bits", tls.X25519MLKEM768: "X25519MLKEM768",
}
