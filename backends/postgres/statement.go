package postgres

import (
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/duetdb/duet/backends/postgres/sqltext"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/internal/caret"
	"github.com/duetdb/duet/internal/fields"
)

// statement is what is known of one text, shared by all connections of a pool.
type statement struct {
	cmd     string          // as the caller wrote it
	parsed  *sqltext.Parsed // with $1 for $name
	kind    sqltext.Kind
	tame    bool // it cannot leave anything behind in its session
	locks   bool // it may take locks of the session
	several bool // it is a script of more than one command
	cached  bool // worth preparing under a name
	ends    bool // it would end the transaction that it runs in

	mayCommit bool     // a procedure or a block of code: it may commit on its way, outside of transactions
	quiet     bool     // it gives rows and does nothing else
	calls     []string // what it calls that may be a function of the user's
	mild      bool     // it leaves nothing behind in the database, though it gives no rows
	blind     bool     // it takes no snapshot
	loud      bool     // it may have an effect without a transaction's id
	copies    bool     // it copies from the client
	drops     bool     // it may drop prepared statements
	modes     bool     // it may make its transaction one that writes
	standard  bool     // backslashes in its strings are plain characters

	desc atomic.Pointer[description]
}

// description is what the server said of a statement. It is never changed: a
// statement that turns out to be different gets another one.
type description struct {
	params  []uint32
	columns []codec.Column
	formats []int16
	rows    bool // it returns rows, maybe without columns

	decoders atomic.Pointer[[]decoderFor]
	json     atomic.Pointer[codec.JSONEncoder]
	expected atomic.Int64 // rows of the last result: room for as many is made at once
}

type decoderFor struct {
	typ reflect.Type
	lax bool
	dec *codec.RowDecoder
}

// newDescription takes what Describe answered; fields is nil for a statement
// without rows.
func newDescription(types *codec.Types, params []uint32, fields []wire.Field) *description {
	d := &description{params: params, rows: fields != nil}
	allBinary := true
	for _, f := range fields {
		d.columns = append(d.columns, codec.Column{Name: f.Name, OID: f.OID, TypeMod: f.TypeMod})
		format := types.Format(f.OID)
		d.formats = append(d.formats, format)
		allBinary = allBinary && format == codec.BinaryFormat
	}
	if allBinary && len(d.formats) > 0 {
		d.formats = []int16{codec.BinaryFormat} // one code stands for all columns
	}
	return d
}

// sameColumns says whether rows described by fields can be decoded as d's.
func (d *description) sameColumns(fields []wire.Field) bool {
	if len(d.columns) != len(fields) || d.rows != (fields != nil) {
		return false
	}
	for i, f := range fields {
		if d.columns[i].OID != f.OID || d.columns[i].Name != f.Name {
			return false
		}
	}
	return true
}

// decoder gives the compiled decoder for rows of a type.
func (d *description) decoder(types *codec.Types, typ reflect.Type, lax bool) (*codec.RowDecoder, error) {
	known := d.decoders.Load()
	if known != nil {
		for _, k := range *known {
			if k.typ == typ && k.lax == lax {
				return k.dec, nil
			}
		}
	}
	dec, err := types.RowDecoder(d.columns, typ, lax)
	if err != nil {
		return nil, err
	}
	for {
		var list []decoderFor
		if known != nil {
			list = *known
		}
		list = append(list[:len(list):len(list)], decoderFor{typ, lax, dec})
		if d.decoders.CompareAndSwap(known, &list) {
			return dec, nil
		}
		known = d.decoders.Load()
	}
}

// encoder gives the compiled JSON encoder.
func (d *description) encoder(types *codec.Types) (*codec.JSONEncoder, error) {
	if e := d.json.Load(); e != nil {
		return e, nil
	}
	e, err := types.JSON(d.columns)
	if err == nil {
		d.json.Store(e)
	}
	return e, err
}

// maxStatements bounds the texts that a client remembers.
const maxStatements = 4096

// statements are the texts that a client has seen, safe for concurrent use.
type statements struct {
	maxText int
	mu      sync.RWMutex
	byText  map[statementKey]*statement
}

// statementKey tells statements apart: the same text can mean different things
// where other settings hold, such as search_path.
type statementKey struct {
	text, settings string
	standard       bool // backslashes in strings are plain characters
}

// get finds or makes the statement of a text.
func (s *statements) get(key statementKey) (*statement, error) {
	s.mu.RLock()
	st := s.byText[key]
	s.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	parsed, err := sqltext.Parse(key.text, key.standard)
	if err != nil {
		e := argumentError(key.text, err)
		if pe, ok := err.(*sqltext.ParameterError); ok {
			e.Position = pe.Position
			e.Excerpt = caret.Show(key.text, pe.Position)
		}
		return nil, e
	}
	st = &statement{cmd: key.text, parsed: parsed, kind: sqltext.KindOf(key.text, key.standard)}
	st.tame = isTame(st.kind, key.text)
	parts := sqltext.Statements(key.text, key.standard)
	st.several = len(parts) > 1
	for _, part := range parts {
		text := key.text[part.Start:part.End]
		st.tame = st.tame && isTame(part.Kind, text)
		st.ends = st.ends || part.Kind == sqltext.TransactionControl && endsTransaction(text)
	}
	st.mayCommit = !st.several && st.kind == sqltext.Utility && mayCommit(key.text)
	st.examine(key.standard, parts)
	st.locks = strings.Contains(strings.ToLower(key.text), "advisory")
	st.cached = isData(st.kind) && len(key.text) <= s.maxText
	if len(key.text) <= s.maxText {
		s.mu.Lock()
		defer s.mu.Unlock()
		if other := s.byText[key]; other != nil {
			return other, nil
		}
		if len(s.byText) >= maxStatements {
			for k := range s.byText { // any one makes room: this many texts are made by a program
				delete(s.byText, k)
				break
			}
		}
		s.byText[key] = st
	}
	return st, nil
}

// isData says whether a text reads or writes rows, and so can be prepared once
// and run often.
func isData(k sqltext.Kind) bool {
	switch k {
	case sqltext.Select, sqltext.Values, sqltext.Insert, sqltext.Update, sqltext.Delete, sqltext.Merge, sqltext.With:
		return true
	default:
		return false
	}
}

// isTame says whether a text can leave nothing behind in its session. Functions
// that the user wrote are taken to be so.
func isTame(k sqltext.Kind, text string) bool {
	if !isData(k) && k != sqltext.Empty {
		return false
	}
	lower := strings.Join(strings.Fields(strings.ToLower(text)), " ")
	for _, word := range []string{"set_config", "advisory", "dblink", "into temp", "into local temp", "into pg_temp"} {
		if strings.Contains(lower, word) {
			return false
		}
	}
	return true
}

// endsTransaction says whether a transaction command ends its transaction, or
// may: of the others only BEGIN, SAVEPOINT, RELEASE and ROLLBACK TO are known
// not to.
func endsTransaction(text string) bool {
	words := strings.Fields(strings.ToLower(comments.ReplaceAllString(text, " ")))
	if len(words) == 0 {
		return true
	}
	switch words[0] {
	case "begin", "start", "savepoint", "release":
		return false
	case "rollback":
		rest := words[1:]
		if len(rest) > 0 && (rest[0] == "work" || rest[0] == "transaction") {
			rest = rest[1:]
		}
		return len(rest) == 0 || rest[0] != "to"
	}
	return true
}

// mayCommit says whether a text runs code that may end a transaction: CALL, and
// a DO that has such a word in it (PostgreSQL documentation, "PL/pgSQL",
// section "Transaction Management").
func mayCommit(text string) bool {
	text = strings.ToLower(text)
	words := strings.Fields(comments.ReplaceAllString(text, " "))
	if len(words) == 0 || words[0] == "call" {
		return len(words) > 0
	}
	return strings.HasPrefix(words[0], "do") && (strings.Contains(text, "commit") || strings.Contains(text, "call"))
}

// comments finds comments in a transaction command, which has no strings.
var comments = regexp.MustCompile(`(?s)/\*.*?\*/|--[^\n]*`)

// positional gives the values in the order of the statement's parameters.
func (st *statement) positional(args []any) ([]any, error) {
	if len(st.parsed.Names) == 0 {
		return args, nil
	}
	values, err := fields.NamedValues(st.parsed.Names, args)
	if err != nil {
		return nil, argumentError(st.cmd, err)
	}
	return values, nil
}
