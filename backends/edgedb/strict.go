package edgedb

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/edgedb/edgedb-go"
)

// strict makes edgedb-go's errors mean what they say. Where a connection ends in
// the middle of a reply, edgedb-go joins "zero results" with the connection's
// error, and the whole is an error of the kind NoDataError: a reply that was lost
// would look like an empty one.
type strict struct{ executor }

func (x strict) Execute(ctx context.Context, cmd string, args ...any) error {
	return honest(x.executor.Execute(ctx, cmd, args...))
}

func (x strict) Query(ctx context.Context, cmd string, out any, args ...any) error {
	return honest(x.executor.Query(ctx, cmd, out, args...))
}

func (x strict) QueryJSON(ctx context.Context, cmd string, out *[]byte, args ...any) error {
	return settled(honest(x.executor.QueryJSON(ctx, cmd, out, args...)))
}

func (x strict) QuerySingle(ctx context.Context, cmd string, out any, args ...any) error {
	return honest(x.executor.QuerySingle(ctx, cmd, out, args...))
}

func (x strict) QuerySingleJSON(ctx context.Context, cmd string, out any, args ...any) error {
	return settled(honest(x.executor.QuerySingleJSON(ctx, cmd, out, args...)))
}

// settled gives err, or of a connection that cannot fetch JSON any more that it was
// lost. edgedb-go keeps the decoders of a connection, at most a thousand; where
// that of JSON was dropped and the text is still known, it builds one for the text's
// own type instead. Nothing was sent then, and nothing would be, ever again.
func settled(err error) error {
	if err != nil && strings.HasPrefix(err.Error(), confused) {
		return cutReply{text: "edgedb.ClientConnectionClosedError: " + err.Error(), err: net.ErrClosed}
	}
	return err
}

const confused = `edgedb.InvalidArgumentError: the "out" argument does not match query schema: `

// noData is how edgedb-go's errors begin that are joined with "zero results".
const noData = "edgedb.NoDataError: zero results; "

// honest gives err; or what it was joined with, where it begins with "zero
// results" and goes on; or what it was taken for.
func honest(err error) error {
	if err == nil {
		return nil
	}
	if _, one := err.(edgedb.Error); one {
		return unmasked(err)
	}
	if rest, ok := strings.CutPrefix(err.Error(), noData); ok {
		return cutReply{text: rest, err: err}
	}
	return err
}

// cutReply is the error of a reply that ended before its end.
type cutReply struct {
	text string
	err  error
}

func (e cutReply) Error() string { return e.text }

func (e cutReply) HasTag(edgedb.ErrorTag) bool { return false }

// Category is that of a connection's error: whatever came together with "zero
// results" has left the connection in doubt.
func (e cutReply) Category(c edgedb.ErrorCategory) bool {
	return c == edgedb.ClientConnectionError || c == edgedb.ClientError
}

// Unwrap gives the socket's error, if there is one.
func (e cutReply) Unwrap() error {
	if op, ok := errors.AsType[*net.OpError](e.err); ok {
		return op
	}
	switch {
	case errors.Is(e.err, io.EOF):
		return io.EOF
	case e.err == net.ErrClosed:
		return e.err
	}
	return nil
}
