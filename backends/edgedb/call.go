package edgedb

import (
	"context"
	"errors"
	"reflect"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
)

// sinkKind is where a result goes.
type sinkKind uint8

const (
	discard sinkKind = iota
	intoSlice
	intoOne
	intoJSON
	intoOneJSON
	intoRows
)

// call is one command on its way. What the goroutine that talks to the server
// needs is in reply, which the caller does not touch until that has ended.
type call struct {
	db   *db
	cmd  string
	view *view

	kind sinkKind
	row  reflect.Type // of the rows, for intoSlice and intoOne
	out  any
	json *[]byte
	text *text
	args []any // as edgedb-go takes them
	inTx bool
}

// reply is what a server's answer was read into: memory of its own.
type reply struct {
	result *decode.Result
	json   []byte
	found  bool // there is json
}

// prepare reads the text and converts the arguments.
func (k *call) prepare(args []any) error {
	if k.view.bad != nil {
		return k.view.bad
	}
	k.text = k.db.texts.get(k.cmd)
	var err error
	if k.args, err = k.text.arguments(args); err != nil {
		return argumentError(k.cmd, err)
	}
	return nil
}

// reset empties the destination: at each call, and so at each attempt of a
// transaction.
func (k *call) reset() {
	switch k.kind {
	case intoSlice, intoOne:
		decode.Reset(k.out)
	case intoJSON, intoOneJSON:
		*k.json = nil
	}
}

// ask runs the command and reads the answer. proceed is asked before each round
// trip. It gives edgedb-go's errors as they are.
func (k *call) ask(ctx context.Context, ex executor, proceed func() error) (r reply, err error) {
	request := decode.Request{
		Cmd: k.cmd, Scope: scopeOf(k.view.state), Args: k.args, Row: k.row, Lax: k.view.opt.Columns == duet.ColumnsLax, MayAct: !k.text.reads,
		One: k.kind == intoOne || k.kind == intoOneJSON, Proceed: proceed,
	}
	switch k.kind {
	case discard:
		if err = proceed(); err == nil {
			err = ex.Execute(ctx, k.cmd, k.args...)
		}
	case intoJSON, intoOneJSON:
		r.json, r.found, err = k.db.shapes.FetchJSON(ctx, ex, request)
	default:
		r.result, err = k.db.shapes.Fetch(ctx, ex, request)
	}
	return r, err
}

// finish stores the answer in the destination.
func (k *call) finish(r reply) error {
	e, ok := k.store(r).(*duet.Error)
	if !ok {
		return nil
	}
	e.Outcome = k.misfitOutcome(e.Kind == duet.KindNoData)
	return e
}

// store is finish; its error, a *duet.Error or nil, says nothing of the outcome.
func (k *call) store(r reply) error {
	var err error
	switch k.kind {
	case intoSlice:
		err = r.result.Query(k.out, k.view.opt.Columns == duet.ColumnsLax)
	case intoOne:
		err = r.result.QueryOne(k.out, k.view.opt.Columns == duet.ColumnsLax)
	case intoJSON:
		*k.json = r.json
	case intoOneJSON:
		if !r.found {
			return k.noData()
		}
		*k.json = r.json
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, duet.ErrNoData):
		return k.noData()
	case errors.Is(err, duet.ErrCardinality):
		return simpleError(duet.KindCardinality, duet.PhaseRun, k.cmd, "the command gave more than the one row that was asked for")
	}
	return misfit(k.cmd, duet.PhaseRun, err)
}

func (k *call) noData() error {
	return simpleError(duet.KindNoData, duet.PhaseRun, k.cmd, "the command gave no row where exactly one was asked for")
}

// misfit says that a result does not fit its destination.
func misfit(cmd string, phase duet.Phase, err error) *duet.Error {
	e := resultError(cmd, phase, err)
	if d, ok := errors.AsType[*decode.DecodeError](err); ok {
		e.Column = d.Column
	}
	return e
}

// failure makes duet's error of what ask failed with. unknown says that the
// command may have had an effect that nothing but its own answer could tell of.
func (k *call) failure(err error, unknown bool) error {
	if _, ok := errors.AsType[*decode.DecodeError](err); ok {
		e := misfit(k.cmd, duet.PhaseRun, err)
		switch {
		case errors.Is(err, decode.ErrMalformed):
			e.Outcome = k.misfitOutcome(false)
		case unknown:
			e.Outcome = duet.OutcomeUnknown
		}
		return e
	}
	if text, ok := decode.ArgumentError(err); ok {
		return argumentError(k.cmd, errors.New(text))
	}
	made := serverError(err, k.cmd, duet.PhaseRun)
	e, ok := errors.AsType[*duet.Error](made)
	if !ok || e.Command != "" && !unknown {
		return made
	}
	dressed := *e
	dressed.Command = k.cmd
	if unknown {
		dressed.Outcome = duet.OutcomeUnknown
	}
	return &dressed
}
