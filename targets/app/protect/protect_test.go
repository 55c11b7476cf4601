package protect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hachaos/hachaos/reports/units"
	"github.com/hachaos/hachaos/targets/page"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errDown = errors.New("connection refused")
	errRow  = errors.New("no such row")
)

func ms(n int) units.Duration { return units.Duration(time.Duration(n) * time.Millisecond) }

// script is a dependency that answers as told, one answer after the other and
// the last one from then on.
type script struct {
	mu      sync.Mutex
	answers []error
	calls   int
}

func (s *script) call(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.answers[min(s.calls, len(s.answers)-1)]
	s.calls++
	return err
}

func TestWithoutProtection(t *testing.T) {
	d := New(Options{Name: "db"})
	s := &script{answers: []error{errDown, nil}}
	err := d.Do(t.Context(), s.call)
	if !errors.Is(err, errDown) || err.Error() != "db: connection refused" || s.calls != 1 {
		t.Errorf("%v after %d calls", err, s.calls)
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := d.Do(t.Context(), func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); ok {
				t.Error("there is a deadline")
			}
			time.Sleep(time.Hour)
			return nil
		}); err != nil || time.Since(start) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
	if got := d.Stats(); got.Calls != 2 || got.Failures != 1 || got.Retries != 0 || got.Breaker != "" || got.Latency != time.Hour {
		t.Errorf("stats %+v", got)
	}
}

func TestTimeoutEndsEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Options{Name: "db", Timeout: time.Second, Retry: &Retry{Attempts: 2}})
		start, calls := time.Now(), 0
		err := d.Do(t.Context(), func(ctx context.Context) error {
			calls++
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || calls != 2 || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %d calls and %v", err, calls, time.Since(start))
		}
	})
}

func TestPoolBoundsCallsAndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Options{Name: "db", Pool: &Pool{Max: 2, Wait: ms(100)}})
		var running, most, served, busy atomic.Int64
		var wg sync.WaitGroup
		start := time.Now()
		for range 5 {
			wg.Go(func() {
				err := d.Do(t.Context(), func(context.Context) error {
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					time.Sleep(80 * time.Millisecond)
					return nil
				})
				switch {
				case err == nil:
					served.Add(1)
				case errors.Is(err, ErrBusy) && time.Since(start) == 100*time.Millisecond:
					busy.Add(1)
				default:
					t.Errorf("%v after %v", err, time.Since(start))
				}
			})
		}
		wg.Wait()
		if most.Load() != 2 || served.Load() != 4 || busy.Load() != 1 {
			t.Errorf("%d at once, %d served, %d had no patience", most.Load(), served.Load(), busy.Load())
		}
		// Without wait only the client's patience ends it.
		d = New(Options{Name: "db", Pool: &Pool{Max: 1}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := d.Do(ctx, func(context.Context) error { return d.Do(ctx, (&script{answers: []error{nil}}).call) })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("within itself: %v", err)
		}
	})
}

func TestRetryTriesSoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			backoff string
			tries   int
			longest time.Duration // of all pauses together
		}{
			{"exponential", 5, 150 * time.Second / 10},
			{"linear", 5, 10 * time.Second},
		} {
			d := New(Options{Name: "db", Retry: &Retry{Attempts: c.tries, Backoff: c.backoff, Base: ms(1000)}})
			var shortest, longest time.Duration = time.Hour, 0
			for range 200 {
				s := &script{answers: []error{errDown}}
				start := time.Now()
				if err := d.Do(t.Context(), s.call); !errors.Is(err, errDown) || s.calls != c.tries {
					t.Fatalf("%s: %v after %d calls", c.backoff, err, s.calls)
				}
				shortest, longest = min(shortest, time.Since(start)), max(longest, time.Since(start))
			}
			// With full jitter the pauses are spread over all of their range.
			if longest > c.longest || longest < c.longest/2 || shortest > c.longest/2 {
				t.Errorf("%s: the pauses take from %v to %v, want up to %v", c.backoff, shortest, longest, c.longest)
			}
		}
	})
}

func TestRetryStopsAtSuccessAndAtHealthyErrors(t *testing.T) {
	d := New(Options{Name: "db", Retry: &Retry{Attempts: 3}, Healthy: func(err error) bool { return errors.Is(err, errRow) }})
	for _, c := range []struct {
		answers []error
		want    error
		calls   int
	}{
		{[]error{nil}, nil, 1},
		{[]error{errDown, nil}, nil, 2},
		{[]error{errDown, errDown, errDown, nil}, errDown, 3},
		{[]error{errRow}, errRow, 1},
	} {
		s := &script{answers: c.answers}
		if err := d.Do(t.Context(), s.call); !errors.Is(err, c.want) || s.calls != c.calls {
			t.Errorf("%v: %v after %d calls", c.answers, err, s.calls)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := d.Do(ctx, func(context.Context) error { calls++; cancel(); return errDown })
	if err == nil || calls != 1 {
		t.Errorf("the client left: %v after %d calls", err, calls)
	}
}

// What was tried again, how long it waited and what that was good for is
// counted, and not what a healthy dependency answered or nobody waits for.
func TestTriesAgainAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counts page.Retries
		d := New(Options{Name: "db", Retry: &Retry{Attempts: 5, Backoff: "exponential", Base: ms(100)}, Retries: &counts, Healthy: func(err error) bool { return errors.Is(err, errRow) }})
		start := time.Now()
		for _, answers := range [][]error{
			{nil}, {errRow}, {errDown, nil}, {errDown, errDown, errRow}, {errDown, errDown, errDown, errDown, nil}, {errDown},
		} {
			s := &script{answers: answers}
			_ = d.Do(t.Context(), s.call)
		}
		waited := time.Since(start)
		ctx, cancel := context.WithCancel(t.Context())
		_ = d.Do(ctx, func(context.Context) error { cancel(); return errDown })
		if counts.Failed.Load() != 4 || counts.Succeeded.Load() != 3 {
			t.Errorf("%d failed, %d of them succeeded, want 4 and 3", counts.Failed.Load(), counts.Succeeded.Load())
		}
		pauses := counts.Pauses()
		var sum time.Duration
		for i, want := range []struct {
			tries int64
			most  time.Duration
		}{{4, 100 * time.Millisecond}, {3, 200 * time.Millisecond}, {4, 800 * time.Millisecond}} {
			if p := pauses[i]; p.Tries != want.tries || p.Waited <= 0 || p.Waited > time.Duration(p.Tries)*want.most {
				t.Errorf("pause %d: %+v, want %d tries", i+1, p, want.tries)
			}
			sum += pauses[i].Waited
		}
		if sum != waited {
			t.Errorf("%v was waited and %v counted", waited, sum)
		}
		// Without a retry the failures are counted all the same.
		d = New(Options{Name: "db", Retries: &counts})
		_ = d.Do(t.Context(), (&script{answers: []error{errDown, nil}}).call)
		if counts.Failed.Load() != 5 || counts.Pauses() != pauses {
			t.Errorf("%d failed, want 5; pauses %+v", counts.Failed.Load(), counts.Pauses())
		}
	})
}

func TestBudgetBoundsRetries(t *testing.T) {
	const requests = 1000
	for _, c := range []struct {
		budget units.Ratio
		least  int64
		most   int64
	}{
		{0, 2 * requests, 2 * requests},
		{0.2, requests / 5, requests/5 + reserve},
		{0.01, requests / 100, requests/100 + reserve},
	} {
		d := New(Options{Name: "db", Retry: &Retry{Attempts: 3, Budget: c.budget}})
		s := &script{answers: []error{errDown}}
		for range requests {
			_ = d.Do(t.Context(), s.call)
		}
		if got := d.Stats().Retries; got < c.least || got > c.most {
			t.Errorf("budget %v: %d retries of %d requests, want %d to %d", c.budget, got, requests, c.least, c.most)
		}
	}
	// A quiet time saves up so much and no more.
	d := New(Options{Name: "db", Retry: &Retry{Attempts: 2, Budget: 1}})
	for range requests {
		_ = d.Do(t.Context(), (&script{answers: []error{nil}}).call)
	}
	if got := d.retry.tokens; got != savings {
		t.Errorf("%v retries are saved up", got)
	}
}

// heard collects what a breaker tells.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) tell(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}

func (h *heard) check(t *testing.T, want ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if got := strings.Join(h.lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("told was\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	h.lines = nil
}

func TestBreakerOpensTriesAgainAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told heard
		d := New(Options{Name: "redis", Breaker: &Breaker{Failures: 3, Open: ms(1000), HalfOpen: 1, Successes: 2}, Tell: told.tell})
		s := &script{answers: []error{errDown, errDown, nil, errDown, errDown, errDown, errDown, nil}}
		do := func() error { return d.Do(t.Context(), s.call) }
		for range 6 { // two, a success, three: only those open it
			if err := do(); errors.Is(err, ErrOpen) {
				t.Fatal("it opens too early")
			}
		}
		told.check(t, "breaker opens after 3 failures in a row: connection refused")
		if err := do(); !errors.Is(err, ErrOpen) || s.calls != 6 || d.Stats().Breaker != "open" {
			t.Errorf("open: %v after %d calls, %s", err, s.calls, d.Stats().Breaker)
		}
		time.Sleep(time.Second + 1)
		if err := do(); !errors.Is(err, errDown) {
			t.Errorf("tried again: %v", err)
		}
		told.check(t, "breaker is half-open: it tries again", "breaker opens again: connection refused")
		if err := do(); !errors.Is(err, ErrOpen) {
			t.Errorf("open again: %v", err)
		}
		time.Sleep(time.Second + 1)
		if err := do(); err != nil || d.Stats().Breaker != "half-open" {
			t.Errorf("one success: %v, %s", err, d.Stats().Breaker)
		}
		if err := do(); err != nil || d.Stats().Breaker != "closed" {
			t.Errorf("two successes: %v, %s", err, d.Stats().Breaker)
		}
		told.check(t, "breaker is half-open: it tries again", "breaker closes")
	})
}

func TestBreakerByErrorRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told heard
		d := New(Options{Name: "redis", Breaker: &Breaker{ErrorRate: 0.5, Open: ms(1000), HalfOpen: 1, Successes: 1}, Tell: told.tell})
		do := func(err error) error {
			return d.Do(t.Context(), func(context.Context) error { return err })
		}
		for range 9 {
			_ = do(errDown) // all fail, but they are too few to say
		}
		time.Sleep(2 * window) // and are forgotten
		for range 6 {
			_ = do(nil)
		}
		for range 5 {
			_ = do(errDown)
		}
		told.check(t)
		_ = do(errDown)
		told.check(t, "breaker opens after 6 of 12 calls failed: connection refused")
	})
}

// While it tries again, only so many calls are under way, however many come.
func TestBreakerTriesAgainWithFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Options{Name: "redis", Breaker: &Breaker{Failures: 1, Open: ms(1000), HalfOpen: 2, Successes: 3}})
		_ = d.Do(t.Context(), func(context.Context) error { return errDown })
		time.Sleep(time.Second + 1)
		var through, refused atomic.Int64
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := d.Do(t.Context(), func(context.Context) error {
					through.Add(1)
					time.Sleep(time.Second)
					return nil
				}); errors.Is(err, ErrOpen) {
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		if through.Load() != 2 || refused.Load() != 8 || d.Stats().Breaker != "half-open" {
			t.Errorf("%d went through, %d were refused, it is %s", through.Load(), refused.Load(), d.Stats().Breaker)
		}
		_ = d.Do(t.Context(), func(context.Context) error { return nil })
		if got := d.Stats().Breaker; got != "closed" {
			t.Errorf("after three successes it is %s", got)
		}
	})
}

// Clients that leave, and answers such as "no such row", say nothing against a
// dependency.
func TestBreakerCountsOnlyFailures(t *testing.T) {
	d := New(Options{Name: "redis", Breaker: &Breaker{Failures: 1, Open: ms(1000), HalfOpen: 1, Successes: 1}, Healthy: func(err error) bool { return errors.Is(err, errRow) }})
	for range 3 {
		if err := d.Do(t.Context(), func(context.Context) error { return errRow }); err != errRow {
			t.Errorf("a healthy error is %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := d.Do(ctx, func(ctx context.Context) error { cancel(); return ctx.Err() }); !errors.Is(err, context.Canceled) {
			t.Errorf("a client that left: %v", err)
		}
	}
	if got := d.Stats().Breaker; got != "closed" {
		t.Errorf("it is %s", got)
	}
}

// An open breaker is not tried again, which would only take time.
func TestOpenBreakerIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Options{Name: "redis", Breaker: &Breaker{Failures: 2, Open: ms(60000), HalfOpen: 1, Successes: 1}, Retry: &Retry{Attempts: 5, Backoff: "linear", Base: ms(1)}})
		s := &script{answers: []error{errDown}}
		if err := d.Do(t.Context(), s.call); !errors.Is(err, ErrOpen) || s.calls != 2 {
			t.Errorf("%v after %d calls", err, s.calls)
		}
		start := time.Now()
		if err := d.Do(t.Context(), s.call); !errors.Is(err, ErrOpen) || s.calls != 2 || time.Since(start) != 0 {
			t.Errorf("%v after %d calls and %v", err, s.calls, time.Since(start))
		}
	})
}

func TestKeeperKeepsSoMany(t *testing.T) {
	k := NewKeeper[int](2)
	for i := range 5 {
		k.Keep(fmt.Sprint(i), i)
		if got, ok := k.Last(fmt.Sprint(i)); !ok || got != i {
			t.Errorf("%d: %d, %v", i, got, ok)
		}
	}
	k.Keep("4", 7)
	if got, ok := k.Last("4"); !ok || got != 7 || len(k.last) != 2 {
		t.Errorf("%d, %v, %d are kept", got, ok, len(k.last))
	}
}
