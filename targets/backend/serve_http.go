package backend

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/hachaos/hachaos/targets/port"
)

// httpService is an external API as an application meets one: POST makes
// something and answers 201 with its id; the same Idempotency-Key again gets
// the first answer, so that a retry makes nothing twice. GET /count tells what
// was made and what was repeated; every other GET answers 200.
type httpService struct {
	server *http.Server
	done   chan error

	mu       sync.Mutex
	made     int64
	repeated int64
	keys     map[string]int64
	oldest   []string // keys by age: the oldest are forgotten
}

const (
	maxRequest = 1 << 20
	maxKeys    = 100_000
)

// receipt is the answer to a POST.
type receipt struct {
	ID     int64  `json:"id"`
	Status string `json:"status"`
}

// tally is the answer to GET /count.
type tally struct {
	Made     int64 `json:"made"`
	Repeated int64 `json:"repeated"`
}

func serveHTTP(s Setup) (service, error) {
	ln, err := port.Listen(s.Listen)
	if err != nil {
		return nil, err
	}
	h := &httpService{done: make(chan error, 1), keys: map[string]int64{}}
	h.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go func() { h.done <- h.server.Serve(ln) }()
	return h, nil
}

// ServeHTTP implements [http.Handler].
func (h *httpService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxRequest)); err != nil {
		http.Error(w, "body too large or incomplete", http.StatusRequestEntityTooLarge)
		return
	}
	switch {
	case r.Method == http.MethodPost:
		answer(w, http.StatusCreated, receipt{h.make(r.Header.Get("Idempotency-Key")), "accepted"})
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case r.URL.Path == "/count":
		h.mu.Lock()
		counted := tally{h.made, h.repeated}
		h.mu.Unlock()
		answer(w, http.StatusOK, counted)
	default:
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	}
}

func (h *httpService) make(key string) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id, known := h.keys[key]; known && key != "" {
		h.repeated++
		return id
	}
	h.made++
	if key == "" {
		return h.made
	}
	h.keys[key] = h.made
	h.oldest = append(h.oldest, key)
	if len(h.oldest) > maxKeys {
		delete(h.keys, h.oldest[0])
		h.oldest = h.oldest[1:]
	}
	return h.made
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that has gone is no concern of ours
}

func (h *httpService) name() string { return "HTTP service" }

func (h *httpService) order(what string, _ bool) error { return unknownOrder(what) }

func (h *httpService) close() error {
	err := h.server.Close()
	if served := <-h.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
