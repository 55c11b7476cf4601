package protect

import "sync"

// Keeper keeps the last good answers, to be given again while the dependency
// they came from fails. It holds so many keys and forgets any one to make room.
type Keeper[T any] struct {
	size int

	mu   sync.Mutex
	last map[string]T
}

// NewKeeper returns a keeper of at most size answers.
func NewKeeper[T any](size int) *Keeper[T] {
	return &Keeper[T]{size: size, last: map[string]T{}}
}

// Keep keeps a good answer.
func (k *Keeper[T]) Keep(key string, answer T) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.last[key]; !known && len(k.last) >= k.size {
		for other := range k.last {
			delete(k.last, other)
			break
		}
	}
	k.last[key] = answer
}

// Last returns the last good answer; ok is false if there is none.
func (k *Keeper[T]) Last(key string) (answer T, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	answer, ok = k.last[key]
	return answer, ok
}
