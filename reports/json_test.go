package reports

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func written(t *testing.T, doc Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReadWhatWasWritten(t *testing.T) {
	r := Fold(crashRun())
	for _, doc := range []Document{r, NewSuite(r, Fold(Run{Failure: "the target never became ready"}))} {
		text := written(t, doc)
		if again := written(t, doc); again != text {
			t.Error("the same document was written in two ways")
		}
		got, err := Read(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, doc) {
			t.Errorf("read %+v, wrote %+v", got, doc)
		}
		if len(got.Reports()) != len(doc.Reports()) {
			t.Errorf("%d reports", len(got.Reports()))
		}
	}
}

// No report has a null where a list or a map belongs, nor NaN, nor Inf, however
// little was measured.
func TestNothingIsNullThatIsAList(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	runs := []Run{{}, {Failure: "x"}, crashRun()}
	for range 50 {
		runs = append(runs, randomRun(rng))
	}
	for i, run := range runs {
		noNilLists(t, i, reflect.ValueOf(*Fold(run)), "report")
		if _, err := Read(strings.NewReader(written(t, Fold(run)))); err != nil {
			t.Errorf("run %d: %v", i, err)
		}
	}
}

func noNilLists(t *testing.T, run int, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		if v.IsNil() {
			t.Errorf("run %d: %s is nil", run, path)
		}
		if v.Kind() == reflect.Slice {
			for i := range v.Len() {
				noNilLists(t, run, v.Index(i), path)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			noNilLists(t, run, v.Elem(), path)
		}
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			return
		}
		for i := range v.NumField() {
			noNilLists(t, run, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := written(t, Fold(crashRun()))
	suite := written(t, NewSuite(Fold(crashRun())))
	compared, projected := written(t, Compare(Fold(crashRun()), Fold(crashRun()))), written(t, Fold(projectedRun()))
	for name, c := range map[string]struct{ text, says string }{
		"empty":              {" \n", "it is empty"},
		"another schema":     {strings.Replace(good, "report/v1", "report/v2", 1), `it has schema "hachaos.report/v2"; this hachaos reads`},
		"another run schema": {strings.Replace(suite, "report/v1", "report/v2", 1), `run 1 of the suite has schema "hachaos.report/v2"`},
		"no schema":          {`{"verdict": "pass"}`, "no schema"},
		"no object":          {`[1]`, "the document at line 1"},
		"null":               {`null`, "no schema"},
		"truncated":          {good[:len(good)/2], "cut off after"},
		"a byte short":       {good[:len(good)-2], "cut off after"},
		"NaN":                {strings.Replace(good, `"duration_s": 15`, `"duration_s": NaN`, 1), "NaN and Infinity are no JSON; what is unknown is null"},
		"too large a number": {strings.Replace(good, `"duration_s": 15`, `"duration_s": 1e999`, 1), "duration_s at line"},
		"a text for a number": {
			strings.Replace(good, `"duration_s": 15`, `"duration_s": "15"`, 1), "duration_s at line"},
		"two documents":      {good + good, "it is no JSON at line"},
		"an unknown verdict": {strings.Replace(good, `"verdict": "pass"`, `"verdict": "maybe"`, 1), `verdict "maybe" is none`},
		"a ratio above 1":    {strings.Replace(good, `"uptime": 0.99`, `"uptime": 1.99`, -1), "availability.uptime is 1.99"},
		"unequal timeline":   {strings.Replace(good, `"probe_failed": [`, `"probe_failed": [ 0,`, 1), "timeline.probe_failed has 151 buckets and timeline.ok has 150"},
		"no bucket width":    {strings.Replace(good, `"bucket_ms": 100`, `"bucket_ms": 0`, 1), "timeline.bucket_ms is 0"},
		"an empty suite":     {`{"schema": "hachaos.suite/v1", "runs": []}`, "no runs"},
		"a null in a suite":  {`{"schema": "hachaos.suite/v1", "runs": [null]}`, "run 1 of the suite is null"},
		"an empty comparison": {
			strings.Replace(compared, `"comparison": {`, `"comparison": {}, "was": {`, 1), "comparison has no sides"},
		"a projection without what a fault costs": {
			strings.Replace(projected, `"mean_lost_s": 0.044`, `"mean_lost_s": null`, 1), "not what fault 1 of it costs"},
		"a projection without its downtime": {
			strings.Replace(projected, `"mean_lost_s": 0.044,`+"\n        \"downtime_s\"", `"mean_lost_s": 0.044, "x"`, 1), "not what fault 1 of it costs"},
		"a projection without its objective": {
			strings.ReplaceAll(projected, `"objective": 0.999`, `"objective": null`), "projection.objective is null"},
		"a negative duration": {strings.Replace(good, `"duration_s": 15`, `"duration_s": -15`, 1), "duration_s is -15"},
		"text":                {"hello", "it is no JSON at line 1, column 1"},
		"deep nesting":        {strings.Repeat("[", 1<<20), "it is no JSON"},
	} {
		doc, err := Read(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "read report: ") {
			t.Errorf("%s: %v, %v; want %q", name, doc, err, c.says)
		}
		if err != nil && strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: more than a line: %v", name, err)
		}
	}
	if _, err := readLimited(strings.NewReader(good), int64(len(good)-1)); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("too large: %v", err)
	}
	if _, err := readLimited(strings.NewReader(good), int64(len(good))); err != nil {
		t.Errorf("just large enough: %v", err)
	}
}

func TestReadIgnoresNewFields(t *testing.T) {
	text := strings.Replace(written(t, Fold(crashRun())), `"verdict"`, `"added_later": {"x": [1]}, "verdict"`, 1)
	if _, err := Read(strings.NewReader("\ufeff" + text)); err != nil {
		t.Error(err)
	}
}

func TestReadFillsMissingLists(t *testing.T) {
	doc, err := Read(strings.NewReader(`{"schema": "hachaos.report/v1", "verdict": "pass"}`))
	if err != nil {
		t.Fatal(err)
	}
	if r := doc.Reports()[0]; r.Reasons == nil || r.Timeline.OK == nil || r.Availability.Outages == nil {
		t.Error("a list is nil")
	}
	textOf(t, doc, TextOptions{})
}

func FuzzRead(f *testing.F) {
	for _, doc := range []Document{NewSuite(Fold(Run{})), Compare(Fold(crashRun()), Fold(slowReload())), Fold(projectedRun()), Fold(dependentRun())} {
		var b bytes.Buffer
		if err := Write(&b, doc); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := Text(&out, doc, TextOptions{Width: 80, Practices: true}); err != nil {
			t.Fatal(err)
		}
		for _, format := range Formats() {
			if err := format.Write(&out, doc); err != nil {
				t.Fatalf("%s: %v", format.Name, err)
			}
		}
	})
}

// projectedRun has a projection with an interval.
func projectedRun() Run {
	run := crashes(3, 5, 4, 6, 4)
	run.Rates = map[string]float64{"crash": 2.0 / 86400}
	return run
}

// Whatever is missing in a report, or as large as nobody measures, it is refused
// or rendered.
func TestReadInPieces(t *testing.T) {
	seen := map[string]bool{}
	for _, doc := range []Document{Fold(projectedRun()), Fold(dependentRun()), Compare(Fold(crashRun()), Fold(slowReload()))} {
		for _, r := range doc.Reports() {
			r.Timeline = shortTimeline()
		}
		var whole any
		if err := json.Unmarshal([]byte(written(t, doc)), &whole); err != nil {
			t.Fatal(err)
		}
		eachValue(whole, "", func(path string, set func(any)) {
			path = strings.TrimPrefix(path, ".runs[]")
			if seen[path] {
				return
			}
			seen[path] = true
			for _, v := range []any{nil, 1e300} {
				set(v)
				text, err := json.Marshal(whole)
				if err != nil {
					t.Fatal(err)
				}
				renderAll(t, path, text)
			}
		})
	}
	if len(seen) < 200 {
		t.Errorf("%d values", len(seen))
	}
}

func shortTimeline() Timeline {
	return Timeline{
		BucketMS: 5000, OK: []int64{5, 0, 5}, Failed: []int64{0, 1, 0}, P50MS: []*float64{known(1), nil, known(1)}, P99MS: []*float64{known(1), nil, known(1)},
		ProbeFailed: []int64{0, 1, 0}, WorkersReady: []*int{nil, nil, nil},
	}
}

// eachValue calls f with every value below v, and puts it back.
func eachValue(v any, path string, f func(path string, set func(any))) {
	switch v := v.(type) {
	case map[string]any:
		for key, old := range v {
			f(path+"."+key, func(changed any) { v[key] = changed })
			v[key] = old
			eachValue(old, path+"."+key, f)
		}
	case []any:
		for i, old := range v {
			f(path+"[]", func(changed any) { v[i] = changed })
			v[i] = old
			eachValue(old, path+"[]", f)
		}
	}
}

func renderAll(t *testing.T, what string, text []byte) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s: %v", what, r)
		}
	}()
	doc, err := Read(bytes.NewReader(text))
	if err != nil {
		return
	}
	if err := Text(io.Discard, doc, TextOptions{Width: 80, Practices: true}); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	for _, format := range Formats() {
		if err := format.Write(io.Discard, doc); err != nil {
			t.Errorf("%s: %s: %v", what, format.Name, err)
		}
	}
}
