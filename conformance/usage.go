package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/duetdb/duet"
)

func usageErrorScenarios() []Scenario {
	return []Scenario{
		{ID: "usage/secrets", Promise: "Argument values never appear in the client's own errors and hooks.", Run: valuesStayOut},
		{ID: "usage/empty-command", Promise: "An empty command is no panic and no hang, and the connection goes on.", Run: emptyCommand},
		{ID: "usage/transaction-commands", Promise: "Transaction commands in a script given to Execute work, or are ErrUnsupported.",
			Needs: []duet.Ability{duet.TxCommands}, Run: txCommands, Without: noTxCommands},
	}
}

func valuesStayOut(ctx context.Context, t *T) {
	const secret = "correct-horse-battery"
	var seen strings.Builder
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1, Hooks: duet.Hooks{
		Query: func(_ context.Context, q duet.QueryInfo) (context.Context, func(duet.QueryEnd)) {
			fmt.Fprintf(&seen, "%+v\n", q)
			return nil, func(end duet.QueryEnd) { fmt.Fprintf(&seen, "%+v\n", end) }
		},
	}})
	exec(ctx, t, c, "echo_str", secret)
	for name, args := range map[string][]any{
		"echo_int64": {secret}, "echo_str": {secret + "\x00"}, "named_a": {duet.Named{"b": secret}}, "insert_account": {secret}, "named_a_b": {secret},
	} {
		if _, err := c.Execute(ctx, t.Text(name), args...); err == nil {
			t.Errorf("%s with %d arguments did not fail", name, len(args))
		} else if name != "echo_int64" && strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
	_, err := duet.QueryOne[int64](ctx, c, t.Text("echo_str"), secret)
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("a text into an int64: the error is missing or shows the value: %v", err)
	}
	if !strings.Contains(seen.String(), t.Text("echo_str")) {
		t.Errorf("the hook did not see the command: %q", seen.String())
	}
}

func emptyCommand(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	for _, text := range []string{"", " ", "\n", ";", " ; ; "} {
		_, _ = c.Execute(ctx, text) // PostgreSQL takes it, EdgeDB does not
		usable(ctx, t, c, fmt.Sprintf("after Execute of %q", text))
		var n []int64
		_ = c.Query(ctx, text, &n)
		usable(ctx, t, c, fmt.Sprintf("after Query of %q", text))
	}
}

func txCommands(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	exec(ctx, t, c, "tx_command")
	want(t, "the number of accounts", one[int64](ctx, t, c, "count_scripted"), int64(1))
}

func noTxCommands(ctx context.Context, t *T) {
	fails(ctx, t, t.Client(), duet.ErrUnsupported, "tx_command")
	usable(ctx, t, t.Client(), "after a transaction command")
}

func scriptScenarios() []Scenario {
	return []Scenario{
		{ID: "scripts/several", Promise: "Without args, a command may be a script of several commands.", Run: script},
		{ID: "scripts/atomic", Promise: "A script is one implicit transaction: where one command fails, nothing was applied.", Run: failingScript},
		{ID: "scripts/in-transaction", Promise: "A script in a transaction is part of it.", Run: scriptInTx},
		{ID: "scripts/row-counts", Promise: "Result.RowsAffected counts the rows of the last command, and is -1 where the backend does not tell.",
			Needs: []duet.Ability{duet.RowCounts}, Run: rowCounts, Without: noRowCounts},
	}
}

func script(ctx context.Context, t *T) {
	exec(ctx, t, t.Client(), "script")
	want(t, "carol's balance", balance(ctx, t, "carol"), int64(2))
	exec(ctx, t, t.Client(), "script_with_args", duet.Named{"a": "dora"})
	want(t, "dora's balance", balance(ctx, t, "dora"), int64(2))
}

func failingScript(ctx context.Context, t *T) {
	if _, err := t.Client().Execute(ctx, t.Text("failing_script")); err == nil {
		t.Errorf("the script did not fail")
	}
	want(t, "what is left of the script", one[int64](ctx, t, t.Client(), "count_scripted"), int64(0))
}

func scriptInTx(ctx context.Context, t *T) {
	err := t.Client().RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		exec(ctx, t, tx, "script")
		want(t, "carol's balance", one[int64](ctx, t, tx, "balance", "carol"), int64(2))
		return errMine
	})
	wantErr(t, "RawTx", err, errMine)
	want(t, "the number of accounts", one[int64](ctx, t, t.Client(), "count_accounts"), int64(0))
}

func rowCounts(ctx context.Context, t *T) {
	c := t.Client()
	want(t, "inserted", exec(ctx, t, c, "insert_many", int64(30)).RowsAffected, int64(30))
	want(t, "updated", exec(ctx, t, c, "set_balance", "n7", int64(8)).RowsAffected, int64(1))
	want(t, "updated of nobody", exec(ctx, t, c, "set_balance", "nobody", int64(8)).RowsAffected, int64(0))
	want(t, "deleted", exec(ctx, t, c, "delete_account", "n7").RowsAffected, int64(1))
	want(t, "selected", exec(ctx, t, c, "numbers", int64(12)).RowsAffected, int64(12))
	want(t, "of a script", exec(ctx, t, c, "script").RowsAffected, int64(1))
}

func noRowCounts(ctx context.Context, t *T) {
	want(t, "inserted", exec(ctx, t, t.Client(), "insert_many", int64(30)).RowsAffected, int64(-1))
	want(t, "updated", exec(ctx, t, t.Client(), "set_balance", "n7", int64(8)).RowsAffected, int64(-1))
}
