package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"github.com/hachaos/hachaos/chaos/netproxy"
	"github.com/hachaos/hachaos/targets/proc"
)

// Revert undoes one fault. It is data, so that it can be written down before
// the fault is injected and played by another process. Playing it twice does no
// harm but for what the command Run does.
type Revert struct {
	Thaw []proc.ID `json:"thaw,omitempty"` // processes to let go on (SIGCONT)
	Run  []string  `json:"run,omitempty"`  // a command to run
	Dir  string    `json:"dir,omitempty"`  // its working directory

	API    string     `json:"api,omitempty"`    // URL of the chaos proxies
	Toxics []ToxicRef `json:"toxics,omitempty"` // toxics to remove from them
}

// ToxicRef names a toxic on a proxy.
type ToxicRef struct {
	Proxy string `json:"proxy"`
	Name  string `json:"name"`
}

// Play undoes the fault. A process that has ended needs no thawing. While the
// command Run does its work it stands in j, unless j is nil, so that whoever takes
// over ends it before playing the revert anew. The error joins all that could not
// be undone.
func (r Revert) Play(ctx context.Context, j Journal) error {
	var errs []error
	for _, id := range r.Thaw {
		if err := thaw(id); err != nil && !isGone(err) {
			errs = append(errs, fmt.Errorf("thaw pid %d: %w", id.PID, err))
		}
	}
	client := netproxy.NewClient(r.API)
	for _, t := range r.Toxics {
		if err := removeToxic(ctx, client, t); err != nil {
			errs = append(errs, fmt.Errorf("remove the toxic from proxy %s: %w", t.Proxy, err))
		}
	}
	if len(r.Run) > 0 {
		if j != nil {
			j = forgiving{j}
		}
		if err := runCommand(ctx, r.Run, r.Dir, j); err != nil {
			errs = append(errs, fmt.Errorf("revert: %w", err))
		}
	}
	return errors.Join(errs...)
}

// forgiving is a journal for reverts: one that cannot be noted is played all the
// same, since nobody else may be left to.
type forgiving struct{ Journal }

func (f forgiving) Command(id proc.ID) error {
	_ = f.Journal.Command(id)
	return nil
}

// removeToxic removes a toxic. One that is not there needs no removal, and where
// nobody answers the proxies have ended with all their toxics.
func removeToxic(ctx context.Context, c *netproxy.Client, t ToxicRef) error {
	err := c.RemoveToxic(ctx, t.Proxy, t.Name)
	var answer *netproxy.Error
	if errors.As(err, &answer) && answer.Status == http.StatusNotFound || errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	return err
}
