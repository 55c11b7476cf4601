package units

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "0d": 0, "-0": 0, "250ms": 250 * time.Millisecond, "1h30m": 90 * time.Minute,
		"30d": 30 * 24 * time.Hour, "1w2d12h": (7*24 + 2*24 + 12) * time.Hour, "1.5d": 36 * time.Hour,
		" 5s ": 5 * time.Second, "-3s": -3 * time.Second, "-1d": -24 * time.Hour, "10µs": 10 * time.Microsecond,
		"106751d": 106751 * 24 * time.Hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "-", "d", "5", "1.5", "5 s", "1h1d", "--5s", "-+5s", "+5s", "1d-5h", "1d+5h", "NaN", "nand", "Inf", "infd",
		"0x1p3d", "1_000s", "107000d", "106751d24h", "9999999999999h", "5x", "s",
	} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
	if _, err := ParseDuration("5"); !strings.Contains(err.Error(), "write 5s or 5ms") {
		t.Errorf("a missing unit: %v", err)
	}
}

func TestParseRatio(t *testing.T) {
	for text, want := range map[string]float64{
		"99.9%": 0.999, "99.95%": 0.9995, "99.99%": 0.9999, "99.999%": 0.99999, "0.999": 0.999, "50 %": 0.5,
		"0": 0, "0%": 0, "1": 1, "100%": 1, "0.1%": 0.001, "33.3%": 0.333, "7%": 0.07,
	} {
		if got, err := ParseRatio(text); err != nil || got != want {
			t.Errorf("ParseRatio(%q) = %v, %v; want exactly %v", text, got, err, want)
		}
	}
	for text, hint := range map[string]string{
		"99.9": "write 99.9%", "1.01": "write 1.01%", "500": "between", "100.1%": "between", "-1%": "between", "-0.5": "between",
		"": "not a ratio", "%": "not a ratio", "NaN": "not a ratio", "inf%": "not a ratio", "0x1p-2": "not a ratio", "9_9%": "not a ratio",
	} {
		if got, err := ParseRatio(text); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("ParseRatio(%q) = %v, %v; want an error with %q", text, got, err, hint)
		}
	}
}

func TestRatioString(t *testing.T) {
	for r, want := range map[Ratio]string{
		0.999: "99.9%", 0.9995: "99.95%", 1: "100%", 0: "0%", 0.07: "7%", 1e-13: "0.00000000001%", 1.0 / 3: "33.33333333333333%",
	} {
		if got := r.String(); got != want {
			t.Errorf("Ratio(%v) prints %s, want %s", float64(r), got, want)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]float64{
		"500/s": 500, "500": 500, "30000/m": 500, "60/min": 1, "3600/h": 1, "2/day": 2.0 / 86400, "2/d": 2.0 / 86400,
		"7/week": 1.0 / 86400, "0/s": 0, " 1 / s ": 1, "30/month": 1.0 / 86400, "365/year": 1.0 / 86400,
	} {
		if got, err := ParseRate(text); err != nil || math.Abs(got-want) > 1e-15 {
			t.Errorf("ParseRate(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "/s", "5/", "5/x", "5/s/s", "-1/s", "NaN", "Inf/s", "0x10/s", "1_0/s"} {
		if got, err := ParseRate(text); err == nil {
			t.Errorf("ParseRate(%q) = %v, want an error", text, got)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "512B": 512, "16KiB": 16 << 10, "16 KiB": 16 << 10, "200MB": 200e6, "1.5MiB": 3 << 19, "1kB": 1000, "1KB": 1000,
		"2TiB": 2 << 40, "9223372036854775807": math.MaxInt64, "9007199254740993": 9007199254740993,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "B", "-1", "-1KiB", "1XB", "NaN", "InfB", "0x1B", "9223372036854775808", "8388608TiB", "1 2"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %v, want an error", text, got)
		}
	}
}

func TestTextForms(t *testing.T) {
	type all struct {
		D Duration
		R Ratio
		P Rate
		B Bytes
	}
	in := all{Duration(90 * time.Minute), 0.9995, 0.5, 16 << 10}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"D":"1h30m0s","R":"99.95%","P":"0.5/s","B":"16KiB"}`; string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
	var out all
	if err := json.Unmarshal(b, &out); err != nil || out != in {
		t.Errorf("read back %+v, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"D":"5"}`), &out); err == nil {
		t.Error("a duration without a unit was taken")
	}
	for _, s := range []string{Duration(0).JSONSchema().Pattern, Ratio(0).JSONSchema().OneOf[0].Pattern, Rate(0).JSONSchema().OneOf[0].Pattern, Bytes(0).JSONSchema().OneOf[0].Pattern} {
		if s == "" {
			t.Error("a text form has no pattern")
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	f.Add("1w2d12h")
	f.Add("-1.5d3ns")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if back, err := ParseDuration(Duration(d).String()); err != nil || back != d {
			t.Fatalf("%q is %v, which reads back as %v, %v", s, d, back, err)
		}
	})
}

func FuzzParseRatio(f *testing.F) {
	f.Add("99.95%")
	f.Add("1e-300")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseRatio(s)
		if err != nil {
			return
		}
		if !(v >= 0 && v <= 1) {
			t.Fatalf("%q is %v", s, v)
		}
		if back, err := ParseRatio(Ratio(v).String()); err != nil || back != v {
			t.Fatalf("%q is %v, which prints %s and reads back as %v, %v", s, v, Ratio(v), back, err)
		}
	})
}

func FuzzParseRate(f *testing.F) {
	f.Add("30000/m")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseRate(s)
		if err != nil {
			return
		}
		if !(v >= 0) || math.IsInf(v, 0) {
			t.Fatalf("%q is %v", s, v)
		}
		if back, err := ParseRate(Rate(v).String()); err != nil || back != v {
			t.Fatalf("%q is %v, which reads back as %v, %v", s, v, back, err)
		}
	})
}

func FuzzParseBytes(f *testing.F) {
	f.Add("1.5MiB")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseBytes(s)
		if err != nil {
			return
		}
		if v < 0 {
			t.Fatalf("%q is %v", s, v)
		}
		if back, err := ParseBytes(Bytes(v).String()); err != nil || back != v {
			t.Fatalf("%q is %v, which prints %s and reads back as %v, %v", s, v, Bytes(v), back, err)
		}
	})
}
