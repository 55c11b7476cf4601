package bench

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/hachaos/hachaos/loadgen"
)

// requests returns what is asked for, and the URL it is asked of.
func (o Options) requests(rawURL string) ([]loadgen.Request, string, error) {
	headers, err := o.headers()
	if err != nil {
		return nil, "", err
	}
	if o.Targets != "" {
		return o.targets(rawURL, headers)
	}
	r := loadgen.Request{Method: o.Method, Headers: headers}
	file := ""
	switch {
	case o.Head:
		r.Method = "HEAD"
	case o.PostFile != "":
		file, r.Method = o.PostFile, orDefault(o.Method, "POST")
	case o.PutFile != "":
		file, r.Method = o.PutFile, orDefault(o.Method, "PUT")
	}
	if file != "" {
		body, err := os.ReadFile(file)
		if err != nil {
			return nil, "", fmt.Errorf("the body cannot be read: %w", err)
		}
		r.Body = string(body)
		setHeader(headers, "Content-Type", orDefault(o.ContentType, "text/plain"))
	}
	return []loadgen.Request{r}, rawURL, nil
}

// headers are those of -H, -C and -A, and the one that ab always sends.
func (o Options) headers() (map[string]string, error) {
	headers := map[string]string{}
	for _, line := range o.Headers {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, errors.New("-H takes a header line such as 'Accept-Encoding: gzip'")
		}
		value = strings.TrimSpace(value)
		if old, ok := headers[http.CanonicalHeaderKey(name)]; ok {
			value = old + ", " + value // the same (RFC 9110 §5.3)
		}
		headers[http.CanonicalHeaderKey(name)] = value
	}
	setHeader(headers, "Accept", "*/*")
	if len(o.Cookies) > 0 {
		setHeader(headers, "Cookie", strings.Join(o.Cookies, "; "))
	}
	if o.Auth != "" {
		setHeader(headers, "Authorization", basic(o.Auth))
	}
	return headers, nil
}

// setHeader sets a header that was not given by hand.
func setHeader(headers map[string]string, name, value string) {
	if _, ok := headers[name]; !ok {
		headers[name] = value
	}
}

// basic is the value of a header for user:password (RFC 7617).
func basic(userinfo string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
}

// maxTargets bounds what is kept of a file of targets.
const maxTargets = 1 << 20

// targets reads a file of targets in one of vegeta's formats. All must be of one
// server, which is that of the URL if there is one.
func (o Options) targets(rawURL string, headers map[string]string) ([]loadgen.Request, string, error) {
	f, err := os.Open(o.Targets)
	if err != nil {
		return nil, "", fmt.Errorf("the targets cannot be read: %w", err)
	}
	defer f.Close()
	read, err := targeter(f)
	if err != nil {
		return nil, "", fmt.Errorf("the targets cannot be read: %w", err)
	}
	server := ""
	if rawURL != "" {
		u, err := parseURL(rawURL)
		if err != nil {
			return nil, "", err
		}
		server = serverOf(u)
	}
	var requests []loadgen.Request
	for n := 1; ; n++ {
		var t vegeta.Target
		if err := read(&t); errors.Is(err, vegeta.ErrNoTargets) && n > 1 {
			return requests, server, nil
		} else if err != nil {
			return nil, "", fmt.Errorf("%s, target %d: %w", o.Targets, n, err)
		}
		if n > maxTargets {
			return nil, "", fmt.Errorf("%s: more than %d targets", o.Targets, maxTargets)
		}
		u, err := parseURL(t.URL)
		if err != nil {
			return nil, "", fmt.Errorf("%s, target %d: %w", o.Targets, n, err)
		}
		if at := serverOf(u); server == "" {
			server = at
		} else if !strings.EqualFold(withoutUser(at), withoutUser(server)) {
			return nil, "", fmt.Errorf("%s, target %d is of another server than those before: one bench loads one", o.Targets, n)
		}
		requests = append(requests, loadgen.Request{
			Method: t.Method, Path: u.RequestURI(), Headers: merged(headers, t.Header), Body: string(t.Body),
		})
	}
}

// targeter reads JSON if that is how the file begins, else vegeta's HTTP format.
func targeter(f *os.File) (vegeta.Targeter, error) {
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, &fs.PathError{Op: "rewind", Path: f.Name(), Err: err}
	}
	if strings.HasPrefix(strings.TrimSpace(string(head[:n])), "{") {
		return vegeta.NewJSONTargeter(f, nil, nil), nil
	}
	return vegeta.NewHTTPTargeter(f, nil, nil), nil
}

func serverOf(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}).String()
}

func withoutUser(server string) string {
	if i := strings.LastIndexByte(server, '@'); i >= 0 {
		return server[:strings.Index(server, "://")+3] + server[i+1:]
	}
	return server
}

func merged(headers map[string]string, own http.Header) map[string]string {
	m := map[string]string{}
	for name, value := range headers {
		m[name] = value
	}
	for name, values := range own {
		m[http.CanonicalHeaderKey(name)] = strings.Join(values, ", ")
	}
	return m
}
