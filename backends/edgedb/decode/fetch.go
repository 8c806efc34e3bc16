package decode

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"

	"github.com/edgedb/edgedb-go"
)

// Request is one command to run for its rows.
type Request struct {
	// Cmd is the EdgeQL text.
	Cmd string
	// Scope is what the meaning of Cmd depends on besides the database, such as
	// the module aliases; "" for none. It must not hold anything secret.
	Scope string
	// Args are what [Args] made of the user's arguments.
	Args []any
	// One asks for at most one row, as edgedb-go's QuerySingle does: a command
	// that may give more is refused by the server before it runs.
	One bool
	// Row is the Go type that each row goes into; nil where that is not known
	// yet. It is looked at for names only: no value of it is touched.
	Row reflect.Type
	// Lax is Options.Columns lax.
	Lax bool
	// MayAct says that Cmd may have an effect, so that it is never run a second
	// time to learn its shape.
	MayAct bool
	// Proceed, if set, is asked before each round trip. Its error ends the Fetch,
	// and nothing was executed.
	Proceed func() error
}

// mostAttempts bounds how often edgedb-go is asked what it wants: twice for each
// field of the widest object that a database can hold, and then some.
const mostAttempts = 4000

// Fetch runs the command on ex and keeps its rows in memory of its own. What
// edgedb-go needs to know of the result's shape is found out first, at the cost
// of some Parse messages when a text is new: one or two where Row is a struct or
// a scalar, one for each field of an object where names are not known. Nothing is
// executed twice.
//
// Errors are those of edgedb-go as they are, those of Proceed, and a
// *[DecodeError] where it is known before anything runs that the rows do not fit
// Row, or that the result has changed ([ErrChanged]). No row is no error, with One
// neither: the Result is empty. A panic of edgedb-go goes on to the caller, who
// should close the connection and call [Cache.Forget].
func (c *Cache) Fetch(ctx context.Context, ex edgedb.Executor, req Request) (*Result, error) {
	known := c.get(&req)
	switch {
	case known != nil && known.json:
		return c.fetchJSONRows(ctx, ex, &req, known)
	case known != nil && known.suits(req.Row):
		rows, err := run(ctx, ex, &req, known.rows)
		if err == nil {
			return &Result{statement: known, rows: rows, learned: c.learnMore(ctx, ex, &req, known, rows)}, nil
		}
		if _, misfit := mismatchOf(err, known.rows.Elem().String(), known.shape); !misfit {
			return nil, err
		}
		if err := c.changed(&req); err != nil {
			return nil, err
		}
		known = nil
	}
	return c.discover(ctx, ex, &req, known)
}

// ErrChanged is in the tree of a *[DecodeError] that says that a command's result is
// no longer what it was, as after a change of the schema. What was known is
// forgotten, so that the next call finds it out. On a protocol before 2.0 it cannot
// be told whether the command ran.
var ErrChanged = errors.New("the shape of the command's result has changed")

// ErrMalformed is in the tree of a *[DecodeError] that says that the answer of a
// command, which was run to its end, cannot be read.
var ErrMalformed = errors.New("the server's JSON is malformed")

var writes = regexp.MustCompile(`(?i)\b(?:insert|update|delete)\b`)

// changed forgets what is known of a command, which is no longer so. edgedb-go may
// have noticed in the midst of a result, so what may write is not run again.
func (c *Cache) changed(req *Request) error {
	c.Forget(req.Cmd)
	if !writes.MatchString(req.Cmd) {
		return nil
	}
	return &DecodeError{Reason: "it may write and is not run again", Err: ErrChanged}
}

// learnMore keeps the types of values that had always been missing.
func (c *Cache) learnMore(ctx context.Context, ex edgedb.Executor, req *Request, known *statement, rows reflect.Value) *statement {
	if known.settled {
		return known
	}
	return c.keep(ctx, ex, req, known, known.shape, rows)
}

// keep finds out what there is to know of a command that was run with the shape
// n, and remembers it; known is what was known before, or nil.
func (c *Cache) keep(ctx context.Context, ex edgedb.Executor, req *Request, known *statement, n *node, rows reflect.Value) *statement {
	made := newStatement(learn(n, rows))
	made.confirmed = known != nil && known.confirmed
	switch {
	case !made.settled && !made.confirmed:
		made = newStatement(confirm(ctx, ex, req, made.shape))
		made.confirmed = true
	case known != nil && made.shape == known.shape:
		return known
	}
	c.put(req, made)
	return made
}

// discover runs a command whose shape is not, or not wholly, known.
func (c *Cache) discover(ctx context.Context, ex edgedb.Executor, req *Request, known *statement) (*Result, error) {
	var shape *node
	if known != nil {
		shape = known.shape
	}
	d := newDraft(shape, req.Row)
	for range mostAttempts {
		typ := shadowOf(d.root)
		rows, err := run(ctx, ex, req, reflect.SliceOf(typ))
		if err == nil {
			learned := c.keep(ctx, ex, req, known, d.root, rows)
			return &Result{statement: &statement{shape: d.root}, rows: rows, learned: learned}, nil
		}
		m, ok := mismatchOf(err, typ.String(), d.root)
		switch {
		case !ok:
			return nil, err
		case d.changed && d.mend(m, typ):
			if err := d.refuse(m, req); err != nil {
				return nil, err
			}
		case shape != nil:
			if err := c.changed(req); err != nil {
				return nil, err
			}
			shape, d = nil, newDraft(nil, req.Row)
		default:
			known = &statement{json: true, shape: d.root}
			c.put(req, known)
			return c.fetchJSONRows(ctx, ex, req, known)
		}
	}
	return nil, &DecodeError{Reason: fmt.Sprintf("the result's shape was not found out in %d attempts", mostAttempts)}
}

// run tries to run the command with list, the type of a slice of rows. It gives
// the rows, none after an error.
func run(ctx context.Context, ex edgedb.Executor, req *Request, list reflect.Type) (reflect.Value, error) {
	rows := reflect.New(list)
	rows.Elem().Set(reflect.MakeSlice(list, 0, 0))
	if req.Proceed != nil {
		if err := req.Proceed(); err != nil {
			return rows.Elem(), err
		}
	}
	if !req.One {
		err := ex.Query(ctx, req.Cmd, rows.Interface(), req.Args...)
		return rows.Elem(), err
	}
	row := reflect.New(list.Elem())
	err := ex.QuerySingle(ctx, req.Cmd, row.Interface(), req.Args...)
	switch {
	case err == nil:
		return reflect.Append(rows.Elem(), row.Elem()), nil
	case isNoData(err):
		return rows.Elem(), nil
	default:
		return rows.Elem(), err
	}
}

// isNoData says that there was no row, and nothing else: where a connection ends in
// the midst of a reply, edgedb-go joins the same error with that one.
func isNoData(err error) bool {
	var failure edgedb.Error
	return errors.As(err, &failure) && failure.Category(edgedb.NoDataError) && err.Error() == "edgedb.NoDataError: zero results"
}

// refuse says, before anything runs, that a field has no place in the struct that
// its object goes into.
func (d *draft) refuse(m mismatch, req *Request) error {
	if m.what != wantsField || req.Lax {
		return nil
	}
	n := nodeAt(d.root, m.path)
	if n == nil {
		return nil
	}
	t := d.types[n]
	list := structFields(t)
	if list == nil {
		return nil
	}
	for i := range list {
		if list[i].Name == m.name {
			return nil
		}
	}
	return wrapPath(m.path, noField(m.name, t, list))
}

// FetchJSON runs the command and gives the server's JSON: an array, or with One a
// single value, in which case found says whether there is one. Row and Lax are
// not looked at.
func (c *Cache) FetchJSON(ctx context.Context, ex edgedb.Executor, req Request) (text []byte, found bool, err error) {
	if req.Proceed != nil {
		if err := req.Proceed(); err != nil {
			return nil, false, err
		}
	}
	if req.One {
		err = ex.QuerySingleJSON(ctx, req.Cmd, &text, req.Args...)
		if isNoData(err) {
			return nil, false, nil
		}
	} else {
		err = ex.QueryJSON(ctx, req.Cmd, &text, req.Args...)
	}
	return text, err == nil, err
}

// fetchJSONRows runs a command whose rows edgedb-go cannot decode.
func (c *Cache) fetchJSONRows(ctx context.Context, ex edgedb.Executor, req *Request, known *statement) (*Result, error) {
	text, found, err := c.FetchJSON(ctx, ex, *req)
	if err != nil {
		return nil, err
	}
	r := &Result{statement: known, json: true}
	if !found {
		return r, nil
	}
	value, err := parseJSON(text)
	switch {
	case err != nil:
		return nil, &DecodeError{Reason: "malformed JSON from the server", Err: fmt.Errorf("%w: %w", ErrMalformed, err)}
	case req.One:
		r.values = []*jsonValue{value}
	case value.kind != jsonArray:
		return nil, &DecodeError{Reason: "malformed JSON from the server: not an array", Err: ErrMalformed}
	default:
		r.values = value.list
	}
	return r, nil
}
