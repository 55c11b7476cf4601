package netproxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// ask sends a request and returns the answer's status and body.
func ask(t testing.TB, method, url, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAPIAnswersAsToxiproxyDoes(t *testing.T) {
	s, url := api(t)
	taken := newUpstream(t).addr()
	var listen string
	for _, c := range []struct {
		request, body string
		status        int
		answer        string
	}{
		{"GET /proxies", "", 200, `{}`},
		{"POST /proxies", ``, 400, `{"error":"bad request body: EOF","status":400}` + "\n"},
		{"POST /proxies", `{`, 400, `{"error":"bad request body: unexpected EOF","status":400}` + "\n"},
		{"POST /proxies", `{"name":""}`, 400, `{"error":"missing required field: name","status":400}` + "\n"},
		{"POST /proxies", `{"name":"a"}`, 400, `{"error":"missing required field: upstream","status":400}` + "\n"},
		{"POST /proxies", `{"name":"a","upstream":"x:1","listen":"` + taken + `"}`, 500, `{"error":"listen tcp ` + taken + `: bind: address already in use","status":500}` + "\n"},
		{"POST /proxies", `{"name":"a","upstream":"x:1","listen":"127.0.0.1:0"}`, 201, `{"name":"a","listen":"LISTEN","upstream":"x:1","enabled":true,"toxics":[]}`},
		{"POST /proxies", `{"name":"a","upstream":"x:1"}`, 409, `{"error":"proxy already exists","status":409}` + "\n"},
		{"POST /proxies", `{"name":"off","upstream":"x:1","listen":"localhost:3","enabled":false}`, 201, `{"name":"off","listen":"localhost:3","upstream":"x:1","enabled":false,"toxics":[]}`},
		{"DELETE /proxies/off", "", 204, ""},
		{"GET /proxies/a", "", 200, `{"name":"a","listen":"LISTEN","upstream":"x:1","enabled":true,"toxics":[]}`},
		{"GET /proxies/b", "", 404, `{"error":"proxy not found","status":404}` + "\n"},
		{"GET /proxies/a/toxics", "", 200, `[]`},
		{"POST /proxies/a/toxics", `{"type":"latency","stream":"UPSTREAM","attributes":{"latency":5,"what":1}}`, 200, `{"attributes":{"latency":5,"jitter":0},"name":"latency_UPSTREAM","type":"latency","stream":"UPSTREAM","toxicity":1}`},
		{"PATCH /proxies/a/toxics/latency_UPSTREAM", `{"attributes":{"jitter":2}}`, 200, `{"attributes":{"latency":5,"jitter":2},"name":"latency_UPSTREAM","type":"latency","stream":"UPSTREAM","toxicity":1}`},
		{"POST /proxies/a/toxics/latency_UPSTREAM", `{"toxicity":0.5}`, 200, `{"attributes":{"latency":5,"jitter":2},"name":"latency_UPSTREAM","type":"latency","stream":"UPSTREAM","toxicity":0.5}`},
		{"POST /proxies/a/toxics", `{"type":"noop","name":"n"}`, 200, `{"attributes":{},"name":"n","type":"noop","stream":"downstream","toxicity":1}`},
		{"POST /proxies/a/toxics", `{"type":"noop","name":"n"}`, 409, `{"error":"toxic already exists","status":409}` + "\n"},
		{"POST /proxies/a/toxics", `{"type":"nope"}`, 400, `{"error":"invalid toxic type","status":400}` + "\n"},
		{"POST /proxies/a/toxics", `{"type":"noop","stream":""}`, 400, `{"error":"stream was invalid, can be either upstream or downstream","status":400}` + "\n"},
		{"POST /proxies/a/toxics", `{"type":"latency","name":"bad","attributes":{"latency":-1}}`, 400, `{"error":"bad request body: latency: latency -1 is negative","status":400}` + "\n"},
		{"POST /proxies/a/toxics", `{"type":"latency","name":"bad","toxicity":-0.5}`, 400, `{"error":"bad request body: toxicity -0.5: from 0 to 1","status":400}` + "\n"},
		{"POST /proxies/a/toxics", `{"type":"corrupt","attributes":{"rat":1}}`, 400, `{"error":"bad request body: json: unknown field \"rat\"","status":400}` + "\n"},
		{"GET /proxies/a/toxics/n", "", 200, `{"attributes":{},"name":"n","type":"noop","stream":"downstream","toxicity":1}`},
		{"GET /proxies/a/toxics/m", "", 404, `{"error":"toxic not found","status":404}` + "\n"},
		{"DELETE /proxies/a/toxics/n", "", 204, ""},
		{"DELETE /proxies/a/toxics/n", "", 404, `{"error":"toxic not found","status":404}` + "\n"},
		{"PATCH /proxies/a", `{"enabled":false}`, 200, `{"name":"a","listen":"LISTEN","upstream":"x:1","enabled":false,"toxics":[{"attributes":{"latency":5,"jitter":2},"name":"latency_UPSTREAM","type":"latency","stream":"UPSTREAM","toxicity":0.5}]}`},
		{"POST /reset", "", 204, ""},
		{"GET /proxies", "", 200, `{"a":{"name":"a","listen":"LISTEN","upstream":"x:1","enabled":true,"toxics":[]}}`},
		{"POST /populate", `[]`, 201, `{"proxies":null}`},
		{"POST /populate", `[{"name":"p","upstream":"x:1","listen":"nowhere"}]`, 500, `{"error":"listen tcp: address nowhere: missing port in address","status":500,"proxies":null}`},
		{"POST /populate", `[{"name":"a","upstream":"x:1","listen":"LISTEN"},{"upstream":"x:1"}]`, 400, `{"error":"missing required field: name at proxy 2","status":400,"proxies":null}`},
		{"POST /populate", `[{"name":"a","upstream":"x:1","listen":"LISTEN","enabled":false}]`, 201, `{"proxies":[{"name":"a","listen":"LISTEN","upstream":"x:1","enabled":true,"toxics":[]}]}`},
		{"GET /version", "", 200, "{\"version\": \"2.12.0\"}\n"},
		{"PUT /proxies", "", 405, "Method Not Allowed\n"},
		{"GET /nothing", "", 404, "404 page not found\n"},
		{"DELETE /proxies/a", "", 204, ""},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		status, answer := ask(t, method, url+path, strings.ReplaceAll(c.body, "LISTEN", listen))
		if p, err := s.Proxy("a"); err == nil && listen == "" {
			listen = p.Config().Listen
		}
		if want := strings.ReplaceAll(c.answer, "LISTEN", listen); status != c.status || answer != want {
			t.Errorf("%s %s:\n got %d %s\nwant %d %s", c.request, c.body, status, answer, c.status, want)
		}
	}
}

func TestBrowsersCannotDriveTheAPI(t *testing.T) {
	_, url := api(t)
	port := url[strings.LastIndex(url, ":")+1:]
	for _, c := range []struct {
		status int
		header []string
	}{
		{204, nil},
		{204, []string{"User-Agent", "Mozilla/5.0 (Windows NT; Windows NT 10.0) WindowsPowerShell/5.1"}},
		{204, []string{"Host", "localhost:8474"}},
		{204, []string{"Host", "toxiproxy:8474"}},
		{204, []string{"Host", "[::1]:8474"}},
		{204, []string{"Host", "api.localhost"}},
		{204, []string{"Sec-Fetch-Mode", "cors"}}, // Node.js sends it
		{204, []string{"Origin", "http://127.0.0.1:" + port}},
		{403, []string{"Host", "attacker.example:8474"}},
		{403, []string{"Host", "127.0.0.1.nip.io"}},
		{403, []string{"Origin", "http://attacker.example"}},
		{403, []string{"Origin", "http://localhost:3000"}},
		{403, []string{"Origin", "null"}},
		{403, []string{"Host", "attacker.example:8474", "Origin", "http://attacker.example:8474"}},
		{403, []string{"Sec-Fetch-Site", "cross-site"}},
		{403, []string{"Sec-Fetch-Site", "same-site"}},
	} {
		if status, answer := ask(t, "POST", url+"/reset", "", c.header...); status != c.status {
			t.Errorf("%v: %d %s, want %d", c.header, status, answer, c.status)
		}
	}
}

func TestAllowedHosts(t *testing.T) {
	s := newServer(t, Options{Hosts: []string{"chaos.example.com"}})
	for host, want := range map[string]bool{"chaos.example.com:1": true, "CHAOS.example.com": true, "other.example.com": false, "": true, "::1": true} {
		if s.knownHost(host) != want {
			t.Errorf("%q known: %v", host, !want)
		}
	}
}

func TestClientDrivesTheAPI(t *testing.T) {
	_, url := api(t)
	u := newUpstream(t)
	c, ctx := &Client{URL: url}, context.Background()
	p, err := c.Add(ctx, Config{Name: "a/b c", Listen: "127.0.0.1:0", Upstream: u.addr(), Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range Kinds() {
		a := kindNamed(kind).attributes()
		if a.check() != nil {
			continue // it must be told what to do
		}
		made, err := c.AddToxic(ctx, p.Name, Toxic{Attributes: a, Toxicity: 1})
		if err != nil || made.Type != kind {
			t.Errorf("add %s: %+v, %v", kind, made, err)
		}
		if err := c.RemoveToxic(ctx, p.Name, made.Name); err != nil {
			t.Error(err)
		}
	}
	for _, a := range []Attributes{
		&HTTPFault{Methods: Names{"GET", "HEAD"}, Status: 503, Probability: 0.5},
		&RedisFault{Commands: Names{"SET"}, Error: "OOM", Probability: 1},
		&PostgresFault{Error: "53300", Probability: 1},
		&Flapping{Down: 1, Up: 1000},
	} {
		made, err := c.AddToxic(ctx, p.Name, Toxic{Attributes: a, Stream: "upstream", Toxicity: 1})
		got, _ := json.Marshal(made.Attributes)
		if want, _ := json.Marshal(a); err != nil || string(got) != string(want) {
			t.Errorf("made %s of %s, %v", got, want, err)
		}
		if err := c.RemoveToxic(ctx, p.Name, made.Name); err != nil {
			t.Error(err)
		}
	}
	if status, answer := ask(t, "POST", url+"/proxies/a%2Fb%20c/toxics", `{"type":"redis","name":"text","attributes":{"commands":"get, set","delay":1}}`); status != 200 || !strings.Contains(answer, `"commands":["get","set"]`) {
		t.Errorf("names in one string: %d %s", status, answer)
	}
	if _, err := c.AddToxic(ctx, p.Name, Toxic{Name: "x", Attributes: &Latency{Latency: 3}, Toxicity: 1}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.UpdateToxic(ctx, p.Name, "x", &Latency{Latency: 4}, 0.5); err != nil || *got.Attributes.(*Latency) != (Latency{Latency: 4}) || got.Toxicity != 0.5 {
		t.Errorf("updated %+v, %v", got, err)
	}
	p.Enabled = false
	if p, err = c.Update(ctx, p.Config); err != nil || p.Enabled || len(p.Toxics) != 2 {
		t.Errorf("disabled %+v, %v", p, err)
	}
	if err := c.Reset(ctx); err != nil {
		t.Error(err)
	}
	if p, err = c.Proxy(ctx, p.Name); err != nil || !p.Enabled || len(p.Toxics) != 0 {
		t.Errorf("after reset %+v, %v", p, err)
	}
	if err := c.Remove(ctx, "none"); fmt.Sprint(err) != "proxy not found" {
		t.Errorf("remove nothing: %v", err)
	}
	if all, err := c.Proxies(ctx); err != nil || len(all) != 1 {
		t.Errorf("proxies %+v, %v", all, err)
	}
	if v, err := c.Version(ctx); err != nil || v != "2.12.0" {
		t.Errorf("version %q, %v", v, err)
	}
	if stats, err := c.Stats(ctx); err != nil || len(stats) != 1 || len(stats[0].Toxics) == 0 {
		t.Errorf("stats %+v, %v", stats, err)
	}
	if made, err := c.Populate(ctx, []Config{{Name: "z", Listen: "127.0.0.1:0", Upstream: u.addr(), Enabled: true}}); err != nil || len(made) != 1 {
		t.Errorf("populate %+v, %v", made, err)
	}
}

func TestMetricsProveTheTraffic(t *testing.T) {
	s, url := api(t)
	p, client, server := link(t, s)
	addToxic(t, p, Upstream, &Corrupt{Rate: 1})
	write(t, client, "0123456789")
	if _, err := io.ReadFull(server, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	// What was sent is counted a moment after it was.
	eventually(t, "all is counted", func() bool { return p.Stats().Upstream.Sent == 10 })
	_, text := get(t, url+"/metrics")
	c := p.Config()
	for _, want := range []string{
		fmt.Sprintf(`toxiproxy_proxy_received_bytes_total{direction="upstream",listener=%q,proxy="p",upstream=%q} 10`, c.Listen, c.Upstream),
		fmt.Sprintf(`toxiproxy_proxy_sent_bytes_total{direction="upstream",listener=%q,proxy="p",upstream=%q} 10`, c.Listen, c.Upstream),
		`hachaos_proxy_connections_total{proxy="p"} 1`,
		`hachaos_proxy_connections_active{proxy="p"} 1`,
		`hachaos_proxy_toxic_connections_total{proxy="p",stream="upstream",toxic="corrupt_upstream",type="corrupt"} 1`,
		`hachaos_proxy_toxic_events_total{proxy="p",stream="upstream",toxic="corrupt_upstream",type="corrupt"} 10`,
		`hachaos_proxy_toxic_bytes_total{proxy="p",stream="upstream",toxic="corrupt_upstream",type="corrupt"} 10`,
		`go_build_info`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	var stats []Stats
	_, text = get(t, url+"/stats")
	if err := json.Unmarshal([]byte(text), &stats); err != nil || stats[0].Toxics[0].Events != 10 {
		t.Errorf("stats %s, %v", text, err)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	s := newServer(t, Options{})
	u := newUpstream(t)
	p := addProxy(t, s, u.addr())
	client := dialProxy(t, p)
	u.accept(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx, ln) }()
	if status, _ := get(t, "http://"+ln.Addr().String()+"/version"); status != 200 {
		t.Errorf("version: %d", status)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	expectEnd(t, client)
}
