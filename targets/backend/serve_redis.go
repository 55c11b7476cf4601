package backend

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// redisService is miniredis, whose clock has to be turned by hand.
type redisService struct {
	redis *miniredis.Miniredis
	full  atomic.Bool
	stop  chan struct{}
	done  chan struct{}
}

// tick is how exactly keys expire.
const tick = 20 * time.Millisecond

func serveRedis(s Setup) (service, error) {
	r := &redisService{redis: miniredis.NewMiniRedis(), stop: make(chan struct{}), done: make(chan struct{})}
	if err := r.redis.StartAddr(s.Listen); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", s.Listen, err)
	}
	r.redis.Server().SetPreHook(r.refuse)
	go r.turn()
	return r, nil
}

// turn lets keys expire.
func (r *redisService) turn() {
	defer close(r.done)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-r.stop:
			return
		case now := <-ticker.C:
			r.redis.FastForward(now.Sub(last))
			last = now
		}
	}
}

// needMemory are the commands that a full Redis refuses: those that write and
// may take memory (DENYOOM in Redis's own table).
var needMemory = commandSet(`APPEND BITFIELD BITOP BLMOVE BRPOPLPUSH COPY DECR DECRBY EVAL GEOADD GETSET HINCRBY
	HINCRBYFLOAT HMSET HSET HSETNX INCR INCRBY INCRBYFLOAT LINSERT LMOVE LPUSH LPUSHX LSET MSET MSETNX PFADD PFMERGE
	PSETEX RESTORE RPOPLPUSH RPUSH RPUSHX SADD SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SINTERSTORE SORT SUNIONSTORE
	XADD ZADD ZINCRBY ZINTERSTORE ZRANGESTORE ZUNIONSTORE`)

func commandSet(names string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(names) {
		set[name] = true
	}
	return set
}

func (r *redisService) refuse(c *server.Peer, command string, _ ...string) bool {
	if !r.full.Load() || !needMemory[strings.ToUpper(command)] {
		return false
	}
	c.WriteError("OOM command not allowed when used memory > 'maxmemory'.")
	return true
}

func (r *redisService) name() string {
	return "miniredis" + moduleVersion("github.com/alicebob/miniredis/v2")
}

func (r *redisService) order(what string, on bool) error {
	if what != "fill" {
		return unknownOrder(what)
	}
	r.full.Store(on)
	return nil
}

func (r *redisService) close() error {
	close(r.stop)
	<-r.done
	r.redis.Close()
	return nil
}
