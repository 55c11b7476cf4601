package reports

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Format is a way to write a document.
type Format struct {
	Name   string // as --format takes it: "json"
	Ending string // of the file's name: ".json"
	Write  func(io.Writer, Document) error
}

// Formats returns every format there is. A new one is one line here.
func Formats() []Format {
	return []Format{
		{"json", ".json", Write},
		{"html", ".html", HTML},
		{"junit", ".xml", JUnit},
		{"markdown", ".md", Markdown},
		{"csv", ".csv", CSV},
		{"openmetrics", ".prom", OpenMetrics},
		{"emf", ".emf", EMF},
		{"txt", ".txt", func(w io.Writer, doc Document) error { return Text(w, doc, TextOptions{}) }},
	}
}

// FormatFor returns the format that a file's name ends in; the error lists what
// exists.
func FormatFor(path string) (Format, error) {
	ending := strings.ToLower(filepath.Ext(path))
	for _, f := range Formats() {
		if f.Ending == ending {
			return f, nil
		}
	}
	if ending == "" {
		return Format{}, fmt.Errorf("%s: the name has no ending that says the format (there are %s)", path, formatList(func(f Format) string { return f.Ending }))
	}
	return Format{}, fmt.Errorf("%s: there is no format for %s (there are %s)", path, ending, formatList(func(f Format) string { return f.Ending }))
}

// FormatNamed returns the format of a name; the error lists what exists.
func FormatNamed(name string) (Format, error) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
	}
	return Format{}, fmt.Errorf("there is no format %q (there are %s)", name, formatList(func(f Format) string { return f.Name }))
}

func formatList(of func(Format) string) string {
	var names []string
	for _, f := range Formats() {
		names = append(names, of(f))
	}
	return strings.Join(names, ", ")
}
