package postgres

import (
	"encoding/binary"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/sqltext"
	"github.com/duetdb/duet/backends/postgres/wire"
)

// lookText asks for a transaction's id, and for what proves where it ran: two
// servers never started at the same microsecond, and behind a pooler the
// process is not the one that the connection was told (PostgreSQL documentation,
// "Transaction ID and Snapshot Information Functions").
const lookText = "SELECT pg_catalog.pg_current_xact_id_if_assigned(), pg_catalog.pg_postmaster_start_time(), pg_catalog.pg_backend_pid()"

// firstWithIDs is the first version that has these functions.
const firstWithIDs = 13

// sighting is what a look saw.
type sighting struct {
	id     uint64 // 0: none is assigned
	server int64  // when the server started; 0 where nobody looked
	pid    uint32
}

// errSighting is what is wrong with a look's answer.
var errSighting = errors.New("the server's answer about the transaction's id cannot be read")

// errUnlooked is what a command failed with that had run. It is worth another
// attempt: where the server has no ids, it is not asked any more.
var errUnlooked = errors.New("the command ran, but the transaction's id could not be fetched with it; Options.TransactionID turns that off")

// readSighting reads the row of lookText, in binary.
func readSighting(body []byte) (s sighting, err error) {
	if len(body) < 2 || binary.BigEndian.Uint16(body) != 3 {
		return s, errSighting
	}
	body = body[2:]
	var values [3]uint64
	for i, want := range [3]int{8, 8, 4} {
		if len(body) < 4 {
			return s, errSighting
		}
		n := int32(binary.BigEndian.Uint32(body))
		if body = body[4:]; n == -1 && i == 0 {
			continue // no id
		}
		if int(n) != want || len(body) < want {
			return s, errSighting
		}
		if want == 8 {
			values[i] = binary.BigEndian.Uint64(body)
		} else {
			values[i] = uint64(binary.BigEndian.Uint32(body))
		}
		body = body[want:]
	}
	return sighting{id: values[0], server: int64(values[1]), pid: uint32(values[2])}, nil
}

// trace is what is known of what a transaction has written. It is used by
// whoever has entered the transaction.
type trace struct {
	on    bool // ids are looked for
	wrote bool // something ran that may have written, or said something by NOTIFY
	seen  sighting
	asked time.Time // before the look was sent
	loud  bool      // something ran of which a look cannot tell
	modes bool      // it was made one that may write by a statement
	texts []*statement
	first [8]*statement // where texts begins
}

// maxTexts bounds the statements that a trace keeps.
const maxTexts = 256

// ran notes a statement.
func (t *trace) ran(st *statement) {
	t.modes = t.modes || st.modes
	if st.mild {
		return
	}
	t.wrote = t.wrote || !st.quiet
	if t.seen.id != 0 || t.wrote && !t.on {
		return // it is not what they were that tells
	}
	t.loud = t.loud || st.loud
	switch {
	case slices.Contains(t.texts, st):
	case len(t.texts) == maxTexts:
		t.loud = true
	case t.texts == nil:
		t.first[0] = st
		t.texts = t.first[:1]
	default:
		t.texts = append(t.texts, st)
	}
}

// saw notes the effect that the server reports of a command: rows were written
// and yet there is no id. Either they are elsewhere, or the server has ids of
// another kind.
func (t *trace) saw(tag duet.Result) {
	if t.seen.id == 0 && tag.RowsAffected > 0 && !strings.HasPrefix(tag.Status, "SELECT") {
		t.loud = true
	}
}

// forget begins anew: of what ran nothing is left.
func (t *trace) forget() { *t = trace{on: t.on} }

// examine finds out what a text, made of parts, may do beside giving rows, and
// what a look behind it would do to it.
func (st *statement) examine(standard bool, parts []sqltext.Statement) {
	var foreign, into bool
	st.calls, foreign, into = sqltext.Calls(st.cmd, standard)
	if !foreign {
		st.calls = slices.DeleteFunc(st.calls, func(name string) bool { return harmlessCalls[name] })
	}
	st.standard = standard
	plain := st.kind == sqltext.Select || st.kind == sqltext.Values || st.kind == sqltext.Empty
	st.quiet = plain && len(st.calls) == 0 && !into && !st.several
	st.mild, st.blind = len(parts) > 0, len(parts) > 0
	for _, part := range parts {
		text := strings.ToLower(st.cmd[part.Start:part.End])
		mild, blind := isMild(part.Kind, text)
		st.mild, st.blind = st.mild && mild, st.blind && blind
		st.loud = st.loud || !mild && !isData(part.Kind)
		st.modes = st.modes || part.Kind == sqltext.Set && allowsWriting.MatchString(text)
		st.copies = st.copies || part.Kind == sqltext.Copy && strings.Contains(text, "stdin")
		st.drops = st.drops || !st.tame && (strings.Contains(text, "deallocate") || strings.Contains(text, "discard"))
	}
}

// isMild says that a command, in lower case, leaves nothing behind in the
// database, and blind that it takes no snapshot. In a transaction whose first
// query decides what it sees, a look must not come before that: what the command
// has to wait for, such as a lock, is to be seen. Nor must one come before SET
// TRANSACTION (PostgreSQL documentation, "LOCK" and "SET TRANSACTION"; its source,
// PlannedStmtRequiresSnapshot).
func isMild(kind sqltext.Kind, text string) (mild, blind bool) {
	switch kind {
	case sqltext.Set, sqltext.Listen:
		return true, true
	case sqltext.TransactionControl:
		ends := endsTransaction(text)
		return !ends, !ends
	case sqltext.Utility:
		end := strings.IndexFunc(text+" ", func(r rune) bool { return r < 'a' || r > 'z' })
		switch text[:end] {
		case "show", "lock", "deallocate":
			return true, true
		case "notify", "checkpoint":
			return false, true
		}
	}
	return false, false
}

// allowsWriting finds what makes a read-only transaction one that writes.
var allowsWriting = regexp.MustCompile(`\bread\s+write\b|\btransaction_read_only\b`)

// harmlessCalls are keywords and functions of PostgreSQL's that change nothing.
// It holds what statements that read are mostly made of; what else they call is
// looked up where it matters, and so is whether a function of the user's own has
// such a name.
var harmlessCalls = map[string]bool{
	"select": true, "from": true, "where": true, "and": true, "or": true, "not": true, "in": true, "exists": true, "any": true,
	"all": true, "some": true, "as": true, "on": true, "by": true, "using": true, "having": true, "limit": true, "offset": true,
	"when": true, "then": true, "else": true, "case": true, "over": true, "filter": true, "join": true, "lateral": true,
	"union": true, "intersect": true, "except": true, "distinct": true, "values": true, "array": true, "row": true, "between": true,
	"like": true, "ilike": true, "is": true, "partition": true, "interval": true, "numeric": true, "varchar": true, "char": true,
	"count": true, "sum": true, "avg": true, "min": true, "max": true, "bool_and": true, "bool_or": true, "array_agg": true,
	"string_agg": true, "json_agg": true, "jsonb_agg": true, "json_build_object": true, "jsonb_build_object": true, "to_json": true,
	"to_jsonb": true, "row_to_json": true, "json_object_agg": true, "jsonb_object_agg": true, "jsonb_array_elements": true,
	"coalesce": true, "nullif": true, "greatest": true, "least": true, "cast": true, "extract": true, "date_trunc": true,
	"date_part": true, "age": true, "now": true, "to_char": true, "lower": true, "upper": true, "length": true, "trim": true,
	"substring": true, "substr": true, "position": true, "replace": true, "concat": true, "concat_ws": true, "format": true,
	"left": true, "right": true, "split_part": true, "md5": true, "abs": true, "round": true, "floor": true, "ceil": true,
	"mod": true, "random": true, "unnest": true, "generate_series": true, "row_number": true, "rank": true, "dense_rank": true,
	"lag": true, "lead": true, "first_value": true, "last_value": true, "current_setting": true, "array_length": true,
	"cardinality": true, "regexp_replace": true, "regexp_matches": true, "regexp_match": true, "pg_sleep": true, "version": true,
}

// wantsLook says whether the transaction's id is to be fetched along with a
// statement: once it is known it does not change. Behind a COPY from the client
// nothing may come. A client's first look goes with its transaction's first
// statement, whatever that is: where it fails, all can be played again.
func (r *run) wantsLook() bool {
	st := r.k.st
	if r.trace == nil || !r.trace.on || r.trace.seen.id != 0 || st.blind || st.copies || r.db.noIDs.Load() {
		return false
	}
	return !st.quiet || r.first && !r.db.hasIDs.Load()
}

// addLook puts the look behind the command.
func (r *run) addLook() error {
	r.lookAt, r.trace.asked = r.f.Steps(), time.Now()
	return r.s.addLook(r.f, r.db.cfg.StatementCache == CacheNamed)
}

// addLook asks for a sighting. named says that it is prepared once.
func (s *session) addLook(f *wire.Flight, named bool) error {
	name, err := s.prepareOwn(f, &s.lookName, named, lookText)
	if err != nil {
		return err
	}
	buf, mark, err := f.BeginBind(name)
	if err != nil {
		return err
	}
	if err := f.EndBind(append(buf, 0, 0, 0, 0), mark, []int16{1}); err != nil {
		return err
	}
	f.Execute()
	return nil
}

// prepareOwn parses a statement of duet's own, unless it was prepared under *name.
func (s *session) prepareOwn(f *wire.Flight, name *string, named bool, text string, oids ...uint32) (string, error) {
	if !named {
		return "", f.Parse("", text, oids)
	}
	if *name != "" {
		return *name, nil
	}
	*name = s.newName()
	return *name, f.Parse(*name, text, oids)
}

// disownAll lets go of the statements of duet's own where a text may drop them.
func (s *session) disownAll() {
	s.disown(&s.lookName)
	s.disown(&s.tokenName)
}

// disown lets go of a statement of duet's own, which may have been prepared or
// not: the next one gets another name.
func (s *session) disown(name *string) {
	if *name != "" {
		s.closing = append(s.closing, *name)
		*name = ""
	}
}

// isLook says whether what is being answered belongs to the look.
func (r *run) isLook() bool { return r.lookAt > 0 && r.f.Step() >= r.lookAt }

// look takes the look's row.
func (r *run) look(body []byte) error {
	seen, err := readSighting(body)
	if err != nil {
		return err
	}
	r.trace.seen = seen
	if !r.db.hasIDs.Load() {
		r.db.hasIDs.Store(true)
	}
	return nil
}

// lookFailed deals with a look that failed, or was not looked at since the
// command did. A server that does not have ids is not asked again.
func (r *run) lookFailed() {
	if r.lookAt == 0 {
		return
	}
	r.s.disown(&r.s.lookName)
	if r.failedAt < r.lookAt {
		return
	}
	r.unlooked = true
	if code := r.failed.Code; strings.HasPrefix(code, "42") || strings.HasPrefix(code, "0A") {
		r.db.noIDs.Store(true)
	}
}

// tracks says whether the ids of transactions on a session are looked for.
func (d *db) tracks(s *session, opt *duet.Options) bool {
	return opt.TransactionID != duet.Off && !d.noIDs.Load() && s.major() >= firstWithIDs
}

// major is the server's major version, 0 where it does not tell.
func (s *session) major() int {
	v := serverVersion(s.wc)
	if i := strings.IndexByte(v, '.'); i >= 0 {
		v = v[:i]
	}
	for i, c := range v { // "18beta1"
		if c < '0' || c > '9' {
			v = v[:i]
			break
		}
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0
	}
	return n
}
