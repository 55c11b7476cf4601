package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// New connections and requests on kept ones are served in turn, each in order:
// many kept connections must not starve the new ones.
func TestProcessorServesBothLinesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy atomic.Int64
		p := NewProcessor(1, &busy)
		if err := p.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 16)
		for i := range 6 {
			go func() {
				if p.Acquire(t.Context()) == nil {
					order <- fmt.Sprint("request ", i)
					p.Release()
				}
			}()
			synctest.Wait()
		}
		for i := range 3 {
			go func() {
				if a, err := p.Arrive(t.Context()); err == nil {
					order <- fmt.Sprint("arrival ", i)
					a.End()
				}
			}()
			synctest.Wait()
		}
		if busy.Load() != 1 {
			t.Errorf("%d tokens are in use, of 1", busy.Load())
		}
		p.Release()
		synctest.Wait()
		for i, want := range []string{"arrival 0", "request 0", "arrival 1", "request 1", "arrival 2", "request 2", "request 3", "request 4", "request 5"} {
			if got := <-order; got != want {
				t.Errorf("number %d is %s, want %s", i, got, want)
			}
		}
		if busy.Load() != 0 {
			t.Errorf("%d tokens are in use at the end", busy.Load())
		}
	})
}

func TestProcessorForgetsWhoGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy atomic.Int64
		p := NewProcessor(1, &busy)
		if err := p.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gave := make(chan error, 1)
		go func() { gave <- p.Acquire(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-gave; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		p.Release()
		if err := p.Acquire(t.Context()); err != nil {
			t.Error(err)
		}
		p.Release()
		if busy.Load() != 0 {
			t.Errorf("%d tokens are in use at the end", busy.Load())
		}
	})
}
