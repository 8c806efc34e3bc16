package pool

import (
	"context"
	"slices"
)

type (
	holderKey struct{}
	markKey   struct{}
)

// WithHolder names whoever acquires with the ctx it returns; the error of an
// exhausted pool shows the name. The name should be a constant that says what
// the connection is for, never data.
func WithHolder(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, holderKey{}, name)
}

func holderOf(ctx context.Context) string {
	name, _ := ctx.Value(holderKey{}).(string)
	return name
}

// mark is a lease that a ctx carries.
type mark struct {
	pool  any
	lease interface {
		live() bool
		want(n int32, long bool)
	}
	outer *mark
}

// want counts a wait of the lease's holder.
func (l *Lease[T]) want(n int32, long bool) {
	l.wants.Add(n)
	if long {
		l.stuck.Add(n)
	}
}

// MarkContext gives a ctx that carries the lease: what is acquired with it is
// acquired by one who holds this lease. An acquire that could then never succeed
// fails at once.
func MarkContext[T any](ctx context.Context, l *Lease[T]) context.Context {
	outer, _ := ctx.Value(markKey{}).(*mark)
	return context.WithValue(ctx, markKey{}, &mark{pool: l.c.pool, lease: l, outer: outer})
}

// Holding says whether ctx carries a lease of p that has not ended.
func Holding[T any](ctx context.Context, p *Pool[T]) bool { return len(heldBy(ctx, p)) > 0 }

// heldBy gives the marks of distinct live leases of p that ctx carries.
func heldBy[T any](ctx context.Context, p *Pool[T]) []*mark {
	var held []*mark
	m, _ := ctx.Value(markKey{}).(*mark)
	for ; m != nil; m = m.outer {
		same := func(o *mark) bool { return o.lease == m.lease }
		if m.pool == any(p) && m.lease.live() && !slices.ContainsFunc(held, same) {
			held = append(held, m)
		}
	}
	return held
}
