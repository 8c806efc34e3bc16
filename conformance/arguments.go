package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/duetdb/duet"
)

func argumentScenarios() []Scenario {
	return []Scenario{
		{ID: "arguments/positional", Promise: "Each of args is the value of one positional parameter.", Run: positionalArgs},
		{ID: "arguments/named", Promise: "Named arguments are a map with string keys, a Named or a struct.", Run: namedArgs},
		{ID: "arguments/missing-name", Promise: "A missing name is ErrInvalidArgument and is named.", Run: missingName},
		{ID: "arguments/superfluous-name", Promise: "A superfluous name is ErrInvalidArgument and is named.", Run: superfluousName},
		{ID: "arguments/named-count", Promise: "A text with $name takes exactly one value that holds names.", Run: namedCount},
		{ID: "arguments/mixed", Promise: "Positional and named parameters in one text are ErrInvalidArgument.", Run: mixedArgs},
		{ID: "arguments/count", Promise: "Too few or too many positional arguments are ErrInvalidArgument.", Run: argCount},
		{ID: "arguments/wrong-type", Promise: "An argument that does not fit its type is ErrInvalidArgument.", Run: wrongArgType},
		{ID: "arguments/nul", Promise: "A NUL in a text is an error; the connection goes on.", Run: nulInText},
		{ID: "arguments/stay-data", Promise: "Values are sent beside the text, never inside it.", Run: staysData},
		{ID: "arguments/in-comments-and-strings", Promise: "A $name in a comment or a string is no parameter.", Run: dollarsInText},
		{ID: "arguments/many", Promise: "A statement may have two hundred arguments.", Run: manyArgs},
		{ID: "arguments/optional", Promise: "A missing optional argument is nil, a nil pointer or an empty Optional.", Run: optionalArgs},
		{ID: "arguments/array", Promise: "A slice is an array argument.", Run: arrayArgs},
		{ID: "arguments/json", Promise: "A json argument inserts many rows at once.", Run: jsonArg},
	}
}

func positionalArgs(ctx context.Context, t *T) {
	c := t.Client()
	exec(ctx, t, c, "insert_account", "ada", int64(7))
	want(t, "the balance", one[int64](ctx, t, c, "balance", "ada"), int64(7))
	exec(ctx, t, c, "set_balance", "ada", 8) // an int where an int64 is wanted
	want(t, "the balance", one[int64](ctx, t, c, "balance", "ada"), int64(8))
	exec(ctx, t, c, "upsert", "ada", int64(9))
	exec(ctx, t, c, "upsert", "bob", int64(10))
	type row struct {
		Name    string
		Balance int64
	}
	want(t, "the accounts", all[row](ctx, t, c, "accounts"), []row{{"ada", 9}, {"bob", 10}})
}

func namedArgs(ctx context.Context, t *T) {
	c := t.Client()
	type account struct {
		Name    string
		Balance int64
	}
	tagged := struct {
		N string `duet:"name"`
		B int64  `db:"balance"`
	}{"dora", 4}
	for i, args := range []any{
		duet.Named{"name": "ada", "balance": int64(1)}, map[string]any{"name": "bob", "balance": int64(2)}, account{"carol", 3}, tagged, &account{"eve", 5},
	} {
		exec(ctx, t, c, "insert_account_named", args)
		name := []string{"ada", "bob", "carol", "dora", "eve"}[i]
		want(t, name+"'s balance", one[int64](ctx, t, c, "balance_named", duet.Named{"name": name}), int64(i+1))
	}
	want(t, "the balance", one[int64](ctx, t, c, "balance_named", map[string]string{"name": "bob"}), int64(2))
}

func missingName(ctx context.Context, t *T) {
	for _, args := range []any{duet.Named{"name": "ada"}, map[string]any{"name": "ada"}, struct{ Name string }{"ada"}, duet.Named(nil)} {
		err := fails(ctx, t, t.Client(), duet.ErrInvalidArgument, "insert_account_named", args)
		wantNames(t, fmt.Sprintf("%T", args), err, "balance")
	}
	want(t, "the number of accounts", one[int64](ctx, t, t.Client(), "count_accounts"), int64(0))
}

func superfluousName(ctx context.Context, t *T) {
	err := fails(ctx, t, t.Client(), duet.ErrInvalidArgument, "named_a", duet.Named{"a": "x", "bogus": "y"})
	wantNames(t, "a superfluous name", err, "bogus")
	want(t, "a superfluous field is none", one[string](ctx, t, t.Client(), "named_a", struct{ A, Other string }{"x", "y"}), "x")
	want(t, "without it", one[string](ctx, t, t.Client(), "named_a", duet.Named{"a": "x"}), "x")
}

func namedCount(ctx context.Context, t *T) {
	fails(ctx, t, t.Client(), duet.ErrInvalidArgument, "named_a")
	fails(ctx, t, t.Client(), duet.ErrInvalidArgument, "named_a", "x")
	fails(ctx, t, t.Client(), duet.ErrInvalidArgument, "named_a_b", "x", "y")
	fails(ctx, t, t.Client(), duet.ErrInvalidArgument, "named_a_b", duet.Named{"a": "x"}, duet.Named{"b": "y"})
	fails(ctx, t, t.Client(), duet.ErrInvalidArgument, "named_a", nil)
}

func mixedArgs(ctx context.Context, t *T) {
	fails(ctx, t, t.Client(), duet.ErrInvalidArgument, "mixed_args", "x")
	fails(ctx, t, t.Client(), duet.ErrInvalidArgument, "mixed_args", duet.Named{"name": "x"})
	usable(ctx, t, t.Client(), "after the error")
}

func argCount(ctx context.Context, t *T) {
	c := t.Client()
	fails(ctx, t, c, duet.ErrInvalidArgument, "insert_account", "ada")
	fails(ctx, t, c, duet.ErrInvalidArgument, "insert_account", "ada", int64(1), int64(2))
	fails(ctx, t, c, duet.ErrInvalidArgument, "one", 1)
	_, err := duet.QueryOne[int64](ctx, c, t.Text("echo_int64"))
	wantErr(t, "echo_int64 without an argument", err, duet.ErrInvalidArgument)
	err = rowsError(ctx, t, c, "echo_int64", 1, 2)
	wantErr(t, "Rows with two arguments for one", err, duet.ErrInvalidArgument)
	want(t, "the number of accounts", one[int64](ctx, t, c, "count_accounts"), int64(0))
}

func wrongArgType(ctx context.Context, t *T) {
	c := t.Client()
	fails(ctx, t, c, duet.ErrInvalidArgument, "echo_int64", struct{ X int }{1})
	fails(ctx, t, c, duet.ErrInvalidArgument, "echo_int64", make(chan int))
	fails(ctx, t, c, duet.ErrInvalidArgument, "echo_int16", int64(40000))
	fails(ctx, t, c, duet.ErrInvalidArgument, "echo_int64", true)
	fails(ctx, t, c, duet.ErrInvalidArgument, "echo_bool", int64(1))
	fails(ctx, t, c, duet.ErrInvalidArgument, "echo_int64", "not a number")
	usable(ctx, t, c, "after the errors")
}

func nulInText(ctx context.Context, t *T) {
	const secret = "correct-horse-battery"
	_, err := duet.QueryOne[string](ctx, t.Client(), t.Text("echo_str"), "a\x00"+secret)
	wantErr(t, "a NUL", err, duet.ErrInvalidArgument)
	if err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("the error %q shows the value", err)
	}
	_, err = duet.QueryOne[string](ctx, t.Client(), t.Text("echo_str"), "\xff\xfe")
	wantErr(t, "a text that is not UTF-8", err, duet.ErrInvalidArgument)
	if _, err = t.Client().Execute(ctx, t.Text("one")+"\x00"); err == nil {
		t.Errorf("a command with a NUL did not fail")
	}
	usable(ctx, t, t.Client(), "after a NUL")
}

func staysData(ctx context.Context, t *T) {
	accounts(ctx, t, 5, "ada", "bob")
	for _, name := range []string{
		`x'; DELETE FROM duet_conformance.account; --`, `x'}; delete Account; #`, `$1`, `$name`, `\'; --`, `"`, `' OR '1'='1`, `%`, `_`,
	} {
		if _, err := duet.QueryOne[int64](ctx, t.Client(), t.Text("balance"), name); !errors.Is(err, duet.ErrNoData) {
			t.Errorf("an account called %q: error %v, want ErrNoData", name, err)
		}
		want(t, "the text", one[string](ctx, t, t.Client(), "echo_str", name), name)
		want(t, "the named text", one[string](ctx, t, t.Client(), "named_a", duet.Named{"a": name}), name)
	}
	want(t, "the number of accounts", one[int64](ctx, t, t.Client(), "count_accounts"), int64(2))
}

func dollarsInText(ctx context.Context, t *T) {
	want(t, "the text", one[string](ctx, t, t.Client(), "dollars_in_text", duet.Named{"a": "x"}), "x$c")
}

func manyArgs(ctx context.Context, t *T) {
	args := make([]any, 200)
	sum := int64(0)
	for i := range args {
		args[i] = int64(i * i)
		sum += int64(i * i)
	}
	want(t, "the sum", one[int64](ctx, t, t.Client(), "many_args", args...), sum)
}

func optionalArgs(ctx context.Context, t *T) {
	c := t.Client()
	accounts(ctx, t, 5, "ada", "bob", "carol")
	type row struct{ Name string }
	name := "bob"
	for i, arg := range []any{duet.Some("bob"), &name, "bob"} {
		want(t, fmt.Sprintf("with a name, %d", i), all[row](ctx, t, c, "name_if", arg), []row{{"bob"}})
	}
	for i, arg := range []any{duet.None[string](), (*string)(nil), nil} {
		want(t, fmt.Sprintf("without a name, %d", i), all[row](ctx, t, c, "name_if", arg), []row{{"ada"}, {"bob"}})
	}
	exec(ctx, t, c, "insert_with_note_named", duet.Named{"name": "dora", "balance": int64(1), "note": duet.None[string]()})
	exec(ctx, t, c, "set_note", "ada", duet.Some("n"))
	exec(ctx, t, c, "set_note", "ada", nil)
	lax := c.With(duet.Options{Columns: duet.ColumnsLax})
	type noted struct{ Note *string }
	for _, name := range []string{"ada", "dora"} {
		want(t, name+"'s note", one[noted](ctx, t, lax, "account", name), noted{})
	}
}

func arrayArgs(ctx context.Context, t *T) {
	c := t.Client()
	accounts(ctx, t, 5, "ada", "bob", "carol")
	type row struct{ Name string }
	want(t, "the names", all[row](ctx, t, c, "names_in", []string{"carol", "ada", "nobody"}), []row{{"ada"}, {"carol"}})
	want(t, "no names", all[row](ctx, t, c, "names_in", []string{}), []row{})
	exec(ctx, t, c, "insert_with_tags", "kim", int64(1), []string{"t1", "t2"})
	type tagged struct{ Tags []string }
	lax := c.With(duet.Options{Columns: duet.ColumnsLax})
	want(t, "kim's tags", one[tagged](ctx, t, lax, "account", "kim"), tagged{[]string{"t1", "t2"}})
}

func jsonArg(ctx context.Context, t *T) {
	exec(ctx, t, t.Client(), "insert_from_json", []byte(`[{"name": "g1", "balance": 1}, {"name": "g2", "balance": 2}]`))
	type row struct {
		Name    string
		Balance int64
	}
	want(t, "the accounts", all[row](ctx, t, t.Client(), "accounts"), []row{{"g1", 1}, {"g2", 2}})
}
