package protect

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// reserve is how many retries there are before any request, so that a service
	// with few requests can retry too.
	reserve = 10
	// savings bounds how many a quiet time can save up for a storm.
	savings = 100
	// longestPause bounds the growth of the pauses.
	longestPause = 30 * time.Second
)

// retry decides whether and when to try again. Its budget is a token bucket:
// each request pays in the budgeted share of a token, each retry takes one, so
// that over n requests there are at most n × budget + reserve retries (as in
// Finagle's RetryBudget and gRPC's retry throttling).
type retry struct {
	Retry

	mu     sync.Mutex
	tokens float64
}

func newRetry(c Retry) *retry { return &retry{Retry: c, tokens: reserve} }

func (r *retry) deposit() {
	if r.Budget <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens = min(r.tokens+float64(r.Budget), savings)
}

func (r *retry) withdraw() bool {
	if r.Budget <= 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}

// again pauses after so many tries and returns whether to try once more.
func (r *retry) again(ctx context.Context, tries int) bool {
	if tries >= r.Attempts || !r.withdraw() {
		return false
	}
	t := time.NewTimer(rand.N(r.longest(tries) + 1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// longest is the upper end of the pause after so many tries.
func (r *retry) longest(tries int) time.Duration {
	factor := float64(tries)
	if r.Backoff == "exponential" {
		factor = math.Pow(2, float64(tries-1))
	}
	return time.Duration(min(float64(r.Base)*factor, float64(longestPause)))
}
