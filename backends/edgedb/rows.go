package edgedb

import (
	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
)

// rows is a result that was read to its end.
type rows struct {
	k      *call
	result *decode.Result
	n      int // the current row, from 1; 0 before the first
	ended  bool
}

func newRows(k *call, r *decode.Result) *rows {
	return &rows{k: k, result: r}
}

func (w *rows) Next() bool {
	if w.ended || w.n >= w.result.Len() {
		w.ended = true
		return false
	}
	w.n++
	return true
}

func (w *rows) Decode(out any) error {
	if _, err := decode.RowTarget(out); err != nil {
		return argumentError(w.k.cmd, err)
	}
	if err := w.current(); err != nil {
		return err
	}
	decode.Reset(out)
	if err := w.result.DecodeRow(w.n-1, out, w.k.view.opt.Columns == duet.ColumnsLax); err != nil {
		return w.misfit(err)
	}
	return nil
}

// misfit says that a row does not fit its destination.
func (w *rows) misfit(err error) *duet.Error {
	e := misfit(w.k.cmd, duet.PhaseRun, err)
	e.Outcome = w.k.misfitOutcome(false)
	return e
}

func (w *rows) Scan(dest ...any) error {
	if err := w.current(); err != nil {
		return err
	}
	if err := w.result.ScanRow(w.n-1, dest...); err != nil {
		return w.misfit(err)
	}
	return nil
}

func (w *rows) current() error {
	if w.n == 0 || w.ended {
		return simpleError(duet.KindInvalidArgument, duet.PhaseRun, w.k.cmd, "there is no current row: call Next first")
	}
	return nil
}

func (w *rows) Columns() []duet.Column { return w.result.Columns() }

// Err is nil: what went wrong was Rows' own error.
func (w *rows) Err() error { return nil }

func (w *rows) Result() duet.Result { return unknown }

func (w *rows) Close() error {
	w.ended = true
	return nil
}
