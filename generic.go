package duet

import (
	"context"
	"iter"
)

// QueryAll runs cmd and gives every row as a T, under the rules of
// [Querier].Query. No row gives an empty, non-nil slice.
func QueryAll[T any](ctx context.Context, q Querier, cmd string, args ...any) ([]T, error) {
	var out []T
	if err := q.Query(ctx, cmd, &out, args...); err != nil {
		return nil, err
	}
	return out, nil
}

// QueryOne runs cmd and gives its single row as a T: [ErrNoData] if there is
// none, [ErrCardinality] if there are more.
func QueryOne[T any](ctx context.Context, q Querier, cmd string, args ...any) (T, error) {
	var out T
	if err := q.QueryOne(ctx, cmd, &out, args...); err != nil {
		var zero T
		return zero, err
	}
	return out, nil
}

// Stream runs cmd when it is ranged over and yields each row as a T, with
// backpressure where the backend can stream. An error is yielded last, with the
// zero T. Leaving the loop early frees the connection. The sequence is
// single-use in effect: each range over it runs cmd again.
func Stream[T any](ctx context.Context, q Querier, cmd string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero, row T // row is shared by all rows: one allocation, not one each
		rows, err := q.Rows(ctx, cmd, args...)
		if err != nil {
			yield(zero, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Decode(&row); err != nil {
				yield(zero, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, err)
		}
	}
}

// TxResult runs fn under client.RetryingTx and gives what its last attempt
// returned.
func TxResult[T any](ctx context.Context, client Client, fn func(ctx context.Context, tx Tx) (T, error)) (T, error) {
	var result T
	err := client.RetryingTx(ctx, func(ctx context.Context, tx Tx) error {
		v, err := fn(ctx, tx)
		result = v
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return result, nil
}
