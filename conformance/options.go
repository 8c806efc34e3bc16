package conformance

import (
	"context"
	"time"

	"github.com/duetdb/duet"
)

func optionScenarios() []Scenario {
	return []Scenario{
		{ID: "options/inherit", Promise: "An unset field inherits from the view that With was called on.", Run: optionsInherit},
		{ID: "options/do-not-leak", Promise: "A view's options hold for its calls alone.", Run: optionsDoNotLeak},
		{ID: "options/access", Promise: "Options.Access read-only refuses writes outside of transactions too, where the backend allows it.", Run: optionsAccess},
		{ID: "options/settings", Promise: "Options.Settings hold for the view's calls and are undone for the next user, or are ErrUnsupported.",
			Needs: []duet.Ability{duet.SessionSettings}, Run: optionsSettings, Without: unsupported(duet.Options{Settings: map[string]string{"x": "y"}})},
		{ID: "options/bad-setting", Promise: "A setting that does not exist fails the call, and no other.",
			Needs: []duet.Ability{duet.SessionSettings}, Run: optionsBadSetting},
		{ID: "options/globals", Promise: "Options.Globals set global variables for the view's calls, or are ErrUnsupported.",
			Needs: []duet.Ability{duet.GlobalVariables}, Run: optionsGlobals, Without: unsupported(duet.Options{Globals: map[string]any{"tenant": "acme"}})},
		{ID: "options/aliases", Promise: "Options.ModuleAliases hold for the view's calls, or are ErrUnsupported.",
			Needs: []duet.Ability{duet.ModuleAliasing}, Run: optionsAliases, Without: unsupported(duet.Options{ModuleAliases: map[string]string{"s": "std"}})},
	}
}

func optionsInherit(ctx context.Context, t *T) {
	type row struct{ S string }
	view := t.Client().With(duet.Options{Columns: duet.ColumnsLax}).With(duet.Options{Name: "billing"}).With(duet.Options{})
	want(t, "the row", one[row](ctx, t, view, "two_columns"), row{"x"})
	conn, err := view.Acquire(ctx)
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	defer conn.Release()
	want(t, "the row over a lent connection", one[row](ctx, t, conn, "two_columns"), row{"x"})
	err = conn.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		want(t, "the row in a transaction", one[row](ctx, t, tx, "two_columns"), row{"x"})
		return nil
	})
	if err != nil {
		t.Errorf("RawTx: %v", err)
	}
}

func optionsDoNotLeak(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	o, level := duet.Options{Access: duet.ReadOnly}, "Serializable"
	if t.Backend().Can(duet.WeakIsolation) {
		o.Isolation, level = duet.RepeatableRead, "RepeatableRead"
	}
	readOnly := c.With(o)
	for range 3 {
		want(t, "the view's isolation", isolationOf(ctx, t, readOnly.RetryingTx), level)
		want(t, "the client's isolation", isolationOf(ctx, t, c.RetryingTx), "Serializable")
		err := readOnly.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1))
			return err
		})
		wantErr(t, "a write over the view", err, duet.ErrReadOnly)
		if err := c.RetryingTx(ctx, add(t, 1, nil)); err != nil {
			t.Errorf("a write over the client: %v", err)
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(13))
}

func optionsAccess(ctx context.Context, t *T) {
	accounts(ctx, t, 10, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	view := c.With(duet.Options{Access: duet.ReadOnly})
	_, err := view.Execute(ctx, t.Text("add_to_balance"), "ada", int64(1))
	switch {
	case err == nil:
		// The backend has no read-only statements outside of transactions, and
		// does not say otherwise.
		t.Errorf("a write over a read-only view succeeded")
	case duet.KindOf(err) != duet.KindReadOnly && duet.KindOf(err) != duet.KindUnsupported:
		t.Errorf("a write over a read-only view: %v, want ErrReadOnly or ErrUnsupported", err)
	}
	exec(ctx, t, c, "add_to_balance", "ada", int64(1))
	write := view.With(duet.Options{Access: duet.ReadWrite})
	exec(ctx, t, write, "add_to_balance", "ada", int64(1))
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(12))
}

// settingFor is a setting of the dialect, a value, and how the server shows it.
func settingFor(d duet.Dialect) (key, value, shown string) {
	if d == duet.EdgeQL {
		return "query_execution_timeout", "PT12.345S", "PT12.345S"
	}
	return "statement_timeout", "12345ms", "12345ms"
}

func optionsSettings(ctx context.Context, t *T) {
	key, value, shown := settingFor(t.dialect)
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	before := one[string](ctx, t, c, "setting")
	view := c.With(duet.Options{Settings: map[string]string{key: value}}).With(duet.Options{Name: "billing"})
	for range 3 {
		want(t, "the view's setting", one[string](ctx, t, view, "setting"), shown)
		want(t, "the client's setting", one[string](ctx, t, c, "setting"), before)
		for name, run := range bothTx(view) {
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				want(t, "the setting in "+name, one[string](ctx, t, tx, "setting"), shown)
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		err := view.RawTx(ctx, func(context.Context, duet.Tx) error { return errMine })
		wantErr(t, "RawTx", err, errMine)
		want(t, "the client's setting", one[string](ctx, t, c, "setting"), before)
		_, err = view.Execute(ctx, t.Text("division_by_zero"))
		want(t, "a failed statement's error", details(t, "division_by_zero", err).Kind, duet.KindOther)
		want(t, "the client's setting after an error", one[string](ctx, t, c, "setting"), before)
	}
	want(t, "the connections made", c.Pool().Stat().Connects, int64(1))
}

func optionsBadSetting(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	view := c.With(duet.Options{Settings: map[string]string{"duet_no_such_setting": "x"}})
	for range 2 {
		if _, err := duet.QueryOne[int64](ctx, view, t.Text("two")); err == nil {
			t.Errorf("a setting that does not exist was taken")
		}
		usable(ctx, t, c, "beside the view")
	}
}

// unsupported holds that every call over a view with those options gives
// ErrUnsupported.
func unsupported(o duet.Options) func(context.Context, *T) {
	return func(ctx context.Context, t *T) {
		c := t.Client().With(o)
		var n []int64
		var v int64
		var out []byte
		wantErr(t, "Query", c.Query(ctx, t.Text("one"), &n), duet.ErrUnsupported)
		wantErr(t, "QueryOne", c.QueryOne(ctx, t.Text("one"), &v), duet.ErrUnsupported)
		wantErr(t, "QueryJSON", c.QueryJSON(ctx, t.Text("one"), &out), duet.ErrUnsupported)
		_, err := c.Execute(ctx, t.Text("one"))
		wantErr(t, "Execute", err, duet.ErrUnsupported)
		err = rowsError(ctx, t, c, "one")
		wantErr(t, "Rows", err, duet.ErrUnsupported)
		unsupportedInTx(o)(ctx, t)
		usable(ctx, t, t.Client(), "without the options")
	}
}

// unsupportedInTx holds that transactions over a view with those options give
// ErrUnsupported.
func unsupportedInTx(o duet.Options) func(context.Context, *T) {
	return func(ctx context.Context, t *T) {
		c := t.Client().With(o)
		for name, run := range bothTx(c) {
			err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, t.Text("one"))
				return err
			})
			wantErr(t, name, err, duet.ErrUnsupported)
		}
		tx, err := c.Begin(ctx)
		if err == nil {
			_, err = tx.Execute(ctx, t.Text("one"))
			_ = tx.Rollback(ctx)
		}
		wantErr(t, "Begin and a statement", err, duet.ErrUnsupported)
	}
}

func optionsGlobals(ctx context.Context, t *T) {
	view := t.Client().With(duet.Options{Globals: map[string]any{"tenant": "acme"}}).With(duet.Options{Timeout: time.Minute})
	want(t, "the view's global", one[string](ctx, t, view, "tenant"), "acme")
	other := view.With(duet.Options{Globals: map[string]any{"tenant": "other"}})
	want(t, "the other view's global", one[string](ctx, t, other, "tenant"), "other")
	want(t, "the client's globals", all[string](ctx, t, t.Client(), "tenant"), []string{})
	err := view.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		want(t, "the global in a transaction", one[string](ctx, t, tx, "tenant"), "acme")
		return nil
	})
	if err != nil {
		t.Errorf("RetryingTx: %v", err)
	}
}

func optionsAliases(ctx context.Context, t *T) {
	view := t.Client().With(duet.Options{ModuleAliases: map[string]string{"s": "std"}})
	want(t, "over the alias", one[string](ctx, t, view, "aliased"), "X")
	fails(ctx, t, t.Client(), duet.ErrUndefined, "aliased")
}
