package reports

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/reports/units"
)

func formatNamed(t testing.TB, name string) Format {
	t.Helper()
	f, err := FormatNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// writer renders a document in the format.
func (f Format) writer(doc Document) func(io.Writer) error {
	return func(w io.Writer) error { return f.Write(w, doc) }
}

func rendered(t testing.TB, format string, doc Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := formatNamed(t, format).Write(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// richReport is a run with all that a page can show: kills, a freeze, outages, a
// course.
func richReport() *Report {
	run := crashRun()
	run.Scenario.Description = "Kill a random worker every 3 s while 50 clients load the cluster, then freeze one."
	run.Faults = append(run.Faults, pause("freeze", 9*time.Second, 11*time.Second), kill("crash", 3, 13*time.Second))
	run.Probes = []*loadgen.ProbeRecording{probesOf(".300x5.595x80.520")}
	run.Loads[0].Cells = append(run.Loads[0].Cells, cell(9*time.Second, 10*time.Second, 60))
	run.Loads[0].Failed += 60
	run.Loads[0].Failures[loadgen.CauseTimeout] = 60
	run.Loads[0].Examples[loadgen.CauseTimeout] = "no answer within 1s"
	run.Ready = append(run.Ready, ReadyCount{13 * time.Second, 3}, ReadyCount{13100 * msec, 4})
	run.Events = []Event{{AtS: 3.05, Source: "cluster", What: "worker 1 (pid 5001) is ready after 24 ms"}}
	run.Warnings = []string{"the prober ran at the default priority: SCHED_RR was not permitted"}
	for i := range run.Loads[0].Timeline.Buckets {
		at := float64(i) / 10
		b := &run.Loads[0].Timeline.Buckets[i]
		b.OK = int64(87 + 6*math.Sin(at*2.1))
		b.P50, b.P99 = time.Duration(50+4*math.Sin(at))*msec, time.Duration(110+25*math.Sin(at*3))*msec
		switch {
		case i >= 90 && i < 110:
			b.OK, b.Failed, b.P99 = b.OK*2/3, 3, 900*msec
		case i == 30 || i == 60 || i == 130:
			b.OK, b.Failed, b.P99 = b.OK/2, 2, 400*msec
		}
	}
	return Fold(run)
}

// unknownReport has null wherever it may.
func unknownReport() *Report {
	r := Fold(Run{Scenario: Scenario{Name: "broken", Seed: 7}, Target: Target{Kind: "command"}, Failure: "the target was not ready within 10 s"})
	r.Budget = newBudgetForTest()
	return r
}

func newBudgetForTest() *Budget {
	run := crashRun()
	b := Fold(run).Budget
	b.SpentS, b.SpentRatio = nil, nil
	return b
}

const evil = `</script><script>document.title='owned'</script><img src=x onerror="document.title='owned'">"'` + "`${1}" + `&lt;`

// hostileReport has a script in every text that comes from outside.
func hostileReport() *Report {
	r := richReport()
	poison(reflect.ValueOf(r).Elem(), map[string]bool{"Schema": true, "Verdict": true, "State": true, "Unit": true, "Model": true})
	r.Faults[1].State = string(chaos.Failed)
	return r
}

// poison puts the script into every string that v holds, but for the fields
// whose vocabulary is hachaos' own.
func poison(v reflect.Value, own map[string]bool) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + evil)
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), own)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), own)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(key))
			poison(value, own)
			v.SetMapIndex(key, reflect.Value{})
			if key.Kind() == reflect.String {
				key = reflect.ValueOf(key.String() + evil).Convert(key.Type())
			}
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !own[f.Name] {
				poison(v.Field(i), own)
			}
		}
	}
}

// No script of a report's texts becomes one of the page's, in any text.
func TestHTMLEscapes(t *testing.T) {
	text := rendered(t, "html", NewSuite(hostileReport(), hostileReport()))
	if n := strings.Count(text, "<script"); n != 3 {
		t.Errorf("%d scripts, want the data, the library and the page's own", n)
	}
	for _, bad := range []string{"<img", "onerror=\"", "</script><script>document"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page contains %s", bad)
		}
	}
}

var scripts = regexp.MustCompile(`(?s)<(script|style).*?</(script|style)>`)

func withoutScripts(text string) string { return scripts.ReplaceAllString(text, "") }

// Unknown is said to be unknown, nothing below 1 reads 100 %.
func TestHTMLUnknown(t *testing.T) {
	text := withoutScripts(rendered(t, "html", unknownReport()))
	for _, name := range []string{"availability", "uptime", "downtime", "p99", "throughput"} {
		if !strings.Contains(text, `<span class="unknown" data-figure="`+name+`">unknown</span>`) {
			t.Errorf("%s is not said to be unknown", name)
		}
	}
	nearly := richReport()
	almost := 1 - 1e-9
	nearly.Availability.Availability, nearly.Availability.Uptime = &almost, &almost
	nearly.Load[0].Availability = &almost
	nearly.Availability.Outages, nearly.Timeline = nil, Timeline{}
	if text := withoutScripts(rendered(t, "html", nearly)); strings.Contains(text, "100 %") {
		t.Error("a ratio below 1 reads 100 %")
	}
	if empty := rendered(t, "html", Fold(Run{})); !strings.Contains(empty, "unknown") {
		t.Error("an empty report has figures")
	}
}

// What dependencies, breakers and proxies did reads without doing sums.
func TestHTMLOfDependencies(t *testing.T) {
	run := dependentRun()
	run.Probes = []*loadgen.ProbeRecording{probesOf(".295x200.1005")} // from 2.95 s, before the cut
	got := rendered(t, "html", Fold(run))
	for _, want := range []string{
		"<td class=\"n\">3.02 s</td><td class=\"n\">4</td><td>cache</td><td class=\"text\">worker: breaker opens after 5 failures in a row: read tcp 127.0.0.1: connection reset by peer</td>",
		"<td class=\"n\">9.30 s</td><td class=\"n\">1</td><td>db</td><td class=\"text\">node-2 is the primary, 1.3 s after node-1 was gone</td>",
		"redis-cut#1 acted on 40 connections",
		"<td class=\"text\">no fault was on it</td>",
		"one that a fault caught on its way lets an outage begin a little before it",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if got := rendered(t, "html", Fold(dependentRun())); strings.Contains(got, "caught on its way") {
		t.Error("an outage is explained that did not begin before its fault")
	}
}

// Every page is the same for the same document.
func TestHTMLIsStable(t *testing.T) {
	first := rendered(t, "html", hostileReport())
	for range 3 {
		if rendered(t, "html", hostileReport()) != first {
			t.Fatal("two pages of one report differ")
		}
	}
}

// The page in a real browser.
func TestHTMLInChromium(t *testing.T) {
	b := newBrowser(t)
	light := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "light"}
	dark := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "dark"}
	const drawn = `document.querySelectorAll("figure.chart.drawn canvas").length === document.querySelectorAll("figure.chart").length`
	suite := NewSuite(richReport(), Fold(goldenRuns()["outage-to-end"]), unknownReport())

	within := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			outer := b.t
			b.t = t
			defer func() { b.t = outer }()
			test(t)
		})
	}
	within("draws", func(t *testing.T) {
		address := b.open(richReport(), 1280, light)
		b.await(drawn)
		if n := inPage[int](b, `document.querySelectorAll("figure.chart").length`); n != 4 {
			t.Errorf("%d charts", n)
		}
		blank := inPage[int](b, `[...document.querySelectorAll("canvas")].filter(c => new Set(new Uint32Array(c.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, c.width, c.height).data.buffer)).size < 5).length`)
		if blank != 0 {
			t.Errorf("%d charts are blank", blank)
		}
		b.keep("report light")
		b.quiet(address)
	})
	within("figures", func(t *testing.T) {
		for _, doc := range []Document{richReport(), suite} {
			b.open(doc, 1280, light)
			for i, r := range doc.Reports() {
				figuresEqual(t, b, i, r)
			}
		}
	})
	within("legend", func(t *testing.T) {
		address := b.open(richReport(), 1280, light)
		b.await(drawn)
		const picture = `document.querySelector('[data-chart="latency"] canvas').toDataURL()`
		const state = `document.querySelector('[data-chart="latency"] .u-legend [role=switch]').getAttribute("aria-checked")`
		inPage[bool](b, `(window.before = `+picture+`, true)`)
		b.do(chromedp.Click(chromedp.CSS(`[data-chart="latency"] .u-legend [role=switch]`)))
		b.await(state + ` === "false"`)
		b.await(picture + ` !== window.before`)
		// And back, with the keyboard.
		b.do(chromedp.Focus(chromedp.CSS(`[data-chart="latency"] .u-legend [role=switch]`)), chromedp.KeyEvent(" "))
		b.await(state + ` === "true"`)
		b.quiet(address)
	})
	within("zoom", func(t *testing.T) {
		b.open(richReport(), 1280, light)
		b.await(drawn)
		if n := inPage[int](b, `(() => { const before = document.querySelector("canvas").toDataURL(); document.querySelector(".tools button").click(); window.before = before; return document.querySelectorAll(".tools button").length; })()`); n != 5 {
			t.Errorf("%d tools", n)
		}
		b.await(`document.querySelector("canvas").toDataURL() !== window.before`)
	})
	within("phone", func(t *testing.T) {
		for _, doc := range []Document{richReport(), hostileReport(), suite, unknownReport(), Fold(dependentRun())} {
			b.open(doc, 360, light)
			b.await(drawn)
			if wide := inPage[int](b, `document.documentElement.scrollWidth`); wide > 360 {
				t.Errorf("the page is %d wide on a phone of 360: %s", wide, inPage[string](b, `[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > 361 && !e.closest(".scroll")).slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" | ")`))
			}
		}
		b.open(Fold(dependentRun()), 1280, light)
		b.await(drawn)
		if cut := inPage[string](b, `[...document.querySelectorAll("section .scroll")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.getAttribute("aria-label")).join(", ")`); cut != "" {
			t.Errorf("tables are wider than a page of 1280: %s", cut)
		}
		b.keep("report of dependencies")
		b.open(richReport(), 390, dark)
		b.await(drawn)
		b.keep("report phone dark")
	})
	within("hostile", func(t *testing.T) {
		address := b.open(NewSuite(hostileReport(), hostileReport()), 1280, light)
		b.await(drawn)
		if title := inPage[string](b, `document.title`); title == "owned" {
			t.Error("a script of the report ran")
		}
		if got := inPage[int](b, `document.images.length + document.querySelectorAll("main script").length`); got != 0 {
			t.Errorf("%d elements of the report's texts are in the page", got)
		}
		const foreign = `[...document.querySelectorAll("*")].filter(e => [...e.attributes].some(a => a.name.startsWith("on") || ["src", "style"].includes(a.name) && !e.closest(".uplot, .live") || a.name === "href" && !a.value.startsWith("#"))).map(e => e.outerHTML.slice(0, 100))`
		for _, element := range inPage[[]string](b, foreign) {
			t.Errorf("a handler, a style or an address of elsewhere: %s", element)
		}
		if text := inPage[string](b, `document.querySelector("h1").textContent`); !strings.Contains(text, "</script><script>") {
			t.Errorf("the text is not shown as it is: %q", text)
		}
		b.quiet(address)
	})
	within("dark", func(t *testing.T) {
		address := b.open(richReport(), 1280, dark)
		b.await(drawn)
		b.keep("report dark")
		b.quiet(address)
		address = b.open(suite, 1280, light)
		b.await(drawn)
		b.keep("suite light")
		b.quiet(address)
	})
	within("without scripts", func(t *testing.T) {
		b.scripts(false)
		defer b.scripts(true)
		b.open(richReport(), 1280, light)
		if n := inPage[int](b, `[...document.querySelectorAll(".still svg path")].filter(p => p.getBoundingClientRect().width > 100).length`); n < 5 {
			t.Errorf("%d curves stand without the script", n)
		}
		if n := inPage[int](b, `document.querySelectorAll("canvas, .tools:not([hidden])").length`); n != 0 {
			t.Errorf("%d things that only a script could have made", n)
		}
	})
	within("print", func(t *testing.T) {
		b.open(suite, 1000, dark)
		b.await(drawn)
		b.do(b.media("print", dark))
		b.await(`getComputedStyle(document.querySelector(".drawn .still")).display === "block" && getComputedStyle(document.querySelector(".drawn .live")).display === "none"`)
		if colour := inPage[string](b, `getComputedStyle(document.body).backgroundColor`); colour != "rgb(255, 255, 255)" {
			t.Errorf("printed on %s", colour)
		}
	})
	within("contrast", func(t *testing.T) {
		for _, scheme := range []*emulation.MediaFeature{light, dark} {
			for _, doc := range []Document{richReport(), suite} {
				b.open(doc, 1280, scheme)
				for _, low := range inPage[[]string](b, contrastScript) {
					t.Errorf("%s: %s", scheme.Value, low)
				}
			}
		}
	})
}

// figuresEqual holds the page's figures against the report's.
func figuresEqual(t *testing.T, b *browser, i int, r *Report) {
	t.Helper()
	text := func(name string) string {
		return inPage[string](b, `document.querySelector('#run-`+strconv.Itoa(i+1)+` .figures [data-figure="`+name+`"]').textContent`)
	}
	value := func(name string) string {
		return inPage[string](b, `document.querySelector('#run-`+strconv.Itoa(i+1)+` .figures [data-figure="`+name+`"]').value || ""`)
	}
	a := &r.Availability
	for name, want := range map[string]*float64{"availability": a.Availability, "uptime": a.Uptime, "downtime": a.DowntimeS} {
		if want == nil {
			if got := text(name); got != "unknown" {
				t.Errorf("run %d: %s reads %s and is null", i, name, got)
			}
			continue
		}
		if got, err := strconv.ParseFloat(value(name), 64); err != nil || got != *want {
			t.Errorf("run %d: %s is %v, %v; want %v", i, name, got, err, *want)
		}
		shown := units.FormatPercent(*want)
		if name == "downtime" {
			shown = units.FormatDuration(duration(*want))
		}
		if got := text(name); got != shown {
			t.Errorf("run %d: %s reads %s, want %s", i, name, got, shown)
		}
	}
	if len(r.Load) > 0 && r.Load[0].LatencyMS != nil {
		if got, _ := strconv.ParseFloat(value("p99"), 64); got != r.Load[0].LatencyMS.P99 {
			t.Errorf("run %d: p99 is %v, want %v", i, got, r.Load[0].LatencyMS.P99)
		}
		if got, _ := strconv.ParseFloat(value("throughput"), 64); got != *r.Load[0].ThroughputRPS {
			t.Errorf("run %d: throughput is %v, want %v", i, got, *r.Load[0].ThroughputRPS)
		}
	}
	var course htmlCourse
	if err := json.Unmarshal([]byte(inPage[string](b, `JSON.stringify(JSON.parse(document.getElementById("data").textContent)[`+strconv.Itoa(i)+`])`)), &course); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(course.OK, r.Timeline.OK) || !reflect.DeepEqual(course.P99, r.Timeline.P99MS) {
		t.Errorf("run %d: the course is not the report's", i)
	}
}

// contrastScript lists texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3).
const contrastScript = `(() => {
  const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m.slice(0, 3), 1] : m; };
  const luminance = ([r, g, b]) => { const f = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255, 1]; };
  const low = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || e.closest("script, style, .u-off, .still") || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const a = luminance(parse(e.namespaceURI.includes("svg") ? style.fill : style.color)), b = luminance(ground(e));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) low.add(contrast.toFixed(2) + " " + e.outerHTML.slice(0, 90));
  }
  return [...low];
})()`
