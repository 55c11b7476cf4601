package netproxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
)

// api is a server and the URL of its API.
func api(t testing.TB) (*Server, string) {
	t.Helper()
	s := newServer(t, Options{Seed: 1})
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return s, h.URL
}

func TestToxiproxysGoClient(t *testing.T) {
	_, url := api(t)
	u := newUpstream(t)
	client := toxiproxy.NewClient(url)

	p, err := client.CreateProxy("redis", "localhost:0", u.addr())
	if err != nil {
		t.Fatal(err)
	}
	if !p.Enabled || strings.HasSuffix(p.Listen, ":0") {
		t.Fatalf("made %+v", p)
	}
	if _, err := client.CreateProxy("redis", "localhost:0", u.addr()); err == nil || err.Error() != "Create: HTTP 409: proxy already exists" {
		t.Errorf("the same name again: %v", err)
	}
	conn, err := net.Dial("tcp", p.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	server := u.accept(t)
	write(t, conn, "ping")
	expect(t, server, "ping")

	toxic, err := p.AddToxic("", "latency", "", 1, toxiproxy.Attributes{"latency": 30})
	if err != nil || toxic.Name != "latency_downstream" || toxic.Attributes["latency"] != 30.0 || toxic.Attributes["jitter"] != 0.0 {
		t.Fatalf("added %+v, %v", toxic, err)
	}
	start := time.Now()
	write(t, server, "pong")
	expect(t, conn, "pong")
	if took := time.Since(start); took < 30*time.Millisecond {
		t.Errorf("a live connection was delayed by %v only", took)
	}
	toxic, err = p.UpdateToxic("latency_downstream", 0.5, toxiproxy.Attributes{"jitter": 5})
	if err != nil || toxic.Toxicity != 0.5 || toxic.Attributes["latency"] != 30.0 || toxic.Attributes["jitter"] != 5.0 {
		t.Errorf("updated %+v, %v", toxic, err)
	}
	if toxic, err = p.UpdateToxic("latency_downstream", -1, toxiproxy.Attributes{"latency": 1}); err != nil || toxic.Toxicity != 0.5 {
		t.Errorf("a toxicity of -1 changed it: %+v, %v", toxic, err)
	}
	for _, c := range []struct{ name, kind, stream, want string }{
		{"latency_downstream", "noop", "upstream", "AddToxic: HTTP 409: toxic already exists"},
		{"x", "lateness", "upstream", "AddToxic: HTTP 400: invalid toxic type"},
		{"x", "latency", "sideways", "AddToxic: HTTP 400: stream was invalid, can be either upstream or downstream"},
	} {
		if _, err := p.AddToxic(c.name, c.kind, c.stream, 1, nil); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.kind, err, c.want)
		}
	}
	if err := p.RemoveToxic("latency_downstream"); err != nil {
		t.Error(err)
	}
	if err := p.RemoveToxic("latency_downstream"); err == nil || err.Error() != "HTTP 404: toxic not found" {
		t.Errorf("remove it again: %v", err)
	}

	if err := p.Disable(); err != nil {
		t.Fatal(err)
	}
	expectEnd(t, conn)
	if err := client.ResetState(); err != nil {
		t.Fatal(err)
	}
	all, err := client.Proxies()
	if err != nil || len(all) != 1 || !all["redis"].Enabled {
		t.Errorf("after a reset: %+v, %v", all, err)
	}
	version, err := client.Version()
	if err != nil || string(version) != "{\"version\": \"2.12.0\"}\n" {
		t.Errorf("version %q, %v", version, err)
	}
	made, err := client.Populate([]toxiproxy.Proxy{
		{Name: "a", Listen: "127.0.0.1:0", Upstream: u.addr(), Enabled: true},
		{Name: "b", Listen: "127.0.0.1:1000", Upstream: u.addr()},
	})
	if err != nil || len(made) != 2 || !made[0].Enabled || made[1].Enabled || made[1].Listen != "127.0.0.1:1000" {
		t.Errorf("populated %+v, %v", made, err)
	}
	if _, err := client.Populate([]toxiproxy.Proxy{{Name: "c", Upstream: u.addr()}, {}}); err == nil || err.Error() != "Populate: HTTP 400: missing required field: name at proxy 2" {
		t.Errorf("populate with a hole: %v", err)
	}
	if err := p.Delete(); err != nil {
		t.Error(err)
	}
	if err := p.Delete(); err == nil || err.Error() != "Delete: HTTP 404: proxy not found" {
		t.Errorf("delete it again: %v", err)
	}
}

const nodeScript = `
const assert = require("assert");
const { Toxiproxy } = require("toxiproxy-node-client");
const net = require("net");
(async () => {
  const api = new Toxiproxy(process.argv[2]);
  const server = net.createServer(c => c.pipe(c));
  await new Promise(done => server.listen(0, "127.0.0.1", done));
  const upstream = "127.0.0.1:" + server.address().port;
  const proxy = await api.createProxy({ name: "echo", listen: "127.0.0.1:0", upstream });
  const toxic = await proxy.addToxic({ name: "slow", type: "latency", attributes: { latency: 40, jitter: 0 } });
  const [host, port] = proxy.toJson().listen.split(":");
  const took = await new Promise((done, fail) => {
    const start = process.hrtime.bigint();
    const c = net.connect(+port, host, () => c.write("ping"));
    c.on("error", fail);
    c.on("data", () => { c.destroy(); done(Number(process.hrtime.bigint() - start) / 1e6); });
  });
  assert(took >= 40, "delayed by " + took + " ms");
  await toxic.update({ toxicity: 1, attributes: { latency: 60, jitter: 1 } });
  assert.strictEqual((await proxy.getToxic("slow")).attributes.latency, 60);
  await toxic.remove();
  await assert.rejects(proxy.getToxic("slow"));
  const off = await proxy.update({ enabled: false, listen: proxy.toJson().listen, upstream });
  assert.strictEqual(off.enabled, false);
  await assert.rejects(api.createProxy({ name: "echo", listen: "127.0.0.1:0", upstream }));
  await proxy.addToxic({ name: "cut", type: "timeout", attributes: { timeout: 0 } });
  await api.reset();
  assert.deepStrictEqual(Object.keys(await api.getAll()), ["echo"]);
  await assert.rejects(proxy.getToxic("cut"));
  assert.match(JSON.stringify(await api.getVersion()), /2\./);
  await proxy.remove();
  assert.deepStrictEqual(Object.keys(await api.getAll()), []);
  server.close();
  console.log("ok");
})().catch(e => { console.error(e); process.exit(1); });
`

func TestToxiproxysNodeClient(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is needed in CI: %v", program, err)
			}
			t.Skipf("this machine has no %s", program)
		}
	}
	_, url := api(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "drive.js")
	if err := os.WriteFile(script, []byte(nodeScript), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", dir, "toxiproxy-node-client@4.1.0"},
		{"node", script, url},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// buildPeer builds a command of Toxiproxy, in a module of its own, as ours does
// not require what it needs.
func buildPeer(t testing.TB, command string) (path string, err error) {
	dir, err := os.MkdirTemp("", "toxiproxy")
	if err != nil {
		return "", err
	}
	leftovers = append(leftovers, dir)
	path = filepath.Join(dir, command)
	for _, args := range [][]string{
		{"mod", "init", "peer"},
		{"get", "github.com/Shopify/toxiproxy/v2/cmd/" + command + "@v2.12.0"},
		{"build", "-o", path, "github.com/Shopify/toxiproxy/v2/cmd/" + command},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return path, nil
}

func TestToxiproxysCommandLine(t *testing.T) {
	cli, err := buildPeer(t, "cli")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("toxiproxy-cli cannot be built here: %v", err)
	}
	_, url := api(t)
	for _, c := range []struct{ args, want string }{
		{"create -l 127.0.0.1:0 -u 127.0.0.1:1 redis", "Created new proxy redis"},
		{"list", "redis"},
		{"toxic add -t latency -n slow -a latency=100 -a jitter=5 redis", "Added downstream latency toxic 'slow' on proxy 'redis'"},
		{"toxic update -n slow -a latency=200 redis", "Updated toxic 'slow' on proxy 'redis'"},
		{"toxic add -t http -n busy --upstream -a status=503 redis", "Added upstream http toxic 'busy' on proxy 'redis'"},
		{"inspect redis", "latency=200"},
		{"inspect redis", "status=503"},
		{"toggle redis", "Proxy redis is now disabled"},
		{"toxic remove -n slow redis", "Removed toxic 'slow' on proxy 'redis'"},
		{"delete redis", "Deleted proxy redis"},
	} {
		cmd := exec.Command(cli, append([]string{"-h", url}, strings.Fields(c.args)...)...)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("toxiproxy-cli %s: %v\n%s\nwant %s", c.args, err, out, c.want)
		}
	}
}

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
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
