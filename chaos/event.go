package chaos

import "time"

// State says how an injection went.
type State string

const (
	Done    State = "done"
	Skipped State = "skipped" // its victim had been ended by an earlier fault
	Failed  State = "failed"  // it could not be injected
)

// Event is one injection of a fault as it really happened. Moments are offsets
// from t = 0.
type Event struct {
	ID      string // the fault's name and repetition: "crash#1"
	Name    string
	Kind    string        // "kill", "pause", ...
	N       int           // 1 for the first repetition
	At      time.Duration // when it was due
	Start   time.Duration // when it was injected: it acts since then at the earliest
	Took    time.Duration // from Start until the injection was through
	End     time.Duration // when it was reverted; equals Start for what cannot be reverted
	Lasting bool          // it lasts from Start to End, and recovery counts from End
	// Ended says that a lasting fault was over when all processes that it struck
	// had ended: End is then. Recovery counts from Start if who watches over them
	// did that, from End if another fault did.
	Ended   bool
	State   State
	Victims []Victim
	// Dependency is the one that was struck, or that connections to were; "" for
	// the target.
	Dependency string
	Detail     string // in words: "SIGKILL worker 2 (pid 4711)"
	Error      string // why it was skipped or failed, or why its revert did
}

// Victim is a process that a fault hit.
type Victim struct {
	Worker int // slot from 1; 0 for what is no worker
	PID    int
}
