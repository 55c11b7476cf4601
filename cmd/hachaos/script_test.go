package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/hachaos/hachaos/reports"
	"github.com/rogpeppe/go-internal/testscript"
)

// jsonValue compares values of a JSON file: json FILE PATH OP VALUE, with OP one
// of == != >= <= > < and PATH such as load.0.requests.failed; len behind it is
// the length of a list.
func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: json FILE PATH OP VALUE")
	}
	var doc any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &doc))
	got, err := lookUp(doc, args[1])
	ts.Check(err)
	if holds(got, args[2], args[3]) == neg {
		ts.Fatalf("%s is %v, want %s %s (negated: %v)", args[1], got, args[2], args[3], neg)
	}
}

func lookUp(doc any, path string) (any, error) {
	path, length := strings.CutSuffix(path, ".len")
	for _, key := range strings.Split(path, ".") {
		switch v := doc.(type) {
		case map[string]any:
			inner, ok := v[key]
			if !ok {
				return nil, fmt.Errorf("no %q in %s", key, path)
			}
			doc = inner
		case []any:
			i, err := strconv.Atoi(key)
			if i < 0 {
				i += len(v) // from the end
			}
			if err != nil || i < 0 || i >= len(v) {
				return nil, fmt.Errorf("no item %s of %d in %s", key, len(v), path)
			}
			doc = v[i]
		default:
			return nil, fmt.Errorf("%q: nothing below %v", path, v)
		}
	}
	if list, ok := doc.([]any); ok && length {
		return float64(len(list)), nil
	}
	return doc, nil
}

func holds(got any, op, want string) bool {
	number, isNumber := got.(float64)
	limit, err := strconv.ParseFloat(want, 64)
	if !isNumber || err != nil {
		same := fmt.Sprint(got) == want || (got == nil && want == "null")
		return (op == "==") == same && (op == "==" || op == "!=")
	}
	switch op {
	case "==":
		return number == limit
	case "!=":
		return number != limit
	case ">=":
		return number >= limit
	case "<=":
		return number <= limit
	case ">":
		return number > limit
	case "<":
		return number < limit
	}
	return false
}

// verdictTries is how often a run is played that the machine was too busy to
// judge.
const verdictTries = 3

// exitCode runs a command and wants an exit code: exit CODE COMMAND ARG...
// Standard output and error are there for stdout and stderr afterwards. A run
// that is inconclusive, unless that is wanted, is played again.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	for range verdictTries {
		err = ts.Exec(args[1], args[2:]...)
		got = 0
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			got = failed.ExitCode()
		} else {
			ts.Check(err)
		}
		if got == want || got != reports.ExitInconclusive {
			break
		}
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}
