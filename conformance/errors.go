package conformance

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/duetdb/duet"
)

func errorScenarios() []Scenario {
	return []Scenario{
		{ID: "errors/unique", Promise: "A violated unique or exclusive constraint is ErrUniqueViolation.", Run: uniqueViolation},
		{ID: "errors/foreign-key", Promise: "A row that is still referenced cannot be deleted: ErrForeignKeyViolation.", Run: foreignKeyViolation},
		{ID: "errors/not-null", Promise: "A missing required value is ErrNotNullViolation.", Run: notNullViolation},
		{ID: "errors/check", Promise: "A violated check constraint is ErrCheckViolation.", Run: checkViolation},
		{ID: "errors/syntax", Promise: "A command that does not parse is ErrSyntax; its text shows the line with a caret.", Run: syntaxError},
		{ID: "errors/syntax-position", Promise: "Position counts characters, not bytes, from 1.", Run: syntaxPosition},
		{ID: "errors/undefined", Promise: "What does not exist is ErrUndefined.", Run: undefined},
		{ID: "errors/division-by-zero", Promise: "A server's error of no special kind keeps its code.", Run: divisionByZero},
		{ID: "errors/invalid-value", Promise: "A value that cannot be converted is the server's error, with a code.", Run: invalidValue},
		{ID: "errors/command-kept", Promise: "An error holds the command as the caller gave it.", Run: commandKept},
		{ID: "errors/usable-afterwards", Promise: "A connection is usable after any server error.", Run: usableAfterErrors},
		{ID: "errors/every-method", Promise: "Every way to run a command reports the same failure.", Run: errorOfEveryMethod},
	}
}

// wantServerError holds what every error of a server has.
func wantServerError(t *T, e *duet.Error, name string, kind duet.Kind) {
	want(t, name+": the kind", e.Kind, kind)
	want(t, name+": the backend", e.Backend, t.Backend().Name)
	want(t, name+": the phase", e.Phase, duet.PhaseRun)
	want(t, name+": the outcome", e.Outcome, duet.OutcomeNone)
	want(t, name+": the command", e.Command, t.Text(name))
	if e.Code == "" || e.Name == "" || e.Message == "" {
		t.Errorf("%s: code %q, name %q, message %q: want all three", name, e.Code, e.Name, e.Message)
	}
	if !strings.Contains(e.Error(), e.Message) || !strings.Contains(e.Error(), e.Code) {
		t.Errorf("%s: the text %q lacks the message or the code", name, e.Error())
	}
}

func uniqueViolation(ctx context.Context, t *T) {
	accounts(ctx, t, 5, "ada")
	e := fails(ctx, t, t.Client(), duet.ErrUniqueViolation, "unique_violation")
	wantServerError(t, e, "unique_violation", duet.KindUniqueViolation)
	if t.dialect == duet.SQL {
		want(t, "the constraint", e.Constraint, "account_name_key")
		want(t, "the table", e.Schema+"."+e.Table, "duet_conformance.account")
	}
	fails(ctx, t, t.Client(), duet.ErrUniqueViolation, "insert_account", "ada", int64(1))
	want(t, "the number of accounts", one[int64](ctx, t, t.Client(), "count_accounts"), int64(1))
}

func foreignKeyViolation(ctx context.Context, t *T) {
	accounts(ctx, t, 100, "ada", "bob")
	exec(ctx, t, t.Client(), "transfer", "ada", "bob", int64(3))
	e := fails(ctx, t, t.Client(), duet.ErrForeignKeyViolation, "referenced")
	wantServerError(t, e, "referenced", duet.KindForeignKeyViolation)
	if t.dialect == duet.SQL {
		want(t, "the constraint", e.Constraint, "transfer_src_fkey")
	}
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(97))
}

func notNullViolation(ctx context.Context, t *T) {
	e := fails(ctx, t, t.Client(), duet.ErrNotNullViolation, "missing_required")
	wantServerError(t, e, "missing_required", duet.KindNotNullViolation)
	if t.dialect == duet.SQL {
		want(t, "the column", e.Column, "balance")
	}
}

func checkViolation(ctx context.Context, t *T) {
	accounts(ctx, t, 5, "ada")
	e := fails(ctx, t, t.Client(), duet.ErrCheckViolation, "check_violation")
	wantServerError(t, e, "check_violation", duet.KindCheckViolation)
	if t.dialect == duet.SQL {
		want(t, "the constraint", e.Constraint, "account_balance_min")
	}
	fails(ctx, t, t.Client(), duet.ErrCheckViolation, "take_from_balance", "ada", int64(6))
	want(t, "ada's balance", balance(ctx, t, "ada"), int64(5))
}

func syntaxError(ctx context.Context, t *T) {
	e := fails(ctx, t, t.Client(), duet.ErrSyntax, "syntax_error")
	wantServerError(t, e, "syntax_error", duet.KindSyntax)
	if e.Position < 1 || e.Position > len(e.Command)+1 {
		t.Errorf("the position is %d in %q", e.Position, e.Command)
	}
	wantCaret(t, e)
	err := rowsError(ctx, t, t.Client(), "syntax_error")
	wantErr(t, "Rows", err, duet.ErrSyntax)
}

// wantCaret holds that the error's text shows the line with a caret below.
func wantCaret(t *T, e *duet.Error) {
	line, below, ok := strings.Cut(e.Excerpt, "\n")
	if !ok || strings.Count(below, "^") == 0 || strings.TrimSpace(line) == "" {
		t.Errorf("the excerpt is %q, want a line of the command with a caret below", e.Excerpt)
	}
	if e.Excerpt != "" && !strings.Contains(e.Error(), e.Excerpt) {
		t.Errorf("the text %q lacks the excerpt %q", e.Error(), e.Excerpt)
	}
}

func syntaxPosition(ctx context.Context, t *T) {
	e := fails(ctx, t, t.Client(), duet.ErrSyntax, "syntax_error_in_line_2")
	before, _, _ := strings.Cut(e.Command, ")")
	want(t, "the position", e.Position, utf8.RuneCountInString(before)+1)
	wantCaret(t, e)
	if strings.Contains(e.Excerpt, "grüße") || !strings.Contains(e.Excerpt, "'x' )") {
		t.Errorf("the excerpt %q is not the second line", e.Excerpt)
	}
}

func undefined(ctx context.Context, t *T) {
	for _, name := range []string{"unknown_type", "unknown_property"} {
		e := fails(ctx, t, t.Client(), duet.ErrUndefined, name)
		wantServerError(t, e, name, duet.KindUndefined)
		wantNames(t, name, e, "othing")
		if e.Position == 0 {
			t.Errorf("%s: the position is missing", name)
		}
		wantCaret(t, e)
	}
}

func divisionByZero(ctx context.Context, t *T) {
	_, err := t.Client().Execute(ctx, t.Text("division_by_zero"))
	wantServerError(t, details(t, "division_by_zero", err), "division_by_zero", duet.KindOther)
	_, err = duet.QueryOne[int64](ctx, t.Client(), t.Text("division"), int64(0))
	wantServerError(t, details(t, "division by an argument", err), "division", duet.KindOther)
	want(t, "1 / 1", one[int64](ctx, t, t.Client(), "division", int64(1)), int64(1))
}

func invalidValue(ctx context.Context, t *T) {
	_, err := duet.QueryOne[int64](ctx, t.Client(), t.Text("not_a_number"))
	if e := details(t, "not_a_number", err); e.Code == "" || e.Message == "" {
		t.Errorf("code %q, message %q: want both", e.Code, e.Message)
	}
	usable(ctx, t, t.Client(), "after the error")
}

func commandKept(ctx context.Context, t *T) {
	accounts(ctx, t, 5, "ada")
	e := fails(ctx, t, t.Client(), duet.ErrUniqueViolation, "insert_account_named", duet.Named{"name": "ada", "balance": int64(1)})
	want(t, "the command", e.Command, t.Text("insert_account_named"))
	_, err := duet.QueryOne[bool](ctx, t.Client(), t.Text("one"))
	want(t, "the command", details(t, "an int64 into a bool", err).Command, t.Text("one"))
	_, err = duet.QueryOne[int64](ctx, t.Client(), t.Text("nothing"))
	want(t, "the command", details(t, "nothing", err).Command, t.Text("nothing"))
}

func usableAfterErrors(ctx context.Context, t *T) {
	c := t.Connect(ctx, ConnectOptions{MaxConns: 1})
	accounts(ctx, t, 5, "ada")
	for range 3 {
		for _, name := range []string{"syntax_error", "unknown_type", "unique_violation", "check_violation", "missing_required", "division_by_zero"} {
			if _, err := c.Execute(ctx, t.Text(name)); err == nil {
				t.Errorf("%s did not fail", name)
			}
			usable(ctx, t, c, "after "+name)
		}
	}
	want(t, "the connections made", c.Pool().Stat().Connects, int64(1))
}

func errorOfEveryMethod(ctx context.Context, t *T) {
	c := t.Client()
	var n []int64
	var v int64
	var out []byte
	text := t.Text("unknown_type")
	wantErr(t, "Query", c.Query(ctx, text, &n), duet.ErrUndefined)
	wantErr(t, "QueryOne", c.QueryOne(ctx, text, &v), duet.ErrUndefined)
	wantErr(t, "QueryJSON", c.QueryJSON(ctx, text, &out), duet.ErrUndefined)
	wantErr(t, "QueryOneJSON", c.QueryOneJSON(ctx, text, &out), duet.ErrUndefined)
	_, err := c.Execute(ctx, text)
	wantErr(t, "Execute", err, duet.ErrUndefined)
	for _, err := range duet.Stream[int64](ctx, c, text) {
		wantErr(t, "Stream", err, duet.ErrUndefined)
	}
	err = c.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error { return tx.QueryOne(ctx, text, &v) })
	wantErr(t, "RawTx", err, duet.ErrUndefined)
}
