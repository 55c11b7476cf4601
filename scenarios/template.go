package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hachaos/hachaos/chaos"
	"github.com/hachaos/hachaos/targets/backend"
)

// Values are what templates stand for.
type Values struct {
	Port int                         // ${port}; 0 if there is none
	Env  func(string) (string, bool) // ${env:NAME}
	URLs map[string]string           // ${NAME.url} of each dependency; nil where none is known
}

// TemplateError says which template of a text means nothing.
type TemplateError struct {
	Offset  int // of the template, in characters from 0
	Message string
}

// Error returns the message.
func (e *TemplateError) Error() string { return e.Message }

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Expand replaces the templates of text, ${port}, ${env:NAME} and ${NAME.url} of
// a dependency; $${ stands for a plain ${. The error is a [*TemplateError].
func Expand(text string, v Values) (string, error) {
	var b strings.Builder
	rest := text
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			b.WriteString(rest)
			return b.String(), nil
		}
		if i > 0 && rest[i-1] == '$' {
			b.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			continue
		}
		b.WriteString(rest[:i])
		offset := utf8.RuneCountInString(text[:len(text)-len(rest)+i])
		name, after, closed := strings.Cut(rest[i+2:], "}")
		if !closed {
			return "", &TemplateError{offset, "${ is never closed by } (write $${ for a plain ${)"}
		}
		value, err := v.lookup(name)
		if err != nil {
			return "", &TemplateError{offset, err.Error()}
		}
		b.WriteString(value)
		rest = after
	}
}

func (v Values) lookup(name string) (string, error) {
	if name == "port" {
		if v.Port == 0 {
			return "", fmt.Errorf("${port} means nothing here: hachaos gives a url target no port")
		}
		return strconv.Itoa(v.Port), nil
	}
	if variable, ok := strings.CutPrefix(name, "env:"); ok {
		if !envName.MatchString(variable) {
			return "", fmt.Errorf("%q is not the name of an environment variable", variable)
		}
		value, set := v.Env(variable)
		if !set {
			return "", fmt.Errorf("the environment variable %s is not set", variable)
		}
		return value, nil
	}
	if dependency, ok := strings.CutSuffix(name, ".url"); ok {
		if address, known := v.URLs[dependency]; known {
			return address, nil
		}
		return "", errors.New(chaos.NoSuch("dependency", dependency, slices.Sorted(maps.Keys(v.URLs))))
	}
	return "", fmt.Errorf("unknown template ${%s} (there are ${port}, ${env:NAME} and ${NAME.url} of a dependency; write $${ for a plain ${)", name)
}

// Expand returns a copy of s in which every template is replaced. Port is that
// of the target's URL, urls are those of the dependencies by name. The error
// names the place and never a secret.
func (s *Scenario) Expand(port int, urls map[string]string) (*Scenario, error) {
	expanded := s.clone()
	values := Values{Port: port, Env: s.env, URLs: urls}
	var failed error
	expanded.templates(func(path, text string) string {
		value, err := Expand(text, values.at(path))
		if err != nil && failed == nil {
			failed = fmt.Errorf("expand %s: %w", path, err)
		}
		return value
	})
	if failed != nil {
		return nil, failed
	}
	return expanded, nil
}

// at returns the values that templates at a path have: those of a dependency are
// expanded before anything else is known.
func (v Values) at(path string) Values {
	if strings.HasPrefix(path, dependencyPath) {
		return Values{Env: v.Env}
	}
	return v
}

const dependencyPath = "dependencies."

// expandDependencies returns the dependencies with their templates replaced.
func (s *Scenario) expandDependencies() (map[string]backend.Config, error) {
	configs := maps.Clone(s.Dependencies)
	for _, name := range s.dependencyNames() {
		config := configs[name]
		var err error
		if config.URL, err = Expand(config.URL, Values{Env: s.env}); err != nil {
			return nil, fmt.Errorf("expand dependencies.%s.url: %w", name, err)
		}
		configs[name] = config
	}
	return configs, nil
}

// Secrets returns what must not be shown: the values of ${env:NAME}, passwords
// in URLs, and the values of header fields that carry credentials; longest
// first, so that replacing them in order hides all. Values shorter than four
// bytes are left out: they can hide nothing, and replacing them would tear
// figures apart.
func (s *Scenario) Secrets() []string {
	return slices.Clone(s.secrets)
}

// secretName matches the names of environment variables whose values are kept
// from reports even where the scenario spells them out.
var secretName = regexp.MustCompile(`(?i)passw|pwd|secret|token|credential|api_?key|private_?key`)

var credentialHeaders = []string{"authorization", "proxy-authorization", "cookie", "x-api-key"}

// collectSecrets gathers what Secrets returns; port stands in for ${port}.
func (s *Scenario) collectSecrets(port int) {
	found := map[string]bool{}
	values := Values{Port: port, URLs: s.anyURLs(), Env: func(name string) (string, bool) {
		value, ok := s.env(name)
		found[value] = true
		return value, ok
	}}
	s.templates(func(path, text string) string {
		value, err := Expand(text, values.at(path))
		if err != nil {
			return text
		}
		if u, err := url.Parse(value); err == nil && strings.HasSuffix(path, ".url") && u.User != nil {
			password, _ := u.User.Password()
			found[password] = true
			found[u.User.String()] = true
		}
		if name, ok := strings.CutPrefix(path, "target.command.env."); ok && secretName.MatchString(name) {
			found[value] = true
		}
		if slices.Contains(credentialHeaders, strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])) {
			found[value] = true
			if _, token, ok := strings.Cut(value, " "); ok {
				found[token] = true
			}
		}
		return text
	})
	s.secrets = nil
	for value := range found {
		if len(value) >= 4 {
			s.secrets = append(s.secrets, value)
		}
	}
	slices.SortFunc(s.secrets, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
}

// templates calls visit for each text that may hold templates, and puts what it
// returns in its place.
func (s *Scenario) templates(visit func(path, text string) string) {
	list := func(path string, texts []string) {
		for i := range texts {
			texts[i] = visit(fmt.Sprintf("%s.%d", path, i), texts[i])
		}
	}
	table := func(path string, texts map[string]string) {
		for _, k := range slices.Sorted(maps.Keys(texts)) {
			texts[k] = visit(path+"."+k, texts[k])
		}
	}
	if s.Target.URL != "" {
		s.Target.URL = visit("target.url", s.Target.URL)
	}
	if c := s.Target.Command; c != nil {
		list("target.command.run", c.Run)
		table("target.command.env", c.Env)
		c.URL = visit("target.command.url", c.URL)
		if c.Reload != nil {
			list("target.command.reload.run", c.Reload.Run)
		}
	}
	for _, name := range s.dependencyNames() {
		if config := s.Dependencies[name]; config.URL != "" {
			config.URL = visit(dependencyPath+name+".url", config.URL)
			s.Dependencies[name] = config
		}
	}
	for i := range s.Load {
		for j := range s.Load[i].Requests {
			path, r := fmt.Sprintf("load.%d.requests.%d", i, j), &s.Load[i].Requests[j]
			table(path+".headers", r.Headers)
			r.Body = visit(path+".body", r.Body)
		}
	}
	for i := range s.Chaos {
		if e := s.Chaos[i].Exec; e != nil {
			list(fmt.Sprintf("chaos.%d.exec.run", i), e.Run)
			list(fmt.Sprintf("chaos.%d.exec.revert", i), e.Revert)
		}
	}
}

// clone copies s so deep that templates can be replaced in the copy.
func (s *Scenario) clone() *Scenario {
	c := *s
	if t := s.Target.Command; t != nil {
		command := *t
		command.Run, command.Env = slices.Clone(t.Run), maps.Clone(t.Env)
		if t.Reload != nil {
			reload := *t.Reload
			reload.Run = slices.Clone(t.Reload.Run)
			command.Reload = &reload
		}
		c.Target.Command = &command
	}
	c.Dependencies = maps.Clone(s.Dependencies)
	c.Load = slices.Clone(s.Load)
	for i := range c.Load {
		c.Load[i].Requests = slices.Clone(c.Load[i].Requests)
		for j, r := range c.Load[i].Requests {
			c.Load[i].Requests[j].Headers = maps.Clone(r.Headers)
		}
	}
	c.Chaos = slices.Clone(s.Chaos)
	for i, f := range c.Chaos {
		if f.Exec != nil {
			c.Chaos[i].Exec = &chaos.Exec{Run: slices.Clone(f.Exec.Run), Revert: slices.Clone(f.Exec.Revert)}
		}
	}
	return &c
}
