package postgres

import (
	"errors"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
)

// read reads the answers of a flight that runs the command.
func (r *run) read() error {
	k := r.k
	k.result = duet.Result{RowsAffected: -1}
	k.into.reset(r.desc)
	if err := r.readAll(k.into); err != nil {
		return err
	}
	err := r.mismatch
	if err != nil {
		err = resultError(k.cmd, duet.PhaseRun, err)
	} else {
		err = k.into.finish(k.cmd, r.desc)
	}
	if e, ok := err.(*duet.Error); ok {
		e.Outcome = r.misfitOutcome()
	}
	return err
}

// errInterrupted is why a connection is closed under a reader that did not come
// to an end: a Scanner of the user's panicked.
var errInterrupted = errors.New("decoding a row panicked")

// readAll reads the flight to its end, rows into the sink where there is one.
func (r *run) readAll(into *sink) error {
	ended := false
	defer func() {
		if !ended {
			r.dead = true
			r.s.wc.Fail(errInterrupted)
		}
	}()
	err := r.readFlight(into)
	ended = true
	return err
}

func (r *run) readFlight(into *sink) error {
	r.failed = nil
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
			if into != nil && r.f.Step() >= r.main && r.mismatch == nil && into.kind != discardRows {
				into.row(body)
			}
			continue
		}
		if kind == wire.Ready && r.f.Step() == r.f.Steps() {
			return r.end()
		}
		if err := r.message(kind, body); err != nil {
			r.s.wc.Fail(err)
			return r.lost(err)
		}
	}
}

// message takes what is neither a row nor the end. An error means that the
// server cannot be trusted any more.
func (r *run) message(kind wire.Kind, body []byte) error {
	own := r.f.Step() > r.main // the step has been counted already
	if kind != wire.ErrorResponse && r.lookAt > 0 && r.f.Step() > r.lookAt {
		return nil // the look is none of the command's answers
	}
	switch kind {
	case wire.ErrorResponse:
		if r.failed != nil { // the first group's error is the reason for the others
			return nil
		}
		err := wire.DecodeError(body)
		se, ok := errors.AsType[*wire.ServerError](err)
		if !ok {
			return err
		}
		r.failed, r.failedAt = se, r.f.FailedStep()
	case wire.ParseComplete:
		if own && r.preparing && r.name != "" && r.desc != nil {
			r.s.remember(r.k.st, r.name, r.desc, r.db.cfg.StatementCacheSize)
		}
	case wire.ParameterDescription:
		params, err := wire.DecodeParameters(body)
		r.params = params
		return err
	case wire.RowDescription:
		if r.script {
			return nil
		}
		fields, err := wire.DecodeFields(body)
		if err != nil {
			return err
		}
		r.described(fields)
	case wire.NoData:
		r.described(nil)
	case wire.CommandComplete:
		if own || r.script && r.f.Step() >= r.main {
			r.k.result = parseTag(body)
			if r.trace != nil {
				r.trace.saw(r.k.result)
			}
			r.committed = r.committed || r.script && r.k.st.ends && commits(r.k.result.Status)
			if tag := r.k.result.Status; !r.k.st.tame && (tag == "DEALLOCATE ALL" || tag == "DISCARD ALL") {
				clear(r.s.prepared)
			}
		}
	}
	return nil
}

// described takes the answer to Describe: the first description of the
// statement, or one to be compared with what the flight was built for.
func (r *run) described(fields []wire.Field) {
	if r.desc == nil {
		r.desc = newDescription(r.db.types, r.params, fields)
		return
	}
	if r.desc.sameColumns(fields) {
		return
	}
	r.changed(fields)
}

// end takes the last ReadyForQuery: what failed, and whether the transaction is
// where it should be.
func (r *run) end() error {
	f := r.f
	if r.failed == nil && f.Copied {
		f.Free()
		return simpleError(duet.KindUnsupported, duet.PhaseRun, r.k.cmd, "COPY from or to the client cannot be run as a command")
	}
	if r.failed == nil {
		if r.main < f.Steps() && !r.k.st.tame && len(r.s.applied) > 0 {
			r.s.unsure = true // the user's own text may have changed what Options set
		}
		f.Free()
		r.f = nil
		return nil
	}
	r.unset()
	r.lookFailed()
	st := r.k.st
	if r.failedAt < r.main || r.unlooked {
		st = nil // it was not the command that failed, so that the position is not in its text
	}
	e := fromServer(r.failed, duet.PhaseRun, st)
	e.Command = r.k.cmd
	r.db.refused(r.s, r.k.opt, e)
	if r.unlooked {
		e.Err = errUnlooked
	}
	if f.Copied {
		e.Kind, e.Hint = duet.KindUnsupported, "COPY from or to the client cannot be run as a command"
	}
	early := r.failedAt >= r.main && r.failedAt < r.does // in Parse or Bind
	disturbed := e.Code == "57014" && f.Disturbed()
	f.Free()
	r.f = nil
	r.judge(e, early)
	if disturbed {
		r.stray(e)
	}
	e.Outcome = r.refusedOutcome(early)
	return e
}

// unset notes that settings which went with a failed flight may hold, or may
// not.
func (r *run) unset() {
	if r.setting {
		r.s.doubt(r.prior)
	}
}
