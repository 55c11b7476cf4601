package ab

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Page is what there is to print besides the figures.
type Page struct {
	Host, Port, Path string
	TLS              string // "TLSv1.3,TLS_AES_128_GCM_SHA256,2048,128"; "" without
	TempKey          string // "X25519 253 bits"; "" if unknown
	ServerName       string // that TLS asked for; "" if none
	Concurrency      int
	Open             bool // requests do not wait for each other: Concurrency is a bound
	KeepAlive        bool // the line of kept connections is printed
	Variable         bool // answers may differ in length
	SentBody         bool // requests have bodies: what was sent is printed
	NoPercentiles    bool
	NoConfidence     bool // no deviation, no median, no warnings

	Table, Row, Cell string // attributes of HTML's elements
}

// percentages of the table of percentiles.
var percentages = []int{50, 66, 75, 80, 90, 95, 98, 99, 100}

// row is a line of the report: a label and a value, and lines that go on.
type row struct{ label, value string }

// facts are the lines before those that divide by the time taken, in ab's order.
func (p *Page) facts(f *Figures) []row {
	rows := []row{{"Server Software:", f.Server}, {"Server Hostname:", p.Host}, {"Server Port:", p.Port}}
	add := func(when bool, label, format string, args ...any) {
		if when {
			rows = append(rows, row{label, fmt.Sprintf(format, args...)})
		}
	}
	add(p.TLS != "", "SSL/TLS Protocol:", "%s", p.TLS)
	add(p.TempKey != "", "Server Temp Key:", "%s", p.TempKey)
	add(p.ServerName != "", "TLS Server Name:", "%s", p.ServerName)
	add(true, "", "")
	add(true, "Document Path:", "%s", p.Path)
	if p.Variable {
		add(true, "Document Length:", "Variable")
	} else {
		add(true, "Document Length:", "%d bytes", f.Document)
	}
	add(true, "", "")
	add(true, "Concurrency Level:", "%d", p.Concurrency)
	add(true, "Time taken for tests:", "%.3f seconds", f.Elapsed.Seconds())
	add(true, "Complete requests:", "%d", f.Complete)
	add(true, "Failed requests:", "%d", f.Failed())
	add(f.Failed() > 0, "", "   (Connect: %d, Receive: %d, Length: %d, Exceptions: %d)", f.Connect, f.Receive, f.Length, f.Exceptions)
	add(f.Non2xx > 0, "Non-2xx responses:", "%d", f.Non2xx)
	add(p.KeepAlive, "Keep-Alive requests:", "%d", f.Kept)
	add(true, "Total transferred:", "%d bytes", f.In)
	add(p.SentBody, "Total body sent:", "%d", f.Out)
	add(true, "HTML transferred:", "%d bytes", f.Body)
	return rows
}

// rates are the lines that divide by the time taken.
func (p *Page) rates(f *Figures) []row {
	seconds := f.Elapsed.Seconds()
	if seconds <= 0 || f.Complete == 0 {
		return nil
	}
	n, kb := float64(f.Complete), 1024*seconds
	each := seconds * 1000 / n
	mean := float64(p.Concurrency) * each
	if p.Open { // clients that seldom are busy take longer by that than requests do
		mean = f.phases[total].mean()
	}
	rows := []row{
		{"Requests per second:", fmt.Sprintf("%.2f [#/sec] (mean)", n/seconds)},
		{"Time per request:", fmt.Sprintf("%.3f [ms] (mean)", mean)},
		{"Time per request:", fmt.Sprintf("%.3f [ms] (mean, across all concurrent requests)", each)},
		{"Transfer rate:", fmt.Sprintf("%.2f [Kbytes/sec] received", float64(f.In)/kb)},
	}
	if p.SentBody {
		rows = append(rows,
			row{"", fmt.Sprintf("                        %.2f kb/s sent", float64(f.Out)/kb)},
			row{"", fmt.Sprintf("                        %.2f kb/s total", float64(f.In+f.Out)/kb)})
	}
	return rows
}

// Text writes the report from "Server Software" on, as ab does.
func Text(w io.Writer, p Page, f *Figures) error {
	var b strings.Builder
	for _, r := range append(p.facts(f), p.rates(f)...) {
		if r.label == "" {
			b.WriteString(r.value + "\n")
		} else {
			fmt.Fprintf(&b, "%-23s %s\n", r.label, r.value)
		}
	}
	if f.phases[total].n > 0 {
		p.times(&b, f)
		if !p.NoPercentiles && f.Complete > 1 {
			p.percentiles(&b, f)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var phaseNames = [numPhases]struct{ label, sentence string }{
	{"Connect:", "the initial connection time"}, {"Processing:", "the processing time"},
	{"Waiting:", "the waiting time"}, {"Total:", "the total time"},
}

func (p *Page) times(b *strings.Builder, f *Figures) {
	b.WriteString("\nConnection Times (ms)\n")
	if p.NoConfidence {
		b.WriteString("              min   avg   max\n")
		for i, name := range phaseNames {
			q := &f.phases[i]
			fmt.Fprintf(b, "%-12s%5d %5d%5d\n", name.label, rounded(q.at(0)), rounded(q.mean()), rounded(q.at(1)))
		}
		return
	}
	b.WriteString("              min  mean[+/-sd] median   max\n")
	for i, name := range phaseNames {
		q := &f.phases[i]
		fmt.Fprintf(b, "%-12s%5d %4d %5.1f %6d %7d\n", name.label,
			rounded(q.at(0)), rounded(q.mean()), q.deviation(), rounded(q.at(0.5)), rounded(q.at(1)))
	}
	for i, name := range phaseNames {
		q := &f.phases[i]
		apart := math.Abs(float64(rounded(q.mean()) - rounded(q.at(0.5))))
		switch sd := q.deviation(); {
		case apart > 2*sd:
			fmt.Fprintf(b, "ERROR: The median and mean for %s are more than twice the standard\n"+
				"       deviation apart. These results are NOT reliable.\n", name.sentence)
		case apart > sd:
			fmt.Fprintf(b, "WARNING: The median and mean for %s are not within a normal deviation\n"+
				"        These results are probably not that reliable.\n", name.sentence)
		}
	}
}

func (p *Page) percentiles(b *strings.Builder, f *Figures) {
	b.WriteString("\nPercentage of the requests served within a certain time (ms)\n")
	for _, percent := range percentages {
		end := ""
		if percent == 100 {
			end = " (longest request)"
		}
		fmt.Fprintf(b, "%4d%%  %5d%s\n", percent, rounded(f.phases[total].at(float64(percent)/100)), end)
	}
}

// rounded is a time in whole milliseconds.
func rounded(ms float64) int64 { return int64(math.Round(ms)) }

// Percentiles writes the file of -e: the time within which each percentage of
// the requests was served, comma separated.
func Percentiles(w io.Writer, f *Figures) error {
	b := []byte("Percentage served,Time in ms\n")
	for percent := range 101 {
		b = fmt.Appendf(b, "%d,%.3f\n", percent, f.phases[total].at(float64(percent)/100))
	}
	_, err := w.Write(b)
	return err
}

// GnuplotHead is the first line of the file of -g.
const GnuplotHead = "starttime\tseconds\tctime\tdtime\tttime\twait\n"

// AppendGnuplot appends the line of one request to b, tab separated: when it
// began, in words and as Unix time, and the milliseconds of connecting, of
// processing, of both, and of waiting.
func AppendGnuplot(b []byte, began time.Time, connect, latency, wait time.Duration) []byte {
	b = began.AppendFormat(b, time.ANSIC)
	b = append(b, '\t')
	b = strconv.AppendInt(b, began.Unix(), 10)
	for _, d := range []time.Duration{connect, latency - connect, latency, wait} {
		b = append(b, '\t')
		b = strconv.AppendInt(b, rounded(milliseconds(d)), 10)
	}
	return append(b, '\n')
}
