package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance"
	"github.com/google/go-cmp/cmp"
)

// change gives a copy of an *duet.Error that was changed, and other errors as
// they are.
func change(f func(*duet.Error)) func(error) error {
	return func(err error) error {
		e, ok := errors.AsType[*duet.Error](err)
		if !ok {
			return err
		}
		c := *e
		f(&c)
		return &c
	}
}

// after has f look at what QueryOne stored.
func after[V any](f func(v *V)) func(duet.Querier, context.Context, string, any, []any) error {
	return func(q duet.Querier, ctx context.Context, cmd string, out any, args []any) error {
		err := q.QueryOne(ctx, cmd, out, args...)
		if v, ok := out.(*V); ok && err == nil {
			f(v)
		}
		return err
	}
}

// shortRows loses the last row.
type shortRows struct {
	duet.Rows
	n int
}

func (r *shortRows) Next() bool { r.n++; return r.n <= 4 && r.Rows.Next() }

// silentRows never has an error.
type silentRows struct{ duet.Rows }

func (silentRows) Err() error { return nil }

// openRows do not end.
type openRows struct{ duet.Rows }

func (r openRows) Close() error { return r.Rows.Err() }

// runaway runs commands on the client when its transaction has ended.
type runaway struct {
	duet.Tx
	c duet.Client
}

func (r runaway) Execute(ctx context.Context, cmd string, args ...any) (duet.Result, error) {
	res, err := r.Tx.Execute(ctx, cmd, args...)
	if duet.KindOf(err) == duet.KindClosed {
		return r.c.Execute(ctx, cmd, args...)
	}
	return res, err
}

// mutants are the defects, each with the subjects to run and what must fail.
func mutants() map[string]mutant {
	all := map[string]mutant{}
	for _, group := range []map[string]mutant{resultMutants(), errorMutants(), transactionMutants(), loopMutants(), otherMutants()} {
		maps.Copy(all, group)
	}
	return all
}

type mutant struct {
	defect   defect
	subjects string
	want     []string
}

func resultMutants() map[string]mutant {
	return map[string]mutant{
		"QueryOne ignores further rows": {defect{
			queryOne: func(q duet.Querier, ctx context.Context, cmd string, out any, args []any) error {
				err := q.QueryOne(ctx, cmd, out, args...)
				if duet.KindOf(err) == duet.KindCardinality {
					return nil
				}
				return err
			},
		}, "cardinality/,structs/", []string{"cardinality/more"}},
		"QueryOne without a row leaves zero": {defect{
			queryOne: func(q duet.Querier, ctx context.Context, cmd string, out any, args []any) error {
				err := q.QueryOne(ctx, cmd, out, args...)
				if duet.KindOf(err) == duet.KindNoData {
					return nil
				}
				return err
			},
		}, "cardinality/,structs/", []string{"cardinality/none", "cardinality/in-transaction"}},
		"Query appends to what was there": {defect{
			query: func(q duet.Querier, ctx context.Context, cmd string, out any, args []any) error {
				old := reflect.ValueOf(out)
				if old.Kind() != reflect.Pointer || old.IsNil() || old.Elem().Kind() != reflect.Slice {
					return q.Query(ctx, cmd, out, args...)
				}
				fresh := reflect.New(old.Type().Elem())
				if err := q.Query(ctx, cmd, fresh.Interface(), args...); err != nil {
					return err
				}
				old.Elem().Set(reflect.AppendSlice(old.Elem(), fresh.Elem()))
				return nil
			},
		}, "structs/,retries/,attempts/destinations", []string{"structs/reset-slice", "structs/empty-result", "retries/destinations", "attempts/destinations"}},
		"no rows are a nil slice": {defect{
			query: func(q duet.Querier, ctx context.Context, cmd string, out any, args []any) error {
				err := q.Query(ctx, cmd, out, args...)
				if v := reflect.ValueOf(out); err == nil && v.Elem().Len() == 0 {
					v.Elem().SetZero()
				}
				return err
			},
		}, "structs/", []string{"structs/reset-slice", "structs/empty-result"}},
		"floats lose precision":      {defect{queryOne: after(func(v *float64) { *v = float64(float32(*v)) })}, "values/", []string{"values/float64"}},
		"int64 goes through float64": {defect{queryOne: after(func(v *int64) { *v = int64(float64(*v)) })}, "values/", []string{"values/int64"}},
		"texts are trimmed":          {defect{queryOne: after(func(v *string) { *v = strings.TrimSpace(*v) })}, "values/", []string{"values/text"}},
		"empty bytes are nil": {defect{queryOne: after(func(v *[]byte) {
			if len(*v) == 0 {
				*v = nil
			}
		})}, "values/", []string{"values/bytes"}},
		"moments are cut to milliseconds": {defect{queryOne: after(func(v *time.Time) { *v = v.Truncate(time.Millisecond) })},
			"times/", []string{"times/datetime", "times/local-datetime"}},
		"QueryJSON gives null for no rows": {defect{
			queryJSON: func(q duet.Querier, ctx context.Context, cmd string, out *[]byte, args []any) error {
				err := q.QueryJSON(ctx, cmd, out, args...)
				if err == nil && string(*out) == "[]" {
					*out = []byte("null")
				}
				return err
			},
		}, "json/", []string{"json/empty"}},
		"QueryOneJSON gives an array": {defect{
			queryOneJSON: func(q duet.Querier, ctx context.Context, cmd string, out *[]byte, args []any) error {
				err := q.QueryOneJSON(ctx, cmd, out, args...)
				if err == nil {
					*out = []byte("[" + string(*out) + "]")
				}
				return err
			},
		}, "json/", []string{"json/one", "json/scalars", "json/no-numbers", "json/text", "json/bytes", "json/times", "json/embedded", "json/arrays"}},
		"Execute counts one row too many": {defect{
			execute: func(q duet.Querier, ctx context.Context, cmd string, args []any) (duet.Result, error) {
				res, err := q.Execute(ctx, cmd, args...)
				res.RowsAffected++
				return res, err
			},
		}, "scripts/,transactions/", []string{"scripts/row-counts"}},
		"Rows loses rows": {defect{rows: func(rows duet.Rows) duet.Rows { return &shortRows{Rows: rows} }},
			"streaming/", []string{"streaming/rows", "streaming/decoded-stays", "streaming/stream", "streaming/error-midway",
				"streaming/in-transaction", "streaming/ctx", "streaming/result", "streaming/backpressure"}},
		"Rows hides its error": {defect{rows: func(rows duet.Rows) duet.Rows { return silentRows{rows} }},
			"streaming/", []string{"streaming/error-midway", "streaming/ctx"}},
		"superfluous names are ignored": {defect{
			args: func(args []any) []any {
				if len(args) == 1 {
					if m, ok := args[0].(duet.Named); ok && m["bogus"] != nil {
						m = maps.Clone(m)
						delete(m, "bogus")
						return []any{m}
					}
				}
				return args
			},
		}, "arguments/", []string{"arguments/superfluous-name"}},
	}
}

func errorMutants() map[string]mutant {
	kinds := []string{"errors/unique", "errors/foreign-key", "errors/not-null", "errors/check", "errors/syntax", "errors/undefined"}
	return map[string]mutant{
		"errors have no kind": {defect{fail: change(func(e *duet.Error) { e.Kind = duet.KindOther })},
			"errors/,once/tokens", append(slices.Clone(kinds), "once/tokens", "errors/every-method", "errors/command-kept", "errors/syntax-position")},
		"errors have no command": {defect{fail: change(func(e *duet.Error) { e.Command = "" })}, "errors/command-kept", []string{"errors/command-kept"}},
		"errors have no code":    {defect{fail: change(func(e *duet.Error) { e.Code = "" })}, "errors/unique,errors/invalid-value", []string{"errors/unique", "errors/invalid-value"}},
		"positions count bytes": {defect{fail: change(func(e *duet.Error) {
			if runes := []rune(e.Command); e.Position > 0 && e.Position <= len(runes) {
				e.Position = len(string(runes[:e.Position-1])) + 1
			}
		})}, "errors/", []string{"errors/syntax-position"}},
		"there is no excerpt": {defect{fail: change(func(e *duet.Error) { e.Excerpt = "" })},
			"errors/", []string{"errors/syntax", "errors/syntax-position", "errors/undefined"}},
		"ctx's error is hidden": {defect{fail: change(func(e *duet.Error) { e.Err = nil })}, "cancellation/deadline,cancellation/cancel,cancellation/options",
			[]string{"cancellation/deadline", "cancellation/cancel", "cancellation/options-timeout"}},
		"errors show arguments": {defect{execute: func(q duet.Querier, ctx context.Context, cmd string, args []any) (duet.Result, error) {
			res, err := q.Execute(ctx, cmd, args...)
			if err != nil {
				err = fmt.Errorf("%w (arguments %v)", err, args)
			}
			return res, err
		}}, "usage/", []string{"usage/secrets"}},
	}
}

func transactionMutants() map[string]mutant {
	return map[string]mutant{
		"an error at commit is lost": {defect{
			retryingTx: func(c duet.Client, ctx context.Context, fn closure) error {
				err := c.RetryingTx(ctx, fn)
				if e, ok := errors.AsType[*duet.Error](err); ok && e.Phase == duet.PhaseCommit {
					return nil
				}
				return err
			},
		}, "transactions/,begin/", []string{"transactions/deferred-error"}},
		"a swallowed error is success": {defect{retryingTx: retrying(swallowing)}, "transactions/,random/," + swallowedAnywhere,
			[]string{"random/closures", "transactions/swallowed-error", "transactions/deferred-error",
				"swallowed/every-call", "swallowed/last", "swallowed/rows", "swallowed/before-nested"}},
		"a panic becomes an error": {defect{
			closure: func(fn closure) closure {
				return func(ctx context.Context, tx duet.Tx) (err error) {
					defer func() {
						if p := recover(); p != nil {
							err = fmt.Errorf("panic: %v", p)
						}
					}()
					return fn(ctx, tx)
				}
			},
		}, "transactions/,panics/", []string{"transactions/panic", "panics/values", "panics/later-attempt", "panics/midway", "panics/nested"}},
		"fn's error is lost": {defect{
			closure: func(fn closure) closure {
				return func(ctx context.Context, tx duet.Tx) error {
					if err := fn(ctx, tx); err != nil {
						return errors.New("rolled back")
					}
					return nil
				}
			},
		}, "transactions/rollback,transactions/empty,transactions/result", []string{"transactions/rollback", "transactions/empty", "transactions/result"}},
		"RetryingTx commits in spite of an error": {defect{
			retryingTx: func(c duet.Client, ctx context.Context, fn closure) error {
				var last error
				err := c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
					last = fn(ctx, tx)
					if duet.KindOf(last) == duet.KindOther {
						return nil
					}
					return last
				})
				return errors.Join(err, last)
			},
		}, "transactions/rollback,transactions/commit,scripts/", []string{"transactions/rollback"}},
		"RetryingTx does not retry": {defect{
			retryingTx: func(c duet.Client, ctx context.Context, fn closure) error {
				return c.With(duet.Options{Isolation: duet.Serializable}).RawTx(ctx, fn)
			},
		}, "retries/,attempts/,once/conflicts,isolation/serializable,isolation/lost", []string{
			"once/conflicts",
			"isolation/lost-update", "retries/conflict-at-statement", "retries/conflict-at-commit", "retries/hook", "retries/bounded",
			"retries/earlier-errors", "retries/destinations", "retries/swallowed-conflict", "retries/result", "retries/ctx-ends-waiting", "retries/deadlock",
			"retries/inside-another", "attempts/message", "attempts/all-errors", "attempts/kinds", "attempts/own-error", "attempts/destinations", "attempts/fresh",
			"attempts/killed-before-commit", "attempts/ctx-between", "attempts/ctx-in-later", "attempts/ctx-waiting-for-pool",
		}},
		"RetryingTx is read committed": {defect{
			retryingTx: func(c duet.Client, ctx context.Context, fn closure) error {
				return c.With(duet.Options{Isolation: duet.ReadCommitted}).RetryingTx(ctx, fn)
			},
		}, "isolation/", []string{"isolation/serializable", "isolation/repeatable-read", "isolation/snapshot", "isolation/lost-update", "isolation/write-skew",
			"isolation/on-call"}},
		"Options.Retry is ignored": {defect{options: func(o duet.Options) duet.Options { o.Retry = nil; return o }},
			"retries/", []string{"retries/bounded", "retries/inside-another"}},
		"Options.Access is ignored": {defect{options: func(o duet.Options) duet.Options { o.Access = duet.AccessUnset; return o }},
			"transactions/,isolation/", []string{"transactions/read-only", "transactions/options-inside"}},
		"a Tx goes on outside of its transaction": {defect{tx: func(tx duet.Tx, c duet.Client) duet.Tx { return runaway{tx, c} }},
			"transactions/,handles/,attempts/fresh", []string{"transactions/used-after-end", "handles/lent-on", "handles/from-others", "handles/running-on",
				"handles/dead", "handles/dead-then-ended", "attempts/fresh"}},
		"Nested has no savepoint": {defect{
			nested: func(tx duet.Tx, ctx context.Context, fn closure) error { return fn(ctx, tx) },
		}, "nested/,swallowed/in-nested,swallowed/nested-conflict", []string{"swallowed/in-nested", "swallowed/nested-conflict", "nested/keeps-outer", "nested/statement-error", "nested/swallowed", "nested/in-nested", "nested/panic",
			"nested/used-after-end", "nested/many", "nested/open-tx"}},
		"Commit hides a failed statement": {defect{
			commit: func(tx duet.OpenTx, ctx context.Context) error {
				err := tx.Commit(ctx)
				if e, ok := errors.AsType[*duet.Error](err); ok && e.Kind == duet.KindUniqueViolation {
					return nil
				}
				return err
			},
		}, "begin/", []string{"begin/failed-statement"}},
		"Rollback commits": {defect{
			rollback: func(tx duet.OpenTx, ctx context.Context) error {
				if err := tx.Commit(ctx); duet.KindOf(err) != duet.KindClosed {
					return err
				}
				return nil
			},
		}, "begin/", []string{"begin/rollback", "begin/idempotent-rollback"}},
	}
}

func otherMutants() map[string]mutant {
	return map[string]mutant{
		"a second Close fails": {defect{
			close: func(c duet.Client, ctx context.Context) error {
				if c.Ping(ctx) != nil {
					return errors.New("closed already")
				}
				return c.Close(ctx)
			},
		}, "lifecycle/close,pool/reuse", []string{"lifecycle/close", "lifecycle/close-waits", "lifecycle/close-ctx", "lifecycle/close-view",
			"lifecycle/close-races", "lifecycle/close-unused"}},
		"Ping asks nobody": {defect{ping: func(duet.Client, context.Context) error { return nil }},
			"lifecycle/close,lifecycle/ping", []string{"lifecycle/close", "lifecycle/close-waits", "lifecycle/close-ctx", "lifecycle/close-view",
				"lifecycle/close-unused", "lifecycle/ping"}},
		"Options.Columns is ignored": {defect{options: func(o duet.Options) duet.Options { o.Columns = duet.ColumnsUnset; return o }},
			"structs/,options/inherit,concurrency/views", []string{"structs/lax-columns", "concurrency/views", "options/inherit"}},
		"Options.Timeout is ignored": {defect{options: func(o duet.Options) duet.Options { o.Timeout = 0; return o }},
			"cancellation/options-timeout,cancellation/ended-before", []string{"cancellation/options-timeout"}},
		"Options.Settings are ignored": {defect{options: func(o duet.Options) duet.Options { o.Settings = nil; return o }},
			"options/", []string{"options/settings", "options/bad-setting"}},
		"Options.Globals are ignored": {defect{options: func(o duet.Options) duet.Options { o.Globals = nil; return o }},
			"options/", []string{"options/globals"}},
		"the query hook's end is never called": {defect{
			connect: func(o conformance.ConnectOptions) conformance.ConnectOptions {
				if hook := o.Hooks.Query; hook != nil {
					o.Hooks.Query = func(ctx context.Context, q duet.QueryInfo) (context.Context, func(duet.QueryEnd)) {
						ctx, _ = hook(ctx, q)
						return ctx, nil
					}
				}
				return o
			},
		}, "hooks/", []string{"hooks/query"}},
		"the pool is larger than it should be": {defect{
			connect: func(o conformance.ConnectOptions) conformance.ConnectOptions {
				if o.MaxConns > 0 {
					o.MaxConns++
				}
				return o
			},
		}, "pool/max-size,pool/acquire-timeout,pool/stat,pool/reuse", []string{"pool/max-size", "pool/acquire-timeout", "pool/stat"}},
		"the acquire timeout is ignored": {defect{
			connect: func(o conformance.ConnectOptions) conformance.ConnectOptions { o.AcquireTimeout = 0; return o },
		}, "pool/acquire-timeout,pool/waits", []string{"pool/acquire-timeout"}},
		"Close of Rows does nothing": {defect{rows: func(rows duet.Rows) duet.Rows { return openRows{rows} }},
			"streaming/early-close,streaming/empty", []string{"streaming/early-close"}},
	}
}

// TestBrokenClients holds that the suite finds what it is for: each defect makes
// exactly the scenarios fail that check it, out of the subjects that are run.
func TestBrokenClients(t *testing.T) {
	for name, m := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time goes into waiting for what does not come
			target := postgresTarget(t)
			target.Patience = 3 * time.Second
			if m.defect.hangs {
				target.Patience = time.Second
			}
			report := conformance.RunAll(t.Context(), m.defect.broken(target), conformance.RunOptions{Filter: m.subjects})
			failed := []string{}
			for _, r := range report.Scenarios {
				if r.Status == conformance.Failed {
					failed = append(failed, r.ID)
				}
			}
			slices.Sort(failed)
			slices.Sort(m.want)
			if diff := cmp.Diff(m.want, failed); diff != "" {
				var text strings.Builder
				_, _ = report.WriteTo(&text)
				t.Errorf("what fails differs (-want +got):\n%s\n%s", diff, text.String())
			}
		})
	}
}
