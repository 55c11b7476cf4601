package scenarios

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hachaos/hachaos/loadgen"
	"github.com/hachaos/hachaos/targets/cluster"
)

// everything has each part of a target, of a stream and of the prober that may
// be left out.
const everything = `name: all
target:
  cluster:
    workers: 2
    dispatch: proxy
    health: {}
    sticky: {by: cookie}
    tls: {self_signed: true}
    liveness: {}
    broadcast: {}
    app: {crash: {after: 1s}, slow: {worker: 1, wait: 1s}, pool: {max: 1}, retry: {}, breaker: {}, cache: {single_flight: true}}
load:
  - {name: main, closed: {concurrency: 3}, duration: 5s}
  - {name: other, open: {rate: 5/s}, duration: 5s}
`

// A target that is started sets defaults once more, on what came to it as JSON: a
// zero that a file may hold is still there then.
func TestWrittenZerosSurviveTheStart(t *testing.T) {
	mustLoad(t, everything, Options{})
	refused, kept := 0, 0
	for _, root := range []struct {
		path  string
		start func(*Scenario) any // what the part under path becomes
	}{
		{"target.cluster", func(s *Scenario) any {
			c := *s.Target.Cluster
			c.SetDefaults()
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			var started cluster.Config
			if err := json.Unmarshal(text, &started); err != nil {
				t.Fatal(err)
			}
			started.SetDefaults()
			return started
		}},
		{"load.main", func(s *Scenario) any { s.Load[0].SetDefaults(); return s.Load[0] }},
		{"load.other", func(s *Scenario) any { s.Load[1].SetDefaults(); return s.Load[1] }},
		{"probe", func(s *Scenario) any { s.Probe.SetDefaults(loadgen.Request{}); return s.Probe.Probe }},
	} {
		for path, index := range numbersOf(reflect.TypeOf(root.start(mustLoad(t, everything, Options{})))) {
			set := root.path + "." + path + "=" + index.zero
			s, err := LoadBytes("all.yaml", []byte(everything), Options{Sets: []string{set}})
			if err != nil {
				refused++
				continue
			}
			kept++
			v := reflect.ValueOf(root.start(s))
			for _, i := range index.fields {
				if v.Kind() == reflect.Pointer {
					v = v.Elem()
				}
				v = v.Field(i)
			}
			if v.Kind() == reflect.Pointer {
				v = v.Elem()
			}
			if !v.IsZero() && !(v.Kind() == reflect.Slice && v.Len() == 0) {
				t.Errorf("%s is taken, and then it is %v", set, v)
			}
		}
	}
	if refused < 20 || kept < 10 {
		t.Errorf("%d zeros were refused and %d kept", refused, kept)
	}
}

// number is a key that can be zero: how to get there, and how that is written.
type number struct {
	fields []int
	zero   string
}

// numbersOf lists the keys of numbers and lists in a struct type and beneath.
func numbersOf(typ reflect.Type) map[string]number {
	all := map[string]number{}
	for _, f := range fieldsOf(typ) {
		inner := typ.FieldByIndex(f.index).Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		v := reflect.New(inner).Elem()
		switch {
		case inner == durationType:
			all[f.key] = number{f.index, "0s"}
		case inner.Kind() == reflect.Slice:
			all[f.key] = number{f.index, "[]"}
		case v.CanInt() || v.CanUint() || v.CanFloat():
			all[f.key] = number{f.index, "0"}
		case inner.Kind() == reflect.Struct:
			for key, n := range numbersOf(inner) {
				all[f.key+"."+key] = number{append(slices.Clone(f.index), n.fields...), n.zero}
			}
		}
	}
	return all
}

func TestAFailoverTakesTime(t *testing.T) {
	_, err := LoadBytes("a.yaml", []byte(minimal+"dependencies: {db: {kind: postgres, replicas: 1, failover_after: 0s}}\n"), Options{})
	if err == nil || !strings.Contains(err.Error(), "failover_after must be longer than 0s") {
		t.Errorf("got %v", err)
	}
}
