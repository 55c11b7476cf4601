package pgsqlite

import (
	"fmt"
	"regexp"

	"github.com/jeroenrinzema/psql-wire/codes"
)

// instead is what a client of PostgreSQL can do about SQLite.
const instead = "the embedded PostgreSQL is SQLite behind PostgreSQL's protocol; mode: local takes a real server"

// unsupported is what SQLite does not know, or understands in another way, by
// its look in a statement in capitals without its quoted parts.
var unsupported = []struct {
	pattern *regexp.Regexp
	what    string
}{
	{regexp.MustCompile(`^COPY\b`), "COPY is"},
	{regexp.MustCompile(`\bANY *\(|\bARRAY *\[|\b(?:ARRAY_\w+|UNNEST) *\(|\[ *\]`), "arrays are"},
	{regexp.MustCompile(`\bINFORMATION_SCHEMA\b|\bPG_(?:CATALOG|ATTRIBUTE|CLASS|DATABASE|EXTENSION|INDEX|INDEXES|NAMESPACE|PROC|ROLES|SETTINGS|STAT_\w+|TABLES|TYPE|LOCKS)\b`), "the system's catalogs (\\d in psql) are"},
	{regexp.MustCompile(`^CREATE +(?:OR +REPLACE +)?(?:AGGREGATE|CAST|DATABASE|DOMAIN|EXTENSION|FUNCTION|MATERIALIZED|OPERATOR|POLICY|PROCEDURE|PUBLICATION|ROLE|RULE|SCHEMA|SEQUENCE|SUBSCRIPTION|TYPE|USER)\b`), "only tables, views, indexes and triggers can be created: anything else is"},
	{regexp.MustCompile(`^(?:DECLARE|FETCH|MOVE|CLOSE)\b`), "cursors are"},
	{regexp.MustCompile(`^(?:PREPARE|EXECUTE)\b`), "PREPARE and EXECUTE as statements are"},
	{regexp.MustCompile(`^(?:CALL|CLUSTER|COMMENT|DO|GRANT|LOCK|MERGE|NOTIFY|REFRESH|REVOKE|SECURITY)\b`), "this statement is"},
}

// refuse says what is not supported of a statement; nil if nothing of it is
// known not to be.
func (t statement) refuse() error {
	for _, u := range unsupported {
		if u.pattern.MatchString(t.upper) {
			return coded(fmt.Errorf("%s not supported: %s", u.what, instead), codes.FeatureNotSupported)
		}
	}
	return nil
}
