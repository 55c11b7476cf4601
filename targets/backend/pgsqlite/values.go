package pgsqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	wire "github.com/jeroenrinzema/psql-wire"
	"github.com/jeroenrinzema/psql-wire/codes"
)

// kind is a type of PostgreSQL, by its object id.
type kind = uint32

const (
	kindUnknown kind = 0
	kindBool    kind = pgtype.BoolOID
	kindBytes   kind = pgtype.ByteaOID
	kindInt8    kind = pgtype.Int8OID
	kindInt4    kind = pgtype.Int4OID
	kindText    kind = pgtype.TextOID
	kindJSON    kind = pgtype.JSONOID
	kindFloat   kind = pgtype.Float8OID
	kindTime    kind = pgtype.TimestamptzOID
	kindUUID    kind = pgtype.UUIDOID
)

// timeLayout is how moments are stored: such texts compare as the moments do.
const timeLayout = "2006-01-02 15:04:05.000000-07:00"

var kinds = map[string]kind{
	"BIGINT": kindInt8, "INT8": kindInt8, "BIGSERIAL": kindInt8, "INTEGER": kindInt8, "INT": kindInt4, "INT4": kindInt4, "SMALLINT": kindInt4, "SERIAL": kindInt4,
	"TEXT": kindText, "VARCHAR": kindText, "CHAR": kindText, "CHARACTER": kindText, "NAME": kindText,
	"TIMESTAMPTZ": kindTime, "TIMESTAMP": kindTime, "BYTEA": kindBytes, "BLOB": kindBytes, "BOOLEAN": kindBool, "BOOL": kindBool,
	"DOUBLE": kindFloat, "REAL": kindFloat, "FLOAT8": kindFloat, "FLOAT": kindFloat, "NUMERIC": kindFloat, "DECIMAL": kindFloat,
	"JSON": kindJSON, "JSONB": kindJSON, "UUID": kindUUID,
}

// kindOf is the kind of a type's name: "varchar(20)", "timestamp with time zone".
func kindOf(name string) kind {
	word := strings.ToUpper(name)
	if i := strings.IndexAny(word, " ("); i >= 0 {
		word = word[:i]
	}
	return kinds[word]
}

// describe finds the columns of what a statement will return. SQLite knows the
// types of tables' columns; an expression's is that of the value it has for
// parameters that are NULL.
func (s *session) describe(ctx context.Context, t statement) (wire.Columns, error) {
	if !t.returns || s.failed {
		return nil, nil
	}
	text := t.text
	if t.verb != "SELECT" && t.verb != "WITH" && t.verb != "SHOW" && t.verb != "VALUES" {
		var ok bool
		if text, ok = returning(t); !ok {
			return nil, coded(fmt.Errorf("cannot tell what %s returns", t.verb), codes.Syntax)
		}
	}
	conn, release := s.reader()
	defer release()
	rows, err := conn.QueryContext(ctx, "SELECT * FROM ("+text+") LIMIT 1", blanks(text)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, values, err := head(rows, t)
	if err != nil || values == nil {
		return columns, err
	}
	return columns, rows.Err()
}

// blanks are values for the parameters of a statement that is only described.
func blanks(text string) []any {
	values := make([]any, highest(text))
	for _, m := range limited.FindAllStringSubmatch(text, -1) {
		if i, _ := strconv.Atoi(m[1]); i >= 1 && i <= len(values) {
			values[i-1] = 1 // a limit cannot be NULL
		}
	}
	return values
}

// head makes the columns, from the first row where SQLite does not know.
func head(rows *sql.Rows, t statement) (columns wire.Columns, first []any, err error) {
	described, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, err
	}
	items := selected(t.text)
	if rows.Next() {
		if first, err = scan(rows, len(described)); err != nil {
			return nil, nil, err
		}
	} else if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	for i, c := range described {
		k := kindOf(c.DatabaseTypeName())
		if k == kindUnknown && len(items) == len(described) {
			k = kindOfExpression(items[i])
		}
		if k == kindUnknown && first != nil {
			k = kindOfValue(first[i])
		}
		if k == kindUnknown {
			k = kindText
		}
		columns = append(columns, wire.Column{Name: c.Name(), Oid: k, Width: -1})
	}
	return columns, first, nil
}

// collect runs a query and reads all its rows.
func collect(ctx context.Context, conn *sql.Conn, t statement, columns wire.Columns, values []any) (*result, error) {
	rows, err := conn.QueryContext(ctx, t.text, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	r := &result{columns: columns}
	var raw [][]any
	if columns == nil {
		var first []any
		if r.columns, first, err = head(rows, t); err != nil {
			return nil, err
		}
		if first != nil {
			raw = append(raw, first)
		}
	}
	for rows.Next() {
		row, err := scan(rows, len(r.columns))
		if err != nil {
			return nil, err
		}
		raw = append(raw, row)
	}
	for _, row := range raw {
		for i := range row {
			if row[i], err = encode(row[i], r.columns[i].Oid); err != nil {
				return nil, err
			}
		}
	}
	r.rows = raw
	return r, rows.Err()
}

func scan(rows *sql.Rows, n int) ([]any, error) {
	row, to := make([]any, n), make([]any, n)
	for i := range row {
		to[i] = &row[i]
	}
	return row, rows.Scan(to...)
}

var (
	returns   = regexp.MustCompile(`(?is)^.*\breturning\b`)
	ofTable   = regexp.MustCompile(`(?is)^(?:insert +into|update|delete +from) +((?:"[^"]*"|[\w.])+)`)
	numbered  = regexp.MustCompile(`\$(\d+)`)
	toBool    = regexp.MustCompile(`(?i)^(?:not|exists)\b|[<>=]|\bis +(?:not +)?null\b|\blike\b|\bin *\(|^(?:true|false)$`)
	toInt     = regexp.MustCompile(`(?i)^(?:count|length|sum|changes) *\(`)
	asName    = regexp.MustCompile(`(?i) +as +("[^"]*"|\w+) *$`)
	fromWord  = regexp.MustCompile(`(?i)^(?:from|where|group|order|limit|union)$`)
	textWords = regexp.MustCompile(`(?i)^(?:CAST\(.* AS TEXT\)|lower\(|upper\(|'.*'$)`)
	intWords  = regexp.MustCompile(`(?i)^CAST\(.* AS INTEGER\)$`)
)

// returning is the query that has the columns of what a statement returns.
func returning(t statement) (string, bool) {
	table := ofTable.FindStringSubmatch(t.text)
	list := returns.FindString(t.text)
	if table == nil || list == "" {
		return "", false
	}
	return "SELECT " + t.text[len(list):] + " FROM " + table[1], true
}

// selected are the expressions that a query selects, or a statement returns.
func selected(text string) (items []string) {
	if loc := returns.FindStringIndex(text); loc != nil {
		text = text[loc[1]:]
	}
	depth, item := 0, ""
	for i, t := range tokens(text) {
		switch {
		case i == 0 && strings.EqualFold(t, "select"):
			continue
		case t == "(":
			depth++
		case t == ")":
			depth--
		case depth == 0 && t == ",":
			items, item = append(items, item), ""
			continue
		case depth == 0 && fromWord.MatchString(t):
			return trimmed(append(items, item))
		}
		item += t
	}
	return trimmed(append(items, item))
}

func trimmed(items []string) []string {
	for i, item := range items {
		items[i] = strings.TrimSpace(asName.ReplaceAllString(item, ""))
	}
	return items
}

// kindOfExpression tells what PostgreSQL would have of an expression whose value
// in SQLite does not show it.
func kindOfExpression(text string) kind {
	switch {
	case text == now || strings.HasPrefix(text, "(strftime("):
		return kindTime
	case textWords.MatchString(text):
		return kindText
	case toInt.MatchString(text) && !strings.ContainsAny(text, "<>="), intWords.MatchString(text):
		return kindInt8
	case toBool.MatchString(text):
		return kindBool
	}
	return kindUnknown
}

func kindOfValue(v any) kind {
	switch v.(type) {
	case int64:
		return kindInt8
	case float64:
		return kindFloat
	case bool:
		return kindBool
	case []byte:
		return kindBytes
	case time.Time:
		return kindTime
	}
	return kindUnknown
}

func highest(text string) (n int) {
	for _, m := range numbered.FindAllStringSubmatch(text, -1) {
		i, _ := strconv.Atoi(m[1]) // it is digits
		n = max(n, i)
	}
	return min(n, 65535)
}

var (
	insertList = regexp.MustCompile(`(?is)^insert +into +((?:"[^"]*"|[\w.])+) *(?:\(([^)]*)\))? *values *\((.*)`)
	compared   = regexp.MustCompile(`(?i)("?[\w.]+"?) *(?:=|<>|!=|<=|>=|<|>|\blike\b) *\$(\d+)`)
	limited    = regexp.MustCompile(`(?i)\b(?:limit|offset) +\$(\d+)`)
	castParam  = regexp.MustCompile(`(?i)CAST\(\$(\d+) AS (\w+)\)`)
)

// parameters finds the types of a statement's parameters, as far as it can be
// told from where they stand; a client sends one of no known type as text.
func (s *session) parameters(ctx context.Context, t statement, given []uint32) []uint32 {
	oids := make([]uint32, highest(t.text))
	set := func(number string, k kind) {
		if i, _ := strconv.Atoi(number); i >= 1 && i <= len(oids) && oids[i-1] == 0 {
			oids[i-1] = k
		}
	}
	copy(oids, given)
	for _, m := range castParam.FindAllStringSubmatch(t.text, -1) {
		set(m[1], kindOf(m[2]))
	}
	for _, m := range limited.FindAllStringSubmatch(t.text, -1) {
		set(m[1], kindInt8)
	}
	columns := s.columnKinds(ctx, t)
	for _, m := range compared.FindAllStringSubmatch(t.text, -1) {
		set(m[2], columns[bareName(m[1])])
	}
	if m := insertList.FindStringSubmatch(t.text); m != nil {
		s.insertKinds(ctx, m, columns, set)
	}
	return oids
}

// insertKinds tells the types of parameters that are values of an INSERT.
func (s *session) insertKinds(ctx context.Context, m []string, columns map[string]kind, set func(string, kind)) {
	names := strings.Split(m[2], ",")
	if strings.TrimSpace(m[2]) == "" {
		names = s.columnNames(ctx, bareName(m[1]))
	}
	at, depth := 0, 0
	for _, t := range tokens(m[3]) {
		switch {
		case t == "(":
			if depth++; depth == 0 { // the next row
				at = 0
			}
		case t == ")":
			depth--
		case t == "," && depth == 0:
			at++
		case t[0] == '$' && depth == 0 && at < len(names):
			set(t[1:], columns[bareName(names[at])])
		}
	}
}

func bareName(name string) string {
	name = strings.TrimSpace(name)
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	return strings.ToLower(strings.Trim(name, `"`))
}

// columnKinds are the types of the columns of the tables that a statement
// names.
func (s *session) columnKinds(ctx context.Context, t statement) map[string]kind {
	found := map[string]kind{}
	conn, release := s.reader()
	defer release()
	rows, err := conn.QueryContext(ctx, "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'")
	if err != nil {
		return found
	}
	defer rows.Close()
	for rows.Next() {
		var table, column, declared string
		if rows.Scan(&table, &column, &declared) == nil && strings.Contains(t.upper, strings.ToUpper(table)) {
			found[strings.ToLower(column)] = kindOf(declared)
		}
	}
	return found
}

func (s *session) columnNames(ctx context.Context, table string) (names []string) {
	conn, release := s.reader()
	defer release()
	rows, err := conn.QueryContext(ctx, "SELECT name FROM pragma_table_info($1)", table)
	if err != nil {
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if rows.Scan(&name) == nil {
			names = append(names, name)
		}
	}
	return names
}

// decode turns what a client sent into values of SQLite.
func decode(given []wire.Parameter, oids []uint32) ([]any, error) {
	values := make([]any, len(given))
	for i, p := range given {
		if p.Value() == nil {
			continue
		}
		k := kindText
		if i < len(oids) && oids[i] != kindUnknown {
			k = oids[i]
		}
		v, err := p.Scan(k)
		if err != nil {
			return nil, coded(fmt.Errorf("parameter $%d: %w", i+1, err), codes.InvalidTextRepresentation)
		}
		values[i] = stored(v)
	}
	return values, nil
}

// stored is a value as SQLite keeps it.
func stored(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(timeLayout)
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case string, []byte, int64, float64:
		return v
	case int32:
		return int64(v)
	case int16:
		return int64(v)
	case float32:
		return float64(v)
	case [16]byte:
		return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
	case pgtype.Numeric:
		if f, err := v.Float64Value(); err == nil && f.Valid {
			return f.Float64
		}
	}
	return fmt.Sprint(v)
}

// encode makes of a value of SQLite one of the announced type.
func encode(v any, k kind) (any, error) {
	if v == nil {
		return nil, nil
	}
	text := func() string {
		if b, ok := v.([]byte); ok {
			return string(b)
		}
		if at, ok := v.(time.Time); ok {
			return at.UTC().Format(timeLayout)
		}
		return fmt.Sprint(v)
	}
	switch k {
	case kindBool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		t := strings.ToLower(text())
		return t != "0" && t != "f" && t != "false", nil
	case kindInt8, kindInt4:
		if n, ok := v.(int64); ok {
			return n, nil
		}
		return strconv.ParseInt(text(), 10, 64)
	case kindFloat:
		return strconv.ParseFloat(text(), 64)
	case kindBytes:
		t := text()
		if _, isText := v.(string); isText && strings.HasPrefix(t, `\x`) { // written as a literal
			return hex.DecodeString(t[2:])
		}
		return []byte(t), nil
	case kindTime:
		if at, ok := v.(time.Time); ok {
			return at, nil
		}
		return parseTime(text())
	}
	return text(), nil
}

func parseTime(text string) (at time.Time, err error) {
	for _, layout := range []string{timeLayout, time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if at, err = time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return at, coded(fmt.Errorf("%q is no timestamp", text), codes.InvalidDatetimeFormat)
}
