//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/port"
)

// failover kills the primary of a PostgreSQL that acknowledges a commit only when
// a replica has it. The target's address is known beforehand, for clients that
// are not hachaos.
const failover = `name: failover
seed: 1
target:
  command:
    run: [hachaos, cluster, --workers, "2", --listen, "127.0.0.1:%[1]d", --dir, "%[2]s"]
    url: "http://127.0.0.1:%[1]d/"
dependencies:
  db: {kind: postgres, mode: local, replicas: 2, replication: sync}
ready: {path: /ready, timeout: 60s}
load: [{name: read, closed: {concurrency: 2, think: 20ms}, duration: 120s, requests: [{path: /items}]}]
chaos: [{name: failover, kill: {dependency: db, process: primary}, at: 1s}]
`

// TestFailoverLosesNoAcknowledgedWrite writes while the primary is killed and a
// replica takes its place, and then looks for every write that was acknowledged.
func TestFailoverLosesNoAcknowledgedWrite(t *testing.T) {
	if there, err := serverThere("server:postgres"); err != nil {
		t.Fatal(err)
	} else if !there {
		t.Skip("PostgreSQL is not installed")
	}
	number, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	// The path of a socket is short, and PostgreSQL, which never is root, must be
	// able to enter the folder.
	dir, err := os.MkdirTemp("", "fo")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("PATH", binary+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd, out := play(t, dir, "run", write(t, dir, "failover.yaml", fmt.Sprintf(failover, number, filepath.Join(dir, "control"))))
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended if all went well; its guard ends the rest
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("hachaos printed:\n%s", out)
		}
	})
	base := "http://127.0.0.1:" + strconv.Itoa(number)
	client := &http.Client{Timeout: 10 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	await(t, "the warm-up", time.Minute, func() bool { return strings.Contains(out.String(), "warming up") })

	var mu sync.Mutex
	var acknowledged []string
	failed, after := 0, 0 // writes that failed, and that went well after one had
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				id, ok := addItem(client, base)
				mu.Lock()
				if ok {
					acknowledged = append(acknowledged, id)
					if failed > 0 {
						after++
					}
				} else {
					failed++
				}
				mu.Unlock()
			}
		})
	}
	await(t, "writes after the failover", time.Minute, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return failed > 0 && after > 100 && strings.Contains(out.String(), "failover#1")
	})
	close(stop)
	writers.Wait()

	there := map[string]bool{}
	answer, err := client.Get(base + "/items/all")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var all struct{ IDs []string }
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	for _, id := range all.IDs {
		there[id] = true
	}
	lost := 0
	for _, id := range acknowledged {
		if !there[id] {
			lost++
		}
	}
	t.Logf("%d writes were acknowledged, %d of them after the failover; %d failed; %d are in the database", len(acknowledged), after, failed, len(all.IDs))
	if lost > 0 {
		t.Errorf("%d of %d acknowledged writes are lost", lost, len(acknowledged))
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was interrupted
	if folders, _ := filepath.Glob(filepath.Join(dir, "hachaos-*")); len(folders) > 0 {
		t.Errorf("left behind: %v", folders)
	}
}

// addItem writes an item and returns its id; false if that was not acknowledged.
func addItem(client *http.Client, base string) (id string, ok bool) {
	answer, err := client.Post(base+"/items", "text/plain", strings.NewReader("a write"))
	if err != nil {
		return "", false
	}
	defer answer.Body.Close()
	var item struct{ ID string }
	if err := json.NewDecoder(answer.Body).Decode(&item); err != nil || answer.StatusCode != http.StatusCreated {
		_, _ = io.Copy(io.Discard, answer.Body)
		return "", false
	}
	return item.ID, true
}
