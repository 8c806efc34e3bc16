package conformance_test

import (
	"context"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance"
)

// defect is what is wrong with a client: each function, where it is set, stands
// in for the call of its name on whatever runs commands or transactions.
type defect struct {
	query        func(q duet.Querier, ctx context.Context, cmd string, out any, args []any) error
	queryOne     func(q duet.Querier, ctx context.Context, cmd string, out any, args []any) error
	queryJSON    func(q duet.Querier, ctx context.Context, cmd string, out *[]byte, args []any) error
	queryOneJSON func(q duet.Querier, ctx context.Context, cmd string, out *[]byte, args []any) error
	execute      func(q duet.Querier, ctx context.Context, cmd string, args []any) (duet.Result, error)
	rows         func(rows duet.Rows) duet.Rows
	fail         func(err error) error // every error of a command or a transaction
	args         func(args []any) []any
	options      func(o duet.Options) duet.Options
	connect      func(o conformance.ConnectOptions) conformance.ConnectOptions
	close        func(c duet.Client, ctx context.Context) error
	ping         func(c duet.Client, ctx context.Context) error
	retryingTx   func(c duet.Client, ctx context.Context, fn closure) error
	rawTx        func(run func(context.Context, closure) error, ctx context.Context, fn closure) error // of clients and connections
	closure      func(fn closure) closure
	tx           func(tx duet.Tx, c duet.Client) duet.Tx
	nested       func(tx duet.Tx, ctx context.Context, fn closure) error
	commit       func(tx duet.OpenTx, ctx context.Context) error
	rollback     func(tx duet.OpenTx, ctx context.Context) error
	hangs        bool // scenarios that find it run into the end of their time
}

type closure = func(context.Context, duet.Tx) error

// broken gives the target whose clients have the defect, whatever views,
// transactions and connections they give.
func (d *defect) broken(target conformance.Target) conformance.Target {
	connect := target.Connect
	target.Connect = func(ctx context.Context, opt conformance.ConnectOptions) (duet.Client, error) {
		if d.connect != nil {
			opt = d.connect(opt)
		}
		c, err := connect(ctx, opt)
		if err != nil {
			return nil, err
		}
		return d.client(c), nil
	}
	return target
}

func (d *defect) error(err error) error {
	if err == nil || d.fail == nil {
		return err
	}
	return d.fail(err)
}

func (d *defect) view(o duet.Options) duet.Options {
	if d.options != nil {
		return d.options(o)
	}
	return o
}

// querier has the defect in its six methods.
type querier struct {
	q duet.Querier
	d *defect
}

func (b querier) arguments(args []any) []any {
	if b.d.args != nil {
		return b.d.args(args)
	}
	return args
}

func (b querier) Query(ctx context.Context, cmd string, out any, args ...any) error {
	if b.d.query != nil {
		return b.d.error(b.d.query(b.q, ctx, cmd, out, args))
	}
	return b.d.error(b.q.Query(ctx, cmd, out, b.arguments(args)...))
}

func (b querier) QueryOne(ctx context.Context, cmd string, out any, args ...any) error {
	if b.d.queryOne != nil {
		return b.d.error(b.d.queryOne(b.q, ctx, cmd, out, args))
	}
	return b.d.error(b.q.QueryOne(ctx, cmd, out, b.arguments(args)...))
}

func (b querier) QueryJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	if b.d.queryJSON != nil {
		return b.d.error(b.d.queryJSON(b.q, ctx, cmd, out, args))
	}
	return b.d.error(b.q.QueryJSON(ctx, cmd, out, b.arguments(args)...))
}

func (b querier) QueryOneJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	if b.d.queryOneJSON != nil {
		return b.d.error(b.d.queryOneJSON(b.q, ctx, cmd, out, args))
	}
	return b.d.error(b.q.QueryOneJSON(ctx, cmd, out, b.arguments(args)...))
}

func (b querier) Execute(ctx context.Context, cmd string, args ...any) (duet.Result, error) {
	if b.d.execute != nil {
		res, err := b.d.execute(b.q, ctx, cmd, args)
		return res, b.d.error(err)
	}
	res, err := b.q.Execute(ctx, cmd, b.arguments(args)...)
	return res, b.d.error(err)
}

func (b querier) Rows(ctx context.Context, cmd string, args ...any) (duet.Rows, error) {
	rows, err := b.q.Rows(ctx, cmd, b.arguments(args)...)
	if err == nil && b.d.rows != nil {
		rows = b.d.rows(rows)
	}
	return rows, b.d.error(err)
}

// The rest of each interface lies one level deeper than querier, so that
// querier's methods win.
type (
	clientRest struct{ duet.Client }
	txRest     struct{ duet.Tx }
	openTxRest struct{ duet.OpenTx }
	connRest   struct{ duet.Conn }
)

type brokenClient struct {
	querier
	clientRest
}

func (d *defect) client(c duet.Client) *brokenClient {
	return &brokenClient{querier{c, d}, clientRest{c}}
}

func (b *brokenClient) With(o duet.Options) duet.Client {
	return b.d.client(b.Client.With(b.d.view(o)))
}

func (b *brokenClient) RetryingTx(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
	run := func(c duet.Client, ctx context.Context, fn closure) error { return c.RetryingTx(ctx, fn) }
	if b.d.retryingTx != nil {
		run = b.d.retryingTx
	}
	return b.d.error(run(b.Client, ctx, b.wrap(fn)))
}

func (b *brokenClient) RawTx(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
	return b.d.raw(b.Client.RawTx, ctx, b.wrap(fn))
}

// raw runs a RawTx with the defect.
func (d *defect) raw(run func(context.Context, func(context.Context, duet.Tx) error) error, ctx context.Context, fn closure) error {
	if d.rawTx != nil {
		return d.error(d.rawTx(run, ctx, fn))
	}
	return d.error(run(ctx, fn))
}

// wrap gives a closure a Tx with the defect.
func (b *brokenClient) wrap(fn closure) closure {
	if b.d.closure != nil {
		fn = b.d.closure(fn)
	}
	return func(ctx context.Context, tx duet.Tx) error {
		if b.d.tx != nil {
			tx = b.d.tx(tx, b.Client)
		}
		return fn(ctx, b.d.wrapTx(tx))
	}
}

func (b *brokenClient) Begin(ctx context.Context) (duet.OpenTx, error) {
	tx, err := b.Client.Begin(ctx)
	if err != nil {
		return nil, b.d.error(err)
	}
	return &brokenOpenTx{querier{tx, b.d}, openTxRest{tx}}, nil
}

func (b *brokenClient) Acquire(ctx context.Context) (duet.Conn, error) {
	conn, err := b.Client.Acquire(ctx)
	if err != nil {
		return nil, b.d.error(err)
	}
	return &brokenConn{querier{conn, b.d}, connRest{conn}}, nil
}

func (b *brokenClient) Close(ctx context.Context) error {
	if b.d.close != nil {
		return b.d.close(b.Client, ctx)
	}
	return b.Client.Close(ctx)
}

func (b *brokenClient) Ping(ctx context.Context) error {
	if b.d.ping != nil {
		return b.d.ping(b.Client, ctx)
	}
	return b.Client.Ping(ctx)
}

type brokenTx struct {
	querier
	txRest
}

func (d *defect) wrapTx(tx duet.Tx) *brokenTx { return &brokenTx{querier{tx, d}, txRest{tx}} }

func (b *brokenTx) With(o duet.Options) duet.Tx { return b.d.wrapTx(b.Tx.With(b.d.view(o))) }

func (b *brokenTx) Nested(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
	return b.d.nest(b.Tx, ctx, fn)
}

// nest runs Nested of a transaction with the defect.
func (d *defect) nest(tx duet.Tx, ctx context.Context, fn closure) error {
	wrapped := func(ctx context.Context, tx duet.Tx) error { return fn(ctx, d.wrapTx(tx)) }
	if d.nested != nil {
		return d.error(d.nested(tx, ctx, wrapped))
	}
	return d.error(tx.Nested(ctx, wrapped))
}

type brokenOpenTx struct {
	querier
	openTxRest
}

func (b *brokenOpenTx) Commit(ctx context.Context) error {
	if b.d.commit != nil {
		return b.d.error(b.d.commit(b.OpenTx, ctx))
	}
	return b.d.error(b.OpenTx.Commit(ctx))
}

func (b *brokenOpenTx) Rollback(ctx context.Context) error {
	if b.d.rollback != nil {
		return b.d.error(b.d.rollback(b.OpenTx, ctx))
	}
	return b.d.error(b.OpenTx.Rollback(ctx))
}

func (b *brokenOpenTx) Nested(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
	return b.d.nest(b.OpenTx, ctx, fn)
}

type brokenConn struct {
	querier
	connRest
}

func (b *brokenConn) RawTx(ctx context.Context, fn func(context.Context, duet.Tx) error) error {
	return b.d.raw(b.Conn.RawTx, ctx, fn)
}

func (b *brokenConn) With(o duet.Options) duet.Conn {
	conn := b.Conn.With(b.d.view(o))
	return &brokenConn{querier{conn, b.d}, connRest{conn}}
}
