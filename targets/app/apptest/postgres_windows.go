package apptest

import "testing"

// Postgres skips the test: PostgreSQL is tested on Unix alone.
func Postgres(t testing.TB) string {
	t.Skip("PostgreSQL is tested on Unix alone")
	return ""
}
