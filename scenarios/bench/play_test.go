package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/reports"
)

func TestCountsAddUp(t *testing.T) {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) % 10 {
		case 3:
			w.WriteHeader(503)
		case 5:
			_, _ = io.WriteString(w, "longer than the others")
		case 7:
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, "hello")
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer srv.Close()
	out, c := mustPlay(t, Options{Requests: 100, Concurrency: 1, GoOn: true, NoProbe: true}, srv.URL)
	f := out.Figures
	if f.Complete != 100 || f.Lost != 10 || f.Non2xx != 10 || f.Length != 20 || f.Receive != 10 || f.Connect+f.Exceptions != 0 || f.Document != 5 || f.Failed() != 30 {
		t.Errorf("%+v", f)
	}
	if r := out.Recording; r.Failed != 20 || r.Failures[loadgen.CauseStatus] != 10 || r.Failures[loadgen.CauseClosed] != 10 || r.Retried != 0 {
		t.Errorf("%d failed, %v, %d retried", r.Failed, r.Failures, r.Retried)
	}
	var text bytes.Buffer
	if err := out.Text(&text, c, reports.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Failed requests:        30\n   (Connect: 0, Receive: 10, Length: 20, Exceptions: 0)\nNon-2xx responses:      10\n",
		" AVAILABILITY   80.00 %   20 of 100 requests failed (closed 10, status 10), 0 retried",
		"Failures by cause\n  closed               10   10.00 %\n  status               10   10.00 %\n",
		"first status: 503 Service Unavailable",
		"Latency of good answers\n  up to ",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in\n%s", want, text.String())
		}
	}
}

// TestResultsAreWholeAndInOrder reads what -o results.bin holds as vegeta does.
func TestResultsAreWholeAndInOrder(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	defer srv.Close()
	out, _ := mustPlay(t, Options{Requests: 500, Concurrency: 8, KeepAlive: true, NoProbe: true}, srv.URL+"/a?b=c")
	var b bytes.Buffer
	if err := out.WriteBin(&b); err != nil {
		t.Fatal(err)
	}
	decode := vegeta.NewDecoder(&b)
	var metrics vegeta.Metrics
	last := time.Time{}
	for seq := uint64(0); ; seq++ {
		var r vegeta.Result
		if err := decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if r.Seq != seq || r.Timestamp.Before(last) || r.URL != srv.URL+"/a?b=c" || r.Code != 200 || r.BytesIn != 5 {
			t.Fatalf("result %d: %+v after %v", seq, r, last)
		}
		last = r.Timestamp
		metrics.Add(&r)
	}
	metrics.Close()
	if metrics.Requests != 500 || metrics.Success != 1 {
		t.Errorf("vegeta reports %+v", metrics)
	}
}

func TestTargets(t *testing.T) {
	type seen struct{ method, uri, header, body string }
	var mu sync.Mutex
	got := map[seen]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		got[seen{r.Method, r.RequestURI, r.Header.Get("X-A"), string(body)}]++
		mu.Unlock()
	}))
	defer srv.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "body"), []byte("a body"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"http": "GET URL/a?b=%20c\nX-A: one\n\nPOST URL/p\n@" + filepath.Join(dir, "body") + "\n",
		"json": `{"method":"GET","url":"URL/a?b=%20c","header":{"X-A":["one"]}}` + "\n" + `{"method":"POST","url":"URL/p","body":"YSBib2R5"}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			mu.Lock()
			clear(got)
			mu.Unlock()
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "URL", srv.URL)), 0o600); err != nil {
				t.Fatal(err)
			}
			out, _ := mustPlay(t, Options{Targets: file, Requests: 60, Concurrency: 4, KeepAlive: true, NoProbe: true}, "")
			mu.Lock()
			defer mu.Unlock()
			one, two := got[seen{"GET", "/a?b=%20c", "one", ""}], got[seen{"POST", "/p", "", "a body"}]
			if one+two != 60 || one == 0 || two == 0 || out.Recording.OK != 60 || out.Page.Path != "2 targets" {
				t.Errorf("%v, %d good", got, out.Recording.OK)
			}
		})
	}
}

// TestOutagesBesideTheLoad lets the service refuse for a while, under a load that
// goes on: the prober's outage is in the report.
func TestOutagesBesideTheLoad(t *testing.T) {
	var down atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(503)
		}
	}))
	defer srv.Close()
	done := make(chan bool)
	go func() {
		defer close(done)
		for _, state := range []bool{true, false} {
			select {
			case <-time.After(700 * time.Millisecond):
			case <-t.Context().Done():
				return
			}
			down.Store(state)
		}
	}()
	out, _ := mustPlay(t, Options{Rate: 50, TimeLimit: 3 * time.Second, KeepAlive: true, GoOn: true}, srv.URL)
	<-done
	a := out.Report.Availability
	if a.Uptime == nil || *a.Uptime >= 1 || len(a.Outages) == 0 || out.Recording.Failures[loadgen.CauseStatus] == 0 {
		t.Errorf("%+v, %v", a, out.Recording.Failures)
	}
	if l := out.Report.Load[0]; l.Model != "open" || l.Rate != 50 || l.Requests.Sent != 150 {
		t.Errorf("%+v", l)
	}
	if tg := out.Report.Target; tg.Kind != "url" || tg.URL != srv.URL {
		t.Errorf("%+v", tg)
	}
}

// TestStallIsSeenInTheLatency lets the service stand still for 2 s under open
// load: the requests that were due meanwhile have waited, though each was served
// at once when it was sent.
func TestStallIsSeenInTheLatency(t *testing.T) {
	ready := make(chan bool)
	var once sync.Once
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { time.AfterFunc(2*time.Second, func() { close(ready) }) })
		<-ready
	}))
	defer srv.Close()
	out, _ := mustPlay(t, Options{Rate: 100, TimeLimit: 4 * time.Second, Concurrency: 4, KeepAlive: true, NoProbe: true}, srv.URL)
	l := out.Report.Load[0]
	if l.Requests.OK != 400 || l.LatencyMS.P99 < 1800 || l.LatencyMS.P90 < 1000 || l.ServiceMS.P90 > l.LatencyMS.P90/2 {
		t.Errorf("%+v, latency %+v, service %+v", l.Requests, l.LatencyMS, l.ServiceMS)
	}
}

func TestWhicheverComesFirst(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	out, _ := mustPlay(t, Options{Requests: 10, TimeLimit: time.Minute, NoProbe: true}, srv.URL)
	if out.Recording.Sent != 10 {
		t.Errorf("-n first: %d", out.Recording.Sent)
	}
	out, _ = mustPlay(t, Options{Requests: 1 << 40, TimeLimit: short, NoProbe: true}, srv.URL)
	if n := out.Recording.Sent; n == 0 || n == 1<<40 {
		t.Errorf("-t first: %d", n)
	}
}

// TestTLSOptions plays against a server that wants a client's certificate.
func TestTLSOptions(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 1 {
			w.Header().Set("X-Name", r.TLS.ServerName)
		} else {
			w.WriteHeader(403)
		}
	}))
	var names sync.Map
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		names.Store(h.ServerName, true)
		return nil, nil
	}}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	cert := srv.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "both.pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(file, both, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o     Options
		cause loadgen.Cause
	}{
		"unknown certificate": {Options{}, loadgen.CauseTLS},
		"no client's":         {Options{Insecure: true}, loadgen.CauseStatus},
		"insecure":            {Options{Insecure: true, CertFile: file}, loadgen.CauseNone},
		"trusted":             {Options{CA: file, CertFile: file, SNI: "example.com"}, loadgen.CauseNone},
		"wrong name":          {Options{CA: file, CertFile: file, SNI: "other.test"}, loadgen.CauseTLS},
		"no name sent":        {Options{CA: file, CertFile: file, NoSNI: true}, loadgen.CauseNone},
		"TLS 1.2, one suite":  {Options{CA: file, CertFile: file, SNI: "example.com", Protocol: "TLS1.2", Ciphers: "ECDHE-RSA-AES256-GCM-SHA384"}, loadgen.CauseNone},
		"HTTP/2 not offered":  {Options{Insecure: true, HTTP2: true, CertFile: file}, loadgen.CauseTLS},
	} {
		t.Run(name, func(t *testing.T) {
			names.Clear()
			c.o.Requests, c.o.GoOn = 3, true
			if c.o.ProbeEvery = 250 * time.Millisecond; c.cause != loadgen.CauseNone {
				c.o.NoProbe, c.o.ProbeEvery = true, 0
			}
			out, _ := mustPlay(t, c.o, srv.URL)
			r := out.Recording
			if c.cause == loadgen.CauseNone && r.OK != 3 || c.cause != loadgen.CauseNone && r.Failures[c.cause] != 3 {
				t.Errorf("%d good, %v, %v", r.OK, r.Failures, r.Examples)
			}
			if _, sent := names.Load(c.o.SNI); !sent {
				t.Errorf("the server was asked for another name than %q", c.o.SNI)
			}
			for _, p := range out.Report.Probes {
				if p.Failures["tls"] > 0 || p.Failures["status"] > 0 {
					t.Errorf("the prober connects otherwise: %+v", p)
				}
			}
			if c.o.Protocol != "" && !strings.HasPrefix(out.Page.TLS, "TLSv1.2,ECDHE-RSA-AES256-GCM-SHA384,2048,256") {
				t.Errorf("TLS line %q", out.Page.TLS)
			}
		})
	}
}

// TestThroughProxy goes to https through a tunnel, and to http by whole URLs.
func TestThroughProxy(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") })
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer secure.Close()
	var tunnels, forwarded atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "Basic dTpw" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if r.Method != "CONNECT" {
			forwarded.Add(1)
			if r.URL.String() != plain.URL+"/x" {
				w.WriteHeader(400)
			}
			return
		}
		tunnels.Add(1)
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(502)
			return
		}
		defer up.Close()
		down, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer down.Close()
		_, _ = io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(up, down)
			up.Close()
		}()
		_, _ = io.Copy(down, up)
	}))
	defer proxy.Close()
	at := strings.TrimPrefix(proxy.URL, "http://")
	for _, url := range []string{plain.URL, secure.URL} {
		out, _ := mustPlay(t, Options{Requests: 5, Proxy: at, ProxyAuth: "u:p", Insecure: true, NoProbe: true, GoOn: true}, url+"/x")
		if out.Recording.OK != 5 {
			t.Errorf("%s: %d good, %v", url, out.Recording.OK, out.Recording.Examples)
		}
	}
	if tunnels.Load() != 5 || forwarded.Load() != 5 {
		t.Errorf("%d tunnels, %d forwarded", tunnels.Load(), forwarded.Load())
	}
	out, _ := mustPlay(t, Options{Requests: 2, Proxy: at, Insecure: true, NoProbe: true, GoOn: true}, secure.URL)
	if r := out.Recording; r.Failures[loadgen.CauseOther] != 2 || !strings.Contains(r.Examples[loadgen.CauseOther], "407") {
		t.Errorf("refused: %v %v", r.Failures, r.Examples)
	}
}

func TestInterrupted(t *testing.T) {
	url := serve(t, silent)
	c := mustConfig(t, Options{TimeLimit: time.Hour, Timeout: time.Hour, Concurrency: 2, NoProbe: true}, url)
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	out, err := (&Player{}).Play(ctx, c, false)
	if err != nil || out.Report.Verdict != reports.Interrupted || out.Recording.Sent != 0 || out.Broken != nil {
		t.Errorf("%v, %+v", err, out)
	}
}

// A prober that ends early saw too little to judge by, here as in a run.
func TestBlindProber(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := (&Player{Self: []string{self, "dies"}}).Play(t.Context(), mustConfig(t, Options{Requests: 5}, srv.URL), false)
	if err != nil {
		t.Fatal(err)
	}
	if r := out.Report; r.Verdict != reports.Inconclusive || len(r.Reasons) == 0 || !strings.Contains(r.Reasons[0], "the prober ended") {
		t.Errorf("verdict %s, reasons %q, warnings %q", r.Verdict, r.Reasons, r.Warnings)
	}
}

// TestNoSecretsInTheReport gives passwords in every place there is.
func TestNoSecretsInTheReport(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "u" || password != "sesame" {
			w.WriteHeader(401)
		}
	}))
	defer srv.Close()
	out, _ := mustPlay(t, Options{Requests: 5, NoProbe: true}, strings.Replace(srv.URL, "//", "//u:sesame@", 1))
	var b bytes.Buffer
	if err := reports.Write(&b, out.Report); err != nil {
		t.Fatal(err)
	}
	if err := out.WriteBin(&b); err != nil {
		t.Fatal(err)
	}
	if out.Recording.OK != 5 || strings.Contains(b.String(), "sesame") || strings.Contains(b.String(), "dTpzZXNhbWU") {
		t.Errorf("%d good; the report: %s", out.Recording.OK, b.String())
	}
}
