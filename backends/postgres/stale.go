package postgres

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/sqltext"
	"github.com/duetdb/duet/backends/postgres/wire"
)

// maxRounds bounds how often one command is prepared anew on a connection: each
// round that fails was caught up by yet another change of what it uses.
const maxRounds = 10

// errOutdated is beside what a command in a transaction failed with because what
// it uses was changed since it was prepared. Another attempt prepares it anew.
var errOutdated = errors.New("what the command uses was changed since it was prepared; run the transaction again")

// errColumnsChanged is why a result cannot be decoded: its columns are not those
// that it was asked for in the formats of.
var errColumnsChanged = errors.New("the statement's columns have changed since it was described, and its rows came in the formats of the earlier ones")

// isStale says whether the command may be run again at once, outside of
// transactions or with BEGIN: the server refused it before it ran, or it only
// read, and preparing it anew may help.
func (r *run) isStale(err error) bool {
	return err != nil && r.old && !r.dead && r.round < maxRounds
}

// anew makes a run ready for another round of its command on its connection.
func (r *run) anew(err error) bool {
	if !r.isStale(err) {
		return false
	}
	*r = run{db: r.db, s: r.s, k: r.k, round: r.round + 1}
	return true
}

// outdated says whether the command, which failed before it was run, may have
// failed because of what was known of it from earlier. Beside what names the
// cause, these are Parse and Bind with types that it no longer has: parameters
// (42804, 42883), formats for another number of columns (08P01), a type that was
// dropped (XX000). A statement that was described a moment ago has changed since
// only where it is refused all the same; that is tried twice.
func (r *run) outdated(e *duet.Error) bool {
	if isStalePlan(e.Code, e.Message) {
		return true
	}
	if len(e.Code) != 5 || e.Code == "42501" {
		return false
	}
	trust := r.desc == nil || r.fresh // what is known is new
	switch e.Code[:2] {
	case "42", "08":
		return r.desc != nil && (!trust || r.round < 2)
	case "22":
		return !trust
	case "XX":
		return !trust || r.round < 2
	}
	return false
}

// judge finds out whether a refusal came from what was known of the command, and
// forgets that. early says that the command had not been run.
func (r *run) judge(e *duet.Error, early bool) {
	if !early || r.script || r.unlooked || !r.outdated(e) {
		return
	}
	r.old = true
	if e.Code == "26000" {
		r.s.forget(r.k.st) // what is known of it is as good as ever
	} else {
		r.stale()
	}
	if isStalePlan(e.Code, e.Message) {
		e.Kind = duet.KindSerialization
	}
	if r.inTx && e.Code[:2] != "22" {
		e.Err = errOutdated
	}
}

// errStray is beside the 57014 of a command in a transaction that was meant for
// the connection's user before.
var errStray = errors.New("the cancelling of an earlier statement may have come late and hit this one; run the transaction again")

// maxStrays bounds how often a command is run again that was cancelled though
// nobody here asked for it: the server signals each cancelling twice.
const maxStrays = 4

// canceledByRequest is what the server says where it was asked to cancel, and not
// where the time of statement_timeout was over: the SQLSTATE is the same. Where
// lc_messages has it say so in another language, nothing is taken for stray.
const canceledByRequest = "canceling statement due to user request"

// stray deals with a cancelling that nobody here has asked for: a command that
// can be undone was, and is run again, unless it calls functions, which may have
// done what is not undone.
func (r *run) stray(e *duet.Error) {
	switch st := r.k.st; {
	case e.Message != canceledByRequest:
	case r.inTx:
		e.Err = errStray
	case isData(st.kind) && !r.script && (r.k.opt.Idempotent == duet.On || !st.reachesOut()):
		r.old = r.round < maxStrays
	}
}

// intoColumns finds the table of an INSERT with a list of columns, which looks
// like a function with its arguments.
var intoColumns = regexp.MustCompile(`(?i)\binto\s+(?:(?:[\w$]+|"[^"]*")\s*\.\s*)*(?:[\w$]+|"[^"]*")\s*\(`)

// reachesOut says whether a statement calls functions that are not known to do
// only what is undone with it. It is for errors, and reads the text each time.
func (st *statement) reachesOut() bool {
	calls, foreign, _ := sqltext.Calls(intoColumns.ReplaceAllString(st.cmd, "into values ("), st.standard)
	return slices.ContainsFunc(calls, func(name string) bool { return foreign || !harmlessCalls[name] && name != "conflict" })
}

// isStalePlan says that a prepared statement no longer is what it was: another
// session changed a table, or the statement was deallocated.
func isStalePlan(code, message string) bool {
	return code == "26000" || code == "0A000" && strings.Contains(message, "cached plan must not change result type")
}

// stale lets go of what is no longer what it was.
func (r *run) stale() {
	r.s.forget(r.k.st)
	if d := r.k.st.desc.Load(); d == r.desc {
		r.k.st.desc.CompareAndSwap(d, nil)
	}
}

// changed takes the columns of a statement that is running already, and that are
// not those that it was described with: its rows are decoded as what they are
// now, if they came in the formats that this needs. Where they did not, and Bind
// was not refused for their number, a statement that only reads is run again;
// for any other it is too late.
func (r *run) changed(fields []wire.Field) {
	sent := r.desc.formats
	now := newDescription(r.db.types, r.desc.params, fields)
	r.k.st.desc.Store(now)
	if r.name != "" {
		r.s.remember(r.k.st, r.name, now, r.db.cfg.StatementCacheSize)
		r.s.closing = r.s.closing[:len(r.s.closing)-1] // it is the same name, not another one
	}
	r.desc = now
	switch {
	case r.k.into.kind == discardRows:
	case !now.readable(sent):
		r.mismatch = errColumnsChanged
		if r.inTx {
			r.mismatch = errors.Join(errColumnsChanged, errOutdated)
		}
		r.old = r.k.st.quiet
	default:
		r.mismatch = r.k.into.prepare(r.db.types, now)
	}
}

// readable says whether rows that came in these formats can be decoded as d's.
func (d *description) readable(sent []int16) bool {
	for i, c := range d.columns {
		got, want := formatAt(sent, i), formatAt(d.formats, i)
		if got != want && !sameInBoth[c.OID] {
			return false
		}
	}
	return true
}

// formatAt is a column's format: none means text for all, and one stands for all
// columns (PostgreSQL documentation, "Message Formats", Bind).
func formatAt(formats []int16, i int) int16 {
	switch len(formats) {
	case 0:
		return 0
	case 1:
		return formats[0]
	}
	if i < len(formats) {
		return formats[i]
	}
	return -1 // another number of columns: Bind is refused
}

// sameInBoth are the types whose text and binary forms are the same bytes: text,
// varchar, bpchar, name, json, xml.
var sameInBoth = map[uint32]bool{25: true, 1043: true, 1042: true, 19: true, 114: true, 142: true}
