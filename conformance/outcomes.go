package conformance

import (
	"context"

	"github.com/duetdb/duet"
)

func outcomeScenarios() []Scenario {
	return []Scenario{
		{ID: "outcomes/applied", Promise: "A write whose result does not fit says that it took effect, and it did.", Run: appliedMisfit},
		{ID: "outcomes/wrong-struct", Promise: "A write into a wrong struct took effect where its error says so, and did not where it does not.", Run: wrongStructs},
		{ID: "outcomes/in-transaction", Promise: "Inside a transaction the transaction decides: no error says that a command took effect.", Run: misfitInTx},
		{ID: "outcomes/none", Promise: "What only read, or changed no row, did not take effect.", Run: misfitOfNothing},
	}
}

// Rows of accounts that have no place for what is in the database.
type (
	smallBalance struct {
		Name    string
		Balance int8
	}
	plainNote struct {
		Name    string
		Balance int64
		Note    string
	}
)

// autocommit are the ways to run a command outside of a transaction, by name.
func autocommit(ctx context.Context, t *T) map[string]duet.Querier {
	return map[string]duet.Querier{"the client": t.Client(), "a connection": acquire(ctx, t, t.Connect(ctx, ConnectOptions{MaxConns: 1}))}
}

func appliedMisfit(ctx context.Context, t *T) {
	accounts(ctx, t, 100, "ada")
	check := func(what string, err error) {
		wantErr(t, what, err, duet.ErrInvalidResult)
		want(t, what+": the outcome", details(t, what, err).Outcome, duet.OutcomeApplied)
	}
	sum, made := int64(100), int64(1)
	for name, q := range autocommit(ctx, t) {
		for range 2 { // the second time all is known
			_, err := duet.QueryOne[smallBalance](ctx, q, t.Text("update_returning"), "ada", int64(100))
			check(name+": QueryOne", err)
			_, err = duet.QueryAll[smallBalance](ctx, q, t.Text("update_returning"), "ada", int64(100))
			check(name+": Query", err)
			sum += 200
			want(t, "ada's balance", balance(ctx, t, "ada"), sum)
		}
		for _, account := range []string{name + "'s", name + "'s other"} {
			_, err := duet.QueryOne[plainNote](ctx, q, t.Text("insert_returning"), account)
			check(name+": an insert", err)
			made++
			want(t, "the accounts", one[int64](ctx, t, t.Client(), "count_accounts"), made)
		}
		for _, err := range duet.Stream[smallBalance](ctx, q, t.Text("update_returning"), "ada", int64(100)) {
			wantErr(t, name+": Stream", err, duet.ErrInvalidResult)
			if details(t, name, err).Outcome == duet.OutcomeNone { // it may not have come to its end
				t.Errorf("%s: Stream: the error says that there was no effect: %v", name, err)
			}
		}
		sum += 100
		want(t, "ada's balance", balance(ctx, t, "ada"), sum)
	}
}

func wrongStructs(ctx context.Context, t *T) {
	type noNote struct {
		Name    string
		Balance int64
	}
	type wrongTypes struct {
		Name    bool
		Balance []string
		Note    int16
	}
	made := int64(0)
	check := func(what string, err error) {
		wantErr(t, what, err, duet.ErrInvalidResult)
		outcome := details(t, what, err).Outcome
		if outcome == duet.OutcomeApplied {
			made++
		}
		n := one[int64](ctx, t, t.Client(), "count_accounts")
		if n != made || outcome == duet.OutcomeUnknown {
			t.Errorf("%s: the outcome is %d, and there are %d accounts, want %d: %v", what, outcome, n, made, err)
			made = n
		}
	}
	insert := t.Text("insert_returning")
	for name, q := range autocommit(ctx, t) {
		for _, again := range []string{"", ", again"} {
			_, err := duet.QueryOne[noNote](ctx, q, insert, name+", a field less"+again)
			check(name+": a field less", err)
			_, err = duet.QueryAll[wrongTypes](ctx, q, insert, name+", wrong types"+again)
			check(name+": wrong types", err)
			_, err = duet.QueryOne[plainNote](ctx, q, insert, name+", no place for nothing"+again)
			check(name+": no place for nothing", err)
			_, err = duet.QueryOne[int64](ctx, q, insert, name+", a scalar"+again)
			check(name+": a scalar", err)
		}
	}
}

func misfitInTx(ctx context.Context, t *T) {
	accounts(ctx, t, 100, "ada")
	for name, run := range bothTx(t.Client()) {
		err := run(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := duet.QueryOne[smallBalance](ctx, tx, t.Text("update_returning"), "ada", int64(100))
			wantErr(t, name+": the statement", err, duet.ErrInvalidResult)
			want(t, name+": the statement's outcome", details(t, name, err).Outcome, duet.OutcomeNone)
			return err
		})
		wantErr(t, name, err, duet.ErrInvalidResult)
		want(t, name+": the outcome", details(t, name, err).Outcome, duet.OutcomeNone)
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(100))
}

func misfitOfNothing(ctx context.Context, t *T) {
	accounts(ctx, t, 1, "ada")
	for name, q := range autocommit(ctx, t) {
		for range 2 {
			_, err := duet.QueryOne[duet.Record](ctx, q, t.Text("update_returning"), "nobody", int64(1))
			wantErr(t, name+": an update of nobody", err, duet.ErrNoData)
			want(t, name+": its outcome", details(t, name, err).Outcome, duet.OutcomeNone)
			_, err = duet.QueryOne[int32](ctx, q, t.Text("echo_int64"), int64(1)<<31)
			wantErr(t, name+": a read", err, duet.ErrInvalidResult)
			want(t, name+": its outcome", details(t, name, err).Outcome, duet.OutcomeNone)
			_, err = duet.QueryOne[duet.Record](ctx, q, t.Text("unique_violation"))
			if err == nil {
				t.Errorf("%s: the insert did not fail", name)
			}
			want(t, name+": the outcome of a refusal", details(t, name, err).Outcome, duet.OutcomeNone)
		}
	}
}
