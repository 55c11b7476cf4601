package netproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// State is a proxy with its toxics, as the API shows it.
type State struct {
	Config
	Toxics []Toxic `json:"toxics"`
}

// State returns the proxy as the API shows it.
func (p *Proxy) State() State { return State{p.Config(), p.Toxics()} }

// maxBody bounds what the API reads of a request, in bytes.
const maxBody = 4 << 20

// Handler returns Toxiproxy's HTTP API, which a page in a browser cannot use:
// a request that names another origin, or a host name that could be an
// attacker's, gets 403. GET /stats is our own: the counters of every proxy.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(r *http.Request) (int, any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			status, answer, err := h(r)
			s.answer(w, status, answer, err)
		})
	}
	handle("GET /proxies", s.listProxies)
	handle("POST /proxies", s.createProxy)
	handle("POST /populate", s.populate)
	handle("POST /reset", s.resetAll)
	handle("GET /proxies/{proxy}", s.showProxy)
	handle("DELETE /proxies/{proxy}", s.deleteProxy)
	handle("GET /proxies/{proxy}/toxics", s.listToxics)
	handle("POST /proxies/{proxy}/toxics", s.createToxic)
	handle("GET /proxies/{proxy}/toxics/{toxic}", s.showToxic)
	handle("DELETE /proxies/{proxy}/toxics/{toxic}", s.deleteToxic)
	for _, method := range []string{"POST", "PATCH"} {
		handle(method+" /proxies/{proxy}", s.updateProxy)
		handle(method+" /proxies/{proxy}/toxics/{toxic}", s.updateToxic)
	}
	handle("GET /stats", s.showStats)
	mux.HandleFunc("GET /version", s.version)
	mux.Handle("GET /metrics", s.metrics())
	return s.guard(mux)
}

// answer writes what a request comes to. Errors are sent as plain text that
// holds JSON, which is what Toxiproxy does.
func (s *Server) answer(w http.ResponseWriter, status int, answer any, err error) {
	if err != nil {
		var known *Error
		if !errors.As(err, &known) {
			known = &Error{err.Error(), http.StatusInternalServerError}
		}
		body, _ := json.Marshal(known) // two plain fields: it cannot fail
		http.Error(w, string(body), known.Status)
		return
	}
	if answer == nil {
		w.WriteHeader(status)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		s.answer(w, 0, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		s.log.Debug("an answer could not be written", "error", err)
	}
}

func (s *Server) listProxies(*http.Request) (int, any, error) {
	all := map[string]State{}
	for _, p := range s.Proxies() {
		all[p.name] = p.State()
	}
	return http.StatusOK, all, nil
}

func (s *Server) createProxy(r *http.Request) (int, any, error) {
	c := Config{Enabled: true}
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		return 0, nil, badBody(err)
	}
	p, err := s.Add(c)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, p.State(), nil
}

func (s *Server) populate(r *http.Request) (int, any, error) {
	configs, err := readConfigs(r.Body)
	var made []*Proxy
	if err == nil {
		made, err = s.Populate(configs)
	}
	// Toxiproxy answers with the error and what was made before it, in one.
	var answer struct {
		*Error
		Proxies []State `json:"proxies"`
	}
	for _, p := range made {
		answer.Proxies = append(answer.Proxies, p.State())
	}
	status := http.StatusCreated
	if err != nil {
		if !errors.As(err, &answer.Error) {
			answer.Error = &Error{err.Error(), http.StatusInternalServerError}
		}
		status = answer.Status
	}
	return status, answer, nil
}

// readConfigs reads a list of proxies, each enabled unless it says otherwise.
func readConfigs(r io.Reader) ([]Config, error) {
	var in []struct {
		Config
		Enabled *bool `json:"enabled"`
	}
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return nil, badBody(err)
	}
	configs := make([]Config, len(in))
	for i, c := range in {
		configs[i] = c.Config
		configs[i].Enabled = c.Enabled == nil || *c.Enabled
	}
	return configs, nil
}

// PopulateFrom makes the proxies of a file in Toxiproxy's format: a JSON list.
func (s *Server) PopulateFrom(r io.Reader) ([]*Proxy, error) {
	configs, err := readConfigs(r)
	if err != nil {
		return nil, err
	}
	return s.Populate(configs)
}

func (s *Server) resetAll(*http.Request) (int, any, error) {
	return http.StatusNoContent, nil, s.Reset()
}

func (s *Server) showProxy(r *http.Request) (int, any, error) {
	p, err := s.Proxy(r.PathValue("proxy"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, p.State(), nil
}

func (s *Server) updateProxy(r *http.Request) (int, any, error) {
	p, err := s.Proxy(r.PathValue("proxy"))
	if err != nil {
		return 0, nil, err
	}
	c := p.Config()
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		return 0, nil, badBody(err)
	}
	if err := p.Update(c); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, p.State(), nil
}

func (s *Server) deleteProxy(r *http.Request) (int, any, error) {
	return http.StatusNoContent, nil, s.Remove(r.PathValue("proxy"))
}

func (s *Server) listToxics(r *http.Request) (int, any, error) {
	p, err := s.Proxy(r.PathValue("proxy"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, p.Toxics(), nil
}

func (s *Server) createToxic(r *http.Request) (int, any, error) {
	p, err := s.Proxy(r.PathValue("proxy"))
	if err != nil {
		return 0, nil, err
	}
	t, err := readToxic(r.Body)
	if err == nil {
		t, err = p.AddToxic(t)
	}
	return http.StatusOK, t, err
}

func (s *Server) showToxic(r *http.Request) (int, any, error) {
	p, err := s.Proxy(r.PathValue("proxy"))
	if err != nil {
		return 0, nil, err
	}
	t, err := p.Toxic(r.PathValue("toxic"))
	return http.StatusOK, t, err
}

func (s *Server) updateToxic(r *http.Request) (int, any, error) {
	p, err := s.Proxy(r.PathValue("proxy"))
	if err != nil {
		return 0, nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, nil, badBody(err)
	}
	t, err := p.changeToxic(r.PathValue("toxic"), func(old *toxic) (Toxic, error) {
		return old.updated(bytes.NewReader(body))
	})
	return http.StatusOK, t, err
}

func (s *Server) deleteToxic(r *http.Request) (int, any, error) {
	p, err := s.Proxy(r.PathValue("proxy"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, p.RemoveToxic(r.PathValue("toxic"))
}

func (s *Server) showStats(*http.Request) (int, any, error) {
	return http.StatusOK, s.Stats(), nil
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	fmt.Fprintf(w, "{\"version\": %q}\n", s.opts.Version)
}
