package cluster

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/targets/proc"
)

// secretsShown are the secrets of this cluster that its processes' environments
// and arguments show, to whoever may look at them.
func (f *fixture) secretsShown(key string) (shown []string, processes int) {
	f.t.Helper()
	table, err := proc.ReadTable()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, p := range table.OfRun(f.run, []proc.ID{f.process.ID()}) {
		for _, name := range []string{"environ", "cmdline"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.ID.PID, name))
			if err != nil {
				continue // it has just ended
			}
			processes++
			for _, secret := range []string{
				key,
				"MIGHAgEAMBMGByqGSM49", // how the private key of a certificate begins in JSON
				`"cookies"`,
			} {
				if bytes.Contains(text, []byte(secret)) {
					shown = append(shown, fmt.Sprintf("%s in the %s of process %d", secret, name, p.ID.PID))
				}
			}
		}
	}
	return shown, processes / 2
}

func TestSecretsStandInNoEnvironment(t *testing.T) {
	for _, c := range []struct{ mode, key string }{{"passive", "a key that nobody knows"}, {"active", ""}} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			conf := config(2, "proxy", 0)
			conf.Standby, conf.Sticky, conf.TLS = c.mode, &Sticky{By: "cookie", Key: c.key}, &TLS{SelfSigned: true}
			f := start(t, masterOptions{Config: conf})
			key := c.key
			if key == "" {
				key = `"secrets"`
			}
			check := func(when string) {
				t.Helper()
				shown, n := f.secretsShown(key)
				if n < 4 { // a master, its standby and two workers
					t.Errorf("%s there are %d processes", when, n)
				}
				if len(shown) > 0 {
					t.Errorf("%s one can see %s", when, strings.Join(shown, ", "))
				}
			}
			f.awaitStandby(1)
			check("with a standby")
			ctx, cancel := timeout()
			defer cancel()
			f.upgrade()
			f.awaitMaster(2, f.process.PID())
			f.awaitStandby(3) // the new master was one as well
			if err := f.Reload(ctx); err != nil {
				t.Fatal(err)
			}
			check("after an upgrade")
			f.end()
		})
	}
}
