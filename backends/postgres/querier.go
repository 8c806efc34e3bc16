package postgres

import (
	"context"
	"errors"
	"sync"

	"github.com/duetdb/duet"
)

// doer runs a command whose rows go into the task's sink: a client, a
// transaction or a lent connection.
type doer interface {
	do(ctx context.Context, cmd string, args []any, t *task) (duet.Result, error)
}

// querier is what clients, transactions and connections have in common.
type querier struct{ doer doer }

// task is what one call needs while it runs, kept from call to call.
type task struct {
	into sink
	k    call
	r    run
}

var tasks = sync.Pool{New: func() any { return new(task) }}

// end forgets everything of the call.
func (t *task) end() {
	*t = task{}
	tasks.Put(t)
}

func (q querier) Query(ctx context.Context, cmd string, out any, args ...any) (err error) {
	t := tasks.Get().(*task)
	defer t.end()
	if t.into, err = sliceSink(out); err != nil {
		return argumentError(cmd, err)
	}
	_, err = q.doer.do(ctx, cmd, args, t)
	return err
}

func (q querier) QueryOne(ctx context.Context, cmd string, out any, args ...any) (err error) {
	t := tasks.Get().(*task)
	defer t.end()
	if t.into, err = oneSink(out); err != nil {
		return argumentError(cmd, err)
	}
	_, err = q.doer.do(ctx, cmd, args, t)
	return err
}

func (q querier) QueryJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	return q.json(ctx, cmd, out, intoJSON, args)
}

func (q querier) QueryOneJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	return q.json(ctx, cmd, out, intoOneJSON, args)
}

func (q querier) json(ctx context.Context, cmd string, out *[]byte, kind sinkKind, args []any) error {
	if out == nil {
		return argumentError(cmd, errors.New("the destination is a nil *[]byte"))
	}
	t := tasks.Get().(*task)
	defer t.end()
	t.into = sink{kind: kind, json: out}
	_, err := q.doer.do(ctx, cmd, args, t)
	return err
}

func (q querier) Execute(ctx context.Context, cmd string, args ...any) (duet.Result, error) {
	t := tasks.Get().(*task)
	defer t.end()
	return q.doer.do(ctx, cmd, args, t)
}
