package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/duetdb/duet"
)

// one runs a statement that gives one row.
func one[V any](ctx context.Context, t *T, q duet.Querier, name string, args ...any) V {
	v, err := duet.QueryOne[V](ctx, q, t.Text(name), args...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// all runs a statement that gives any number of rows.
func all[V any](ctx context.Context, t *T, q duet.Querier, name string, args ...any) []V {
	v, err := duet.QueryAll[V](ctx, q, t.Text(name), args...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// exec runs a statement for its effect.
func exec(ctx context.Context, t *T, q duet.Querier, name string, args ...any) duet.Result {
	res, err := q.Execute(ctx, t.Text(name), args...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return res
}

// accounts inserts accounts, all with the same balance.
func accounts(ctx context.Context, t *T, balance int64, names ...string) {
	for _, name := range names {
		exec(ctx, t, t.Client(), "insert_account", name, balance)
	}
}

// balance reads an account's balance over the shared client.
func balance(ctx context.Context, t *T, name string) int64 {
	return one[int64](ctx, t, t.Client(), "balance", name)
}

// want compares a value with what it must be.
func want(t *T, what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is %s, want %s", what, show(got), show(want))
	}
}

// show writes a value for a message, cut where it is long.
func show(v any) string {
	s := fmt.Sprintf("%#v", v)
	if ts, ok := v.(time.Time); ok {
		s = ts.String()
	}
	if len(s) > 300 {
		s = fmt.Sprintf("%s… (%d bytes)", s[:300], len(s))
	}
	return s
}

// wantErr holds that err is what errors.Is says, and a *duet.Error where the
// target is a sentinel of duet.
func wantErr(t *T, what string, err, target error) {
	if !errors.Is(err, target) {
		t.Errorf("%s: the error is %q (%T), want one that is %q", what, fmt.Sprint(err), err, target)
	}
}

// fails runs a statement that must fail with a sentinel.
func fails(ctx context.Context, t *T, q duet.Querier, target error, name string, args ...any) *duet.Error {
	_, err := q.Execute(ctx, t.Text(name), args...)
	wantErr(t, name, err, target)
	return details(t, name, err)
}

// rowsError gives the error of Rows, and closes what was opened.
func rowsError(ctx context.Context, t *T, q duet.Querier, name string, args ...any) error {
	rows, err := q.Rows(ctx, t.Text(name), args...)
	if err == nil {
		_ = rows.Close()
	}
	return err
}

// details gives the *duet.Error of an error, and an empty one where there is
// none.
func details(t *T, what string, err error) *duet.Error {
	e, ok := errors.AsType[*duet.Error](err)
	if !ok {
		t.Errorf("%s: the error is a %T, want a *duet.Error", what, err)
		return &duet.Error{}
	}
	return e
}

// jsonAll runs a statement as JSON and decodes it, with numbers as texts.
func jsonAll(ctx context.Context, t *T, q duet.Querier, name string, args ...any) any {
	var out []byte
	if err := q.QueryJSON(ctx, t.Text(name), &out, args...); err != nil {
		t.Fatalf("%s as JSON: %v", name, err)
	}
	return parseJSON(t, name, out)
}

// jsonOne is jsonAll for exactly one row.
func jsonOne(ctx context.Context, t *T, q duet.Querier, name string, args ...any) any {
	var out []byte
	if err := q.QueryOneJSON(ctx, t.Text(name), &out, args...); err != nil {
		t.Fatalf("%s as JSON: %v", name, err)
	}
	return parseJSON(t, name, out)
}

func parseJSON(t *T, what string, data []byte) any {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		t.Fatalf("%s: %q is not one JSON value: %v", what, data, err)
	}
	return v
}

// wantJSON compares decoded JSON with a JSON text, as values; numbers are
// compared as they are written.
func wantJSON(t *T, what string, got any, text string) {
	want(t, what+" as JSON", got, parseJSON(t, "the expected result", []byte(text)))
}

// prompt is the most that a call may take whose ctx has ended, or which must
// not wait: far more than it takes on a busy machine, far less than what it
// must not wait for.
const prompt = 4 * time.Second

// within runs f and holds that it returns promptly.
func within(t *T, what string, f func()) { timed(t, what, prompt, f) }

func timed(t *T, what string, limit time.Duration, f func()) {
	start := time.Now()
	f()
	if took := time.Since(start); took > limit {
		t.Errorf("%s took %v, want less than %v", what, took, limit)
	}
}

// stops is within for a call that runs the statement slow with slowly, and has to
// come back before that is done.
func stops(t *T, what string, f func()) {
	limit := prompt
	if !t.Backend().Can(duet.ServerCancel) {
		limit = 2 * time.Second
	}
	timed(t, what, limit, f)
}

// slowly is the argument of the statement slow that makes it outlast what stops
// allows. Where the server cannot be told to stop, the connection is taken until
// it has answered, and the statement is as short as that leaves room for: about
// three seconds.
func slowly(t *T) int64 {
	if t.Backend().Can(duet.ServerCancel) {
		return 20000
	}
	return 5000
}

// slowish is slowly for what is done many times, where nobody looks at the time:
// a quarter of a second where the server cannot be told to stop.
func slowish(t *T) int64 {
	if t.Backend().Can(duet.ServerCancel) {
		return slowly(t)
	}
	return 1500
}

// parallel runs f for 0 to n-1 at once, and notes the errors.
func parallel(t *T, n int, f func(i int) error) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := f(i); err != nil {
				t.Errorf("goroutine %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

// usable holds that a querier still works.
func usable(ctx context.Context, t *T, q duet.Querier, what string) {
	n, err := duet.QueryOne[int64](ctx, q, t.Text("two"))
	if err != nil || n != 2 {
		t.Errorf("%s: 1 + 1 is %d with error %v, want 2 without", what, n, err)
	}
}

// parseMoment reads a JSON string as RFC 3339.
func parseMoment(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, fmt.Errorf("it is a %T", v)
	}
	return time.Parse(time.RFC3339Nano, s)
}

// eventually says whether cond holds, now or soon. It is for what a client may
// do after a call has returned.
func eventually(cond func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(prompt); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// wantLent holds how many connections of a client are lent.
func wantLent(t *T, c duet.Client, n int32) {
	if !eventually(func() bool { return c.Pool().Stat().InUse == n }) {
		t.Errorf("%d connections are lent, want %d", c.Pool().Stat().InUse, n)
	}
}
