package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/duetdb/duet"
)

func onceScenarios() []Scenario {
	return []Scenario{
		{ID: "once/tokens", Promise: "The place of commit tokens takes each token once, dates it, and lets old ones be deleted.", Run: tokenPlace},
		{ID: "once/leaves-token", Promise: "With ExactlyOnce, a committed transaction leaves one token, and one that was rolled back or does not write leaves none.", Run: tokensLeft},
		{ID: "once/every-call", Promise: "With ExactlyOnce, a transaction that wrote leaves its token whichever call wrote.", Run: tokenOfEveryCall},
		{ID: "once/after-read-only", Promise: "With ExactlyOnce, a transaction leaves its token also where its connection was used read-only before.", Run: tokenAfterReadOnly},
		{ID: "once/missing", Promise: "ExactlyOnce without a place for tokens is an error that says what to do; it is not retried, and nothing is applied.", Run: tokenPlaceMissing},
		{ID: "once/conflicts", Promise: "With ExactlyOnce, conflicts at statements and at the commit are retried, and swallowed errors come back, as without.", Run: onceConflicts},
		{ID: "once/killed", Promise: "With ExactlyOnce, transactions whose connections are killed at any moment are applied once, or their error says that they are not.",
			Kills: true, Run: onceKilled},
		{ID: "once/killed-without", Promise: "Without ExactlyOnce, success means applied once, ErrCommitUnknown once or not at all, and any other error not at all.",
			Kills: true, Run: killedWithoutTokens},
	}
}

// once are the options of transactions that leave tokens.
var once = duet.Options{ExactlyOnce: duet.On}

// tokenType is the place of tokens, as the statement installed knows it.
const tokenType = "default::CommitToken"

// withTokens makes the place of commit tokens, unless the database has one that
// is not the suite's.
func withTokens(ctx context.Context, t *T) {
	if one[bool](ctx, t, t.Client(), "installed", tokenType) {
		return
	}
	exec(ctx, t, t.Client(), "setup_commit_token")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), prompt)
		defer cancel()
		if _, err := t.Client().Execute(ctx, t.Text("drop_commit_token")); err != nil {
			t.Errorf("dropping the place of tokens: %v", err)
		}
	})
}

func tokenPlace(ctx context.Context, t *T) {
	withTokens(ctx, t)
	c := t.Client()
	var tokens [2][16]byte
	for i := range tokens { // of version 7, of the year 2000
		copy(tokens[i][:], fmt.Sprintf("\x00\xdc\x6a\xcf\xac\x00\x70%09d", time.Now().UnixNano()%1e9))
		tokens[i][15] = byte(i)
	}
	before := one[int64](ctx, t, c, "count_commit_tokens")
	exec(ctx, t, c, "insert_commit_token", tokens[0])
	exec(ctx, t, c, "insert_commit_token_qualified", tokens[1])
	for _, token := range tokens {
		fails(ctx, t, c, duet.ErrUniqueViolation, "insert_commit_token", token)
		fails(ctx, t, c, duet.ErrUniqueViolation, "insert_commit_token_qualified", token)
		want(t, "that the token has a date that is over", one[bool](ctx, t, c, "dated_commit_token", token), true)
	}
	want(t, "the tokens", one[int64](ctx, t, c, "count_commit_tokens"), before+2)
	exec(ctx, t, c, "prune_commit_tokens", 24*time.Hour)
	want(t, "that a new token is there, when those of yesterday were deleted", one[bool](ctx, t, c, "dated_commit_token", tokens[0]), true)
	if before == 0 { // otherwise some may be needed
		exec(ctx, t, c, "prune_commit_tokens", time.Duration(0))
		want(t, "the tokens that are left", one[int64](ctx, t, c, "count_commit_tokens"), int64(0))
	}
}

func tokensLeft(ctx context.Context, t *T) {
	withTokens(ctx, t)
	accounts(ctx, t, 0, "ada")
	c := t.Client().With(once)
	writes := func(result error) func(context.Context, duet.Tx) error {
		return func(ctx context.Context, tx duet.Tx) error {
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			return result
		}
	}
	open := func(end func(duet.OpenTx) error) func() error {
		return func() error {
			tx := begin(ctx, t, c)
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			return end(tx)
		}
	}
	conn := acquire(ctx, t, c)
	for what, tt := range map[string]struct {
		run    func() error
		tokens int64
		err    error
	}{
		"RetryingTx":                {func() error { return c.RetryingTx(ctx, writes(nil)) }, 1, nil},
		"RawTx":                     {func() error { return c.RawTx(ctx, writes(nil)) }, 1, nil},
		"RawTx of a Conn":           {func() error { return conn.RawTx(ctx, writes(nil)) }, 1, nil},
		"Commit":                    {open(func(tx duet.OpenTx) error { return tx.Commit(ctx) }), 1, nil},
		"Rollback":                  {open(func(tx duet.OpenTx) error { return tx.Rollback(ctx) }), 0, nil},
		"a RetryingTx that fails":   {func() error { return c.RetryingTx(ctx, writes(errMine)) }, 0, errMine},
		"a RawTx that fails":        {func() error { return c.RawTx(ctx, writes(errMine)) }, 0, errMine},
		"one without a statement":   {func() error { return c.RetryingTx(ctx, func(context.Context, duet.Tx) error { return nil }) }, 0, nil},
		"one that is read-only":     {func() error { return c.With(duet.Options{Access: duet.ReadOnly}).RetryingTx(ctx, reads(t)) }, 0, nil},
		"a view without the option": {func() error { return c.With(duet.Options{ExactlyOnce: duet.Off}).RetryingTx(ctx, writes(nil)) }, 0, nil},
	} {
		before := one[int64](ctx, t, t.Client(), "count_commit_tokens")
		wantErr(t, what, tt.run(), tt.err)
		want(t, what+": the tokens that it left", one[int64](ctx, t, t.Client(), "count_commit_tokens")-before, tt.tokens)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(5))
}

func reads(t *T) func(context.Context, duet.Tx) error {
	return func(ctx context.Context, tx duet.Tx) error {
		one[int64](ctx, t, tx, "balance", "ada")
		return nil
	}
}

func tokenOfEveryCall(ctx context.Context, t *T) {
	withTokens(ctx, t)
	accounts(ctx, t, 0, "ada")
	type row struct {
		Name    string
		Balance int64
	}
	text := t.Text("update_returning")
	writes := map[string]func(context.Context, duet.Tx) error{
		"Query": func(ctx context.Context, tx duet.Tx) error {
			var v []row
			return tx.Query(ctx, text, &v, "ada", int64(1))
		},
		"QueryOne": func(ctx context.Context, tx duet.Tx) error {
			var v row
			return tx.QueryOne(ctx, text, &v, "ada", int64(1))
		},
		"QueryJSON": func(ctx context.Context, tx duet.Tx) error {
			var v []byte
			return tx.QueryJSON(ctx, text, &v, "ada", int64(1))
		},
		"QueryOneJSON": func(ctx context.Context, tx duet.Tx) error {
			var v []byte
			return tx.QueryOneJSON(ctx, text, &v, "ada", int64(1))
		},
		"Rows": func(ctx context.Context, tx duet.Tx) error { return endOfRows(ctx, tx, text, "ada", int64(1)) },
		"Execute": func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, text, "ada", int64(1))
			return err
		},
		"a view": func(ctx context.Context, tx duet.Tx) error {
			return add(t, 1, nil)(ctx, tx.With(duet.Options{Name: "view"}))
		},
		"a script": func(ctx context.Context, tx duet.Tx) error { _, err := tx.Execute(ctx, t.Text("script")); return err },
		"the first of several": func(ctx context.Context, tx duet.Tx) error {
			return errors.Join(add(t, 1, nil)(ctx, tx), reads(t)(ctx, tx))
		},
		"the last of several": func(ctx context.Context, tx duet.Tx) error {
			return errors.Join(reads(t)(ctx, tx), add(t, 1, nil)(ctx, tx))
		},
	}
	if t.Backend().Can(duet.NestedTx) {
		writes["Nested"] = func(ctx context.Context, tx duet.Tx) error { return tx.Nested(ctx, add(t, 1, nil)) }
		writes["one beside a Nested that failed"] = func(ctx context.Context, tx duet.Tx) error {
			_ = tx.Nested(ctx, add(t, 1000, errMine))
			return add(t, 1, nil)(ctx, tx)
		}
		writes["one before a Nested that failed"] = func(ctx context.Context, tx duet.Tx) error {
			err := add(t, 1, nil)(ctx, tx)
			_ = tx.Nested(ctx, add(t, 1000, errMine))
			return err
		}
	}
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1}).With(once)
	for what, write := range writes {
		for range 2 { // the second time the statement is known
			before := one[int64](ctx, t, t.Client(), "count_commit_tokens")
			wantErr(t, what, c.RetryingTx(ctx, write), nil)
			want(t, "the tokens left where "+what+" wrote", one[int64](ctx, t, t.Client(), "count_commit_tokens")-before, int64(1))
			for _, name := range []string{"carol", "dora"} { // the script's
				exec(ctx, t, t.Client(), "delete_account", name)
			}
		}
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(2*(len(writes)-1)))
}

func tokenAfterReadOnly(ctx context.Context, t *T) {
	withTokens(ctx, t)
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1}).With(once)
	reader := c.With(duet.Options{Access: duet.ReadOnly})
	for what, read := range map[string]func() error{
		"a statement":     func() error { _, err := duet.QueryOne[int64](ctx, reader, t.Text("balance"), "ada"); return err },
		"a RetryingTx":    func() error { return reader.RetryingTx(ctx, reads(t)) },
		"a RawTx":         func() error { return reader.RawTx(ctx, reads(t)) },
		"one that writes": func() error { return c.With(duet.Options{Access: duet.ReadWrite}).RawTx(ctx, reads(t)) },
	} {
		for name, run := range bothTx(c) {
			wantErr(t, what, read(), nil)
			before := one[int64](ctx, t, t.Client(), "count_commit_tokens")
			wantErr(t, name, run(ctx, add(t, 1, nil)), nil)
			want(t, "the tokens that "+name+" left after "+what, one[int64](ctx, t, t.Client(), "count_commit_tokens")-before, int64(1))
		}
	}
}

func tokenPlaceMissing(ctx context.Context, t *T) {
	if one[bool](ctx, t, t.Client(), "installed", tokenType) {
		return // it is not the suite's to drop
	}
	accounts(ctx, t, 0, "ada")
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1}).With(once)
	for name, run := range bothTx(c) {
		attempts := 0
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			attempts++
			exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
			return nil
		})
		want(t, name+": the attempts", attempts, 1)
		wantErr(t, name, err, duet.ErrUndefined)
		if err != nil && !strings.Contains(err.Error(), "duet init") {
			t.Errorf("%s: the error does not say what to do: %v", name, err)
		}
		usable(ctx, t, c, "after "+name)
		wantErr(t, name+" that reads", c.With(duet.Options{Access: duet.ReadOnly}).RetryingTx(ctx, reads(t)), nil)
	}
	tx := begin(ctx, t, c)
	exec(ctx, t, tx, "add_to_balance", "ada", int64(1))
	wantErr(t, "Commit", tx.Commit(ctx), duet.ErrUndefined)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(0))

	// Where it is made meanwhile, the client needs no restart.
	withTokens(ctx, t)
	wantErr(t, "RetryingTx with a place for tokens", c.RetryingTx(ctx, add(t, 1, nil)), nil)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(1))
}

func onceConflicts(ctx context.Context, t *T) {
	withTokens(ctx, t)
	accounts(ctx, t, 0, "ada", "bob")
	c := t.Client().With(once)
	attempts := 0
	err := c.RetryingTx(ctx, func(inner context.Context, tx duet.Tx) error {
		switch attempts++; attempts {
		case 1:
			return conflicting(ctx, inner, t, tx)
		case 2:
			return skewed(ctx, inner, t, tx)
		}
		exec(inner, t, tx, "add_to_balance", "ada", int64(100))
		return nil
	})
	wantErr(t, "RetryingTx", err, nil)
	want(t, "the attempts", attempts, 3)
	err = c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1000))
		_, _ = tx.Execute(ctx, t.Text("unique_violation"))
		return nil
	})
	wantErr(t, "RetryingTx that swallowed an error", err, duet.ErrUniqueViolation)
	exec(ctx, t, t.Client(), "insert_claim", "ada")
	err = c.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "add_to_balance", "ada", int64(1000))
		exec(ctx, t, tx, "delete_account", "ada")
		return nil
	})
	wantErr(t, "RetryingTx with an error at the commit", err, duet.ErrForeignKeyViolation)
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(101))
}

func onceKilled(ctx context.Context, t *T) {
	withTokens(ctx, t)
	if n := stormed(ctx, t, once); n > 0 {
		t.Errorf("of %d transactions the outcome is unknown, want none", n)
	}
}

func killedWithoutTokens(ctx context.Context, t *T) { stormed(ctx, t, duet.Options{}) }

// stormed makes transfers while their connections are killed again and again, and
// holds what each was told against the tables. It gives how many were told nothing.
func stormed(ctx context.Context, t *T, o duet.Options) (unknown int) {
	const goroutines, rounds, kills = 6, 12, 12
	accounts(ctx, t, 1000, "ada", "bob")
	c, kill := killable(ctx, t, goroutines)
	view, text := c.With(o), t.Text("transfer")
	var mu sync.Mutex
	told := map[string][]int64{} // amounts, which name the transfers, by what was told
	done := make(chan struct{})
	var storm sync.WaitGroup
	storm.Go(func() {
		for range kills {
			kill()
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	parallel(t, goroutines, func(g int) error {
		for i := range rounds {
			amount := int64(g*rounds + i + 1)
			src, dst := "ada", "bob"
			if amount%2 == 0 {
				src, dst = dst, src
			}
			err := view.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, text, src, dst, amount)
				return err
			})
			what := "applied"
			switch {
			case errors.Is(err, duet.ErrCommitUnknown):
				what = "unknown"
			case errors.Is(err, duet.ErrUnavailable), errors.Is(err, duet.ErrSerialization), errors.Is(err, duet.ErrCheckViolation):
				what = "not applied"
			case err != nil:
				return err
			}
			mu.Lock()
			told[what] = append(told[what], amount)
			mu.Unlock()
		}
		return nil
	})
	close(done)
	storm.Wait()
	if err := c.Close(ctx); err != nil { // from here on nothing is under way
		t.Errorf("Close: %v", err)
	}
	type transfer struct{ Amount int64 }
	times := map[int64]int{}
	for _, one := range all[transfer](ctx, t, t.Client().With(duet.Options{Columns: duet.ColumnsLax}), "transfers") {
		times[one.Amount]++
	}
	for what, limits := range map[string][2]int{"applied": {1, 1}, "not applied": {0, 0}, "unknown": {0, 1}} {
		for _, amount := range told[what] {
			if n := times[amount]; n < limits[0] || n > limits[1] {
				t.Errorf("transfer %d was told as %s, and is there %d times", amount, what, n)
			}
		}
	}
	if len(told["applied"]) == 0 {
		t.Errorf("no transfer succeeded")
	}
	want(t, "the sum", one[int64](ctx, t, t.Client(), "sum_of_balances"), int64(2000))
	return len(told["unknown"])
}
