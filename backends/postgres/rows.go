package postgres

import (
	"context"
	"reflect"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/duetdb/duet/backends/postgres/sqltext"
	"github.com/duetdb/duet/backends/postgres/wire"
)

// rows is a result that is read as the caller asks for it.
type rows struct {
	r       run
	k       call
	into    sink
	types   *codec.Types
	lax     bool
	columns []duet.Column

	body    []byte // the current row, valid until the next read
	n       int
	dec     *codec.RowDecoder
	decFor  reflect.Type
	scanner *codec.ColumnScanner

	err    error
	done   bool
	finish func(*rows) error // gives back what was borrowed; may change the error
	end    func(duet.Result, error)
}

// start runs everything up to the first row.
func (w *rows) start(ctx context.Context) error {
	r := &w.r
	w.into.kind = streamRows
	if err := r.admit(); err != nil {
		return err
	}
	if err := r.ahead(ctx); err != nil {
		return err
	}
	if err := r.launch(ctx); err != nil {
		return err
	}
	w.k.result = duet.Result{RowsAffected: -1}
	if err := w.advance(); err != nil {
		return err
	}
	for _, c := range r.desc.columns {
		w.columns = append(w.columns, duet.Column{Name: c.Name, Type: typeName(w.types.Name(c.OID))})
	}
	return nil
}

// typeName writes the catalogue's "_text" as "text[]".
func typeName(name string) string {
	if elem, ok := strings.CutPrefix(name, "_"); ok {
		return elem + "[]"
	}
	return name
}

// advance reads up to the next row, or to the end.
func (w *rows) advance() error {
	r := &w.r
	w.body = nil
	for {
		kind, body, err := r.f.Next()
		if err != nil {
			return r.lost(err)
		}
		if kind == wire.DataRow {
			if r.isLook() {
				if err := r.look(body); err != nil {
					r.s.wc.Fail(err)
					return r.lost(err)
				}
				continue
			}
			if r.f.Step() < r.main {
				continue
			}
			w.body = body
			return nil
		}
		if kind == wire.Ready && r.f.Step() == r.f.Steps() {
			w.done = true
			return r.end()
		}
		if err := r.message(kind, body); err != nil {
			r.s.wc.Fail(err)
			return r.lost(err)
		}
		if r.mismatch != nil && r.f.Step() >= r.does { // Bind was not refused
			r.f.Abandon()
			r.dead = r.inTx || !r.old // what follows waits for its end
			r.unset()
			return w.misfit(r.mismatch)
		}
	}
}

func (w *rows) Next() bool {
	if w.finish == nil {
		return false
	}
	if w.n > 0 { // the first row was read by start
		if err := w.advance(); err != nil {
			w.close(err)
			return false
		}
	}
	if w.done {
		w.close(nil)
		return false
	}
	w.n++
	return true
}

func (w *rows) Decode(out any) error {
	target, err := codec.PointerTarget(out)
	if err != nil {
		return argumentError(w.k.cmd, err)
	}
	if err := w.current(); err != nil {
		return err
	}
	if typ := target.Elem(); typ != w.decFor {
		w.decFor = nil
		if w.dec, err = w.r.desc.decoder(w.types, typ, w.lax); err != nil {
			return w.misfit(err)
		}
		w.decFor = typ
	}
	target.Reset()
	if err := target.Decode(w.dec, w.body, w.n); err != nil {
		return w.misfit(err)
	}
	return nil
}

// misfit says that a row does not fit its destination.
func (w *rows) misfit(err error) *duet.Error {
	e := resultError(w.k.cmd, duet.PhaseRun, err)
	e.Outcome = w.r.readingOutcome()
	return e
}

func (w *rows) Scan(dest ...any) error {
	if err := w.current(); err != nil {
		return err
	}
	if w.scanner == nil {
		w.scanner = w.types.Scanner(w.r.desc.columns)
	}
	if err := w.scanner.Scan(w.body, w.n, dest...); err != nil {
		return w.misfit(err)
	}
	return nil
}

func (w *rows) current() error {
	if w.body == nil || w.n == 0 || w.finish == nil {
		return simpleError(duet.KindInvalidArgument, duet.PhaseRun, w.k.cmd, "there is no current row: call Next first")
	}
	return nil
}

func (w *rows) Columns() []duet.Column { return w.columns }

func (w *rows) Err() error { return w.err }

func (w *rows) Result() duet.Result { return w.k.result }

func (w *rows) Close() error {
	if w.finish == nil {
		return w.err
	}
	var err error
	if !w.done {
		err = w.leaveRest()
	}
	w.close(err)
	return w.err
}

// leaveRest deals with the rows that nobody wants. The rest of a SELECT is
// cancelled. Cancelling anything else would undo what it did, and in a
// transaction it would fail all of it: there the rest is read, since how the
// command ends is not known before.
func (w *rows) leaveRest() error {
	if kind := w.r.k.st.kind; w.r.inTx || kind != sqltext.Select && kind != sqltext.Values {
		for !w.done {
			if err := w.advance(); err != nil {
				return err
			}
		}
		return nil
	}
	w.r.f.Abandon()
	w.r.dead = true
	w.r.unset() // cancelling undoes the settings that went with the command
	return nil
}

// close ends the rows, once.
func (w *rows) close(err error) {
	finish := w.finish
	w.finish, w.body, w.err = nil, nil, err
	if err == nil && w.done {
		if own := finish(w); own != nil {
			err = own
		}
	} else {
		_ = finish(w)
	}
	w.err = err
	if w.end != nil {
		w.end(w.k.result, err)
	}
}

// open makes rows on a session and reads up to the first row; begin is BEGIN
// where that travels ahead. After an error nothing is left open but what the
// caller borrowed.
func openRows(ctx context.Context, d *db, s *session, opt *duet.Options, cmd string, args []any, configure func(*run)) (*rows, error) {
	w := &rows{types: d.types, lax: opt.Columns == duet.ColumnsLax}
	w.k = call{cmd: cmd, args: args, opt: opt, into: &w.into}
	w.r = run{db: d, s: s, k: &w.k, lone: true}
	if configure != nil {
		configure(&w.r)
	}
	return w, w.start(ctx)
}

func (c *client) Rows(ctx context.Context, cmd string, args ...any) (duet.Rows, error) {
	if err := unsupportedOptions(&c.opt); err != nil {
		return nil, err
	}
	ctx, end := c.db.begin(ctx, &c.opt, cmd, len(args), false)
	w, err := c.openRows(ctx, cmd, args)
	if err != nil {
		if end != nil {
			end(duet.Result{RowsAffected: -1}, err)
		}
		return nil, err
	}
	w.end = end
	return w, nil
}

// openRows is attempts for Rows: nothing was shown to the caller yet.
func (c *client) openRows(ctx context.Context, cmd string, args []any) (*rows, error) {
	var m moves
	for {
		lease, err := c.db.acquire(ctx, &c.opt, cmd)
		if err != nil {
			return nil, m.told(err)
		}
		s := lease.Value()
		w, err := openRows(ctx, c.db, s, &c.opt, cmd, args, nil)
		for round := 1; w.r.isStale(err); round++ {
			w, err = openRows(ctx, c.db, s, &c.opt, cmd, args, func(r *run) { r.lone, r.round = false, round })
		}
		if err == nil {
			w.finish = func(w *rows) error {
				err := c.checkIdle(&w.r, nil)
				c.db.releaseWithin(ctx, lease)
				return err
			}
			return w, nil
		}
		err = c.checkIdle(&w.r, err)
		c.db.releaseWithin(ctx, lease)
		if !m.again(ctx, c, &w.r, err) {
			return nil, m.told(err)
		}
	}
}

func (c *conn) Rows(ctx context.Context, cmd string, args ...any) (duet.Rows, error) {
	if err := unsupportedOptions(c.opt); err != nil {
		return nil, err
	}
	if err := c.lent.enter(cmd); err != nil {
		return nil, err
	}
	ctx, end := c.db.begin(ctx, c.opt, cmd, len(args), false)
	round := 0
	configure := func(r *run) { r.inTx, r.round = c.s.wc.Status() != 'I', round }
	w, err := openRows(ctx, c.db, c.s, c.opt, cmd, args, configure)
	for w.r.isStale(err) && c.s.wc.Status() == 'I' {
		round++
		w, err = openRows(ctx, c.db, c.s, c.opt, cmd, args, configure)
	}
	c.s.dirty = true
	if err != nil {
		c.lent.leave()
		if end != nil {
			end(duet.Result{RowsAffected: -1}, err)
		}
		return nil, err
	}
	w.end = end
	w.finish = func(*rows) error { c.lent.leave(); return nil }
	return w, nil
}
