package scenarios

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// anyPort stands in for the port that only a run knows.
const anyPort = 1

// checkTemplates expands every template, and looks at the URLs that come of it.
func (s *Scenario) checkTemplates(k *checker) {
	values := Values{Port: anyPort, Env: s.env, URLs: s.anyURLs()}
	if s.Target.Kind() == "url" {
		values.Port = 0
	}
	s.templates(func(path, text string) string {
		value, err := Expand(text, values.at(path))
		var wrong *TemplateError
		switch {
		case errors.As(err, &wrong):
			k.reportInside(path, wrong.Offset, wrong.Message)
		case strings.Contains(path, ".headers.") && value != text && strings.ContainsAny(value, "\r\n\x00"):
			k.report(path, "a variable's value breaks the line that a header field is")
		case path == "target.url", path == "target.command.url":
			if message := s.checkURL(value); message != "" && value != "" {
				k.report(path, message)
			}
		case strings.HasPrefix(path, dependencyPath):
			if message := s.checkDependencyURL(strings.Split(path, ".")[1], value); message != "" {
				k.report(path, message)
			}
		}
		return text
	})
	s.collectSecrets(anyPort)
}

// checkURL returns what is wrong with a target's URL, or "". It never repeats
// the URL, which may carry secrets.
func (s *Scenario) checkURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "not a URL (such as http://127.0.0.1:8080/)"
	case u.Scheme != "http" && u.Scheme != "https":
		return "a target's URL begins with http:// or https://"
	case u.Hostname() == "":
		return "the URL has no host (such as http://127.0.0.1:8080/)"
	case u.RawQuery != "" || u.Fragment != "":
		return "a target's URL has no query and no fragment: they belong to the requests' paths"
	case u.Port() != "" && !isPort(u.Port()):
		return "the URL's port is not a number from 1 to 65535"
	case !IsLoopback(u.Hostname()) && !s.AllowRemote:
		return "the host is not loopback: load and faults are for your own services (set allow_remote: true, or use --allow-remote)"
	}
	return ""
}

// checkDependencyURL returns what is wrong with the URL of an external
// dependency once its templates are expanded, or "". It never repeats the URL.
func (s *Scenario) checkDependencyURL(name, expanded string) string {
	config := s.Dependencies[name]
	if config.Mode != "external" {
		return "" // reported already
	}
	config.URL = expanded
	message := ""
	config.Check(func(path, text string) {
		if path == "url" {
			message = text
		}
	})
	u, err := url.Parse(expanded)
	switch {
	case message != "" || err != nil:
		return message
	case u.Port() != "" && !isPort(u.Port()):
		return "the url's port is not a number from 1 to 65535"
	case !IsLoopback(u.Hostname()) && !s.AllowRemote:
		return "the host is not loopback: faults are for your own services (set allow_remote: true, or use --allow-remote)"
	}
	return ""
}

// anyURLs stands in for the URLs that only a run knows.
func (s *Scenario) anyURLs() map[string]string {
	urls := map[string]string{}
	for name, config := range s.Dependencies {
		urls[name] = config.Kind + "://127.0.0.1:1"
	}
	return urls
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// IsLoopback goes by the name alone: localhost, 127.0.0.0/8 and ::1. No name is
// resolved, so what it resolves to later cannot differ.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
