package proc

import "testing"

func TestParseStat(t *testing.T) {
	line := []byte("42 (a) (odd) name)) S 7 40 40 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 987654 1 1 1")
	got, err := parseStat(42, line)
	want := Info{ID: ID{42, 987654}, PPID: 7, PGID: 40, Name: "a) (odd) name)"}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (x) S 0 1"))
	f.Add([]byte(")("))
	f.Fuzz(func(_ *testing.T, line []byte) { _, _ = parseStat(1, line) })
}

func BenchmarkReadTable(b *testing.B) {
	for b.Loop() {
		if _, err := ReadTable(); err != nil {
			b.Fatal(err)
		}
	}
}
