package reports

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/tsenart/vegeta/v12/lib/plot"
)

//go:embed html
var htmlFiles embed.FS

// HTML writes a document as one page that asks no other host for anything: the
// figures and tables stand in it, and its script draws the courses so that they
// can be zoomed. Its Content-Security-Policy lets nothing but its own scripts
// and style in, by their hashes. Texts from outside are text in it.
func HTML(w io.Writer, doc Document) error {
	parts, err := htmlParts()
	if err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	page := newPage(doc)
	page.Policy, page.Style, page.Library, page.Script = parts.policy, parts.style, parts.library, parts.script
	var b bytes.Buffer
	if err := parts.template.Execute(&b, page); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// pageParts is what every page has in common.
type pageParts struct {
	template *template.Template
	style    template.CSS
	library  template.JS // uPlot
	script   template.JS
	policy   string
}

// htmlParts is made when the first page is: most processes of a run write none.
var htmlParts = sync.OnceValues(func() (*pageParts, error) {
	read := func(name string) string {
		b, err := htmlFiles.ReadFile("html/" + name)
		if err != nil {
			panic(err) // it is built in
		}
		return strings.TrimSpace(string(b))
	}
	t, err := template.New("page").Parse(read("page.html"))
	if err != nil {
		return nil, err
	}
	library, err := plotAsset("uPlot.min.js")
	if err != nil {
		return nil, err
	}
	style, err := plotAsset("uPlot.min.css")
	if err != nil {
		return nil, err
	}
	style += "\n" + read("page.css")
	script := read("page.js")
	return &pageParts{
		template: t,
		style:    template.CSS(style),
		library:  template.JS(library),
		script:   template.JS(script),
		policy: "default-src 'none'; script-src " + hashSource(library) + " " + hashSource(script) +
			"; style-src " + hashSource(style) + "; base-uri 'none'; form-action 'none'",
	}, nil
})

func plotAsset(name string) (string, error) {
	f, err := plot.Assets.Open(name)
	if err != nil {
		return "", fmt.Errorf("open %s of uPlot: %w", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return "", fmt.Errorf("read %s of uPlot: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// hashSource names an inline script or style in a policy (CSP level 3, §2.3.1).
func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
