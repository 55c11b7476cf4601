//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hachaos/hachaos/reports"
)

var fence = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$")

// What makes a scenario of a part of one.
const (
	aroundTarget = `name: part
load: [{name: main, closed: {concurrency: 1}, duration: 30s, requests: [{path: /}]}]
`
	aroundLoad = "name: part\ntarget: {single: {app: {work: 1ms}}}\n"
	around     = aroundTarget + "target: {single: {app: {work: 1ms}}}\n"
)

// TestReadme runs every command of the README, in its order, in one folder. The
// first scenario that is printed there is its my.yaml. Parts of one that name
// dependencies, a target or load are validated.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	commands := 0
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		switch language, body := block[1], block[2]; language {
		case "yaml":
			if _, err := os.Stat(filepath.Join(dir, "my.yaml")); err != nil && strings.HasPrefix(body, "name:") {
				write(t, dir, "my.yaml", body)
			}
			for key, text := range map[string]string{"dependencies:": around, "target:": aroundTarget, "load:": aroundLoad} {
				if strings.HasPrefix(body, key) {
					write(t, dir, "part.yaml", text+body)
					runReadmeLine(t, dir, "sh", "hachaos validate part.yaml")
				}
			}
		case "sh", "console":
			for line := range strings.Lines(body) {
				if runReadmeLine(t, dir, language, line) {
					commands++
				}
			}
		}
	}
	if commands < 10 {
		t.Errorf("only %d commands were found", commands)
	}
}

// runReadmeLine runs one line if it is a command of hachaos. Those that build and
// test hachaos itself are what runs this test.
func runReadmeLine(t *testing.T, dir, language, line string) bool {
	t.Helper()
	line, _, _ = strings.Cut(line, "  #")
	line, prompted := strings.CutPrefix(strings.TrimSpace(line), "$ ")
	if language == "console" && !prompted {
		return false // it is output
	}
	line = strings.Replace(line, "go run ./cmd/hachaos", "hachaos", 1)
	if !strings.HasPrefix(line, "hachaos ") {
		if line != "make test" && !strings.HasPrefix(line, "go build ") && line != "" {
			t.Errorf("a command that this test does not know: %s", line)
		}
		return false
	}
	line, background := strings.CutSuffix(line, "&")
	line = strings.Replace(line, "127.0.0.1:8080", "127.0.0.1:0", 1) // which may be taken
	command := func() *exec.Cmd {
		cmd := exec.Command("sh", "-c", "exec "+line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+binary+string(os.PathListSeparator)+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+dir)
		return cmd
	}
	cmd := command()
	if !background {
		out, err := cmd.CombinedOutput()
		for try := 1; try < verdictTries && cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == reports.ExitInconclusive; try++ {
			cmd = command()
			out, err = cmd.CombinedOutput()
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		return true
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended if all went well
		_ = cmd.Wait()
	})
	await(t, line+" to come up", 30*time.Second, func() bool {
		status := exec.Command(filepath.Join(binary, name()), "cluster", "status")
		status.Env = cmd.Env
		return status.Run() == nil
	})
	return true
}
