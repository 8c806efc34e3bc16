package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

func TestKindsOfServerErrors(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 2})
	run(t, c, `create table p (id int primary key);
		create table t (id int primary key, p int references p, n int not null default 0, k int check (k > 0), r int4range, exclude using gist (r with &&));
		insert into t (id, r) values (1, '[1,5)');
		create view v as select * from t where n = 0 with check option`)
	for _, tt := range []struct {
		cmd, code, name string
		is              error
		check           func(*duet.Error) bool
	}{
		{"insert into t (id) values (1)", "23505", "unique_violation", duet.ErrUniqueViolation,
			func(e *duet.Error) bool {
				return e.Table == "t" && e.Schema == "public" && e.Constraint == "t_pkey" && strings.Contains(e.Detail, "(id)=(1)")
			}},
		{"insert into t (id, r) values (2, '[2,3)')", "23P01", "exclusion_violation", duet.ErrUniqueViolation, nil},
		{"insert into t (id, p) values (2, 9)", "23503", "foreign_key_violation", duet.ErrForeignKeyViolation,
			func(e *duet.Error) bool { return e.Constraint == "t_p_fkey" }},
		{"insert into t (id, n) values (2, null)", "23502", "not_null_violation", duet.ErrNotNullViolation,
			func(e *duet.Error) bool { return e.Column == "n" }},
		{"insert into t (id, k) values (2, 0)", "23514", "check_violation", duet.ErrCheckViolation,
			func(e *duet.Error) bool { return e.Constraint == "t_k_check" }},
		{"insert into v (id, n) values (2, 1)", "44000", "with_check_option_violation", duet.ErrCheckViolation, nil},
		{"selec 1", "42601", "syntax_error", duet.ErrSyntax, func(e *duet.Error) bool { return e.Position == 1 }},
		{"select * from nowhere", "42P01", "undefined_table", duet.ErrUndefined, nil},
		{"select nothing from t", "42703", "undefined_column", duet.ErrUndefined, nil},
		{"select nofunc()", "42883", "undefined_function", duet.ErrUndefined, nil},
		{"select 1::notype", "42704", "undefined_object", duet.ErrUndefined, nil},
		{"select * from nowhere.t", "42P01", "undefined_table", duet.ErrUndefined, nil},
		{"create table nowhere.t ()", "3F000", "invalid_schema_name", duet.ErrUndefined, nil},
		{"select 'x'::int", "22P02", "invalid_text_representation", duet.ErrInvalidArgument, nil},
		{"do $$ begin raise exception 'mine' using errcode = 'ABCDE', detail = 'd', hint = 'h'; end $$", "ABCDE", "", nil,
			func(e *duet.Error) bool {
				return e.Message == "mine" && e.Detail == "d" && e.Hint == "h" && e.Where != "" && e.Severity == "ERROR"
			}},
		{"do $$ begin raise exception 'x' using errcode = '40001'; end $$", "40001", "serialization_failure", duet.ErrSerialization, nil},
		{"do $$ begin raise exception 'x' using errcode = '40P01'; end $$", "40P01", "deadlock_detected", duet.ErrDeadlock, nil},
	} {
		t.Run(tt.cmd, func(t *testing.T) {
			for range 2 {
				_, err := c.Execute(testContext(t), tt.cmd)
				e := wantCode(t, err, tt.code)
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("got the kind %v, want %v", e.Kind, tt.is)
				}
				if e.Name != tt.name || e.Command != tt.cmd || e.Backend != "postgres" || e.Phase != duet.PhaseRun || e.Outcome != duet.OutcomeNone {
					t.Errorf("%+v", e)
				}
				if tt.check != nil && !tt.check(e) {
					t.Errorf("%+v", e)
				}
			}
		})
	}
	run(t, c, "do $$ begin create role other; exception when duplicate_object then null; end $$")
	err := c.RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
		run(t, tx, "set local role other")
		_, err := tx.Execute(ctx, "select * from t")
		return err
	})
	wantIs(t, err, duet.ErrPermission)
	_, err = c.With(duet.Options{Access: duet.ReadOnly}).Execute(testContext(t), "create table z ()")
	wantIs(t, err, duet.ErrReadOnly)
	_, err = c.With(duet.Options{Globals: map[string]any{"x": 1}}).Execute(testContext(t), "select 1")
	wantIs(t, err, duet.ErrUnsupported)
	wantIs(t, err, errors.ErrUnsupported)
	_, err = c.With(duet.Options{ModuleAliases: map[string]string{"x": "y"}}).Begin(testContext(t))
	wantIs(t, err, duet.ErrUnsupported)
	allReturned(t, c)
}

// The caret points into the user's own text, whatever was sent instead of it.
func TestPositions(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	for _, tt := range []struct {
		cmd, at string
		args    []any
	}{
		{"select nonsense", "nonsense", nil},
		{"select 'äöü€😀', nonsense", "nonsense", nil},
		{"select $long_name::text, nonsense, $b::text", "nonsense", []any{duet.Named{"long_name": "x", "b": "y"}}},
		{"select '日本', $ä::text,\n\t'ß' || $other::text,\n  nonsense + 1", "nonsense", []any{duet.Named{"ä": "x", "other": "y"}}},
		{"select $a::text, $b::text, $a::text, $b::text, $a::text || nonsense", "nonsense", []any{duet.Named{"a": "x", "b": "y"}}},
		{"select 1;\nselect 'ü', nonsense", "nonsense", nil},
		{"create table x (a int, b nonsense)", "nonsense", nil},
		{"select $a::text || selec.x", "selec.x", []any{duet.Named{"a": "x"}}},
	} {
		for _, inTx := range []bool{false, true} {
			_, err := c.Execute(testContext(t), tt.cmd, tt.args...)
			if inTx {
				err = c.RawTx(testContext(t), func(ctx context.Context, tx duet.Tx) error {
					_, err := tx.Execute(ctx, tt.cmd, tt.args...)
					return err
				})
			}
			e, ok := errors.AsType[*duet.Error](err)
			if !ok {
				t.Fatalf("%q: %v", tt.cmd, err)
			}
			want := len([]rune(tt.cmd[:strings.Index(tt.cmd, tt.at)])) + 1
			if e.Position != want || e.Command != tt.cmd {
				t.Errorf("%q: position %d, want %d", tt.cmd, e.Position, want)
			}
			line, caret, ok := strings.Cut(e.Excerpt, "\n")
			if !ok || !strings.Contains(line, tt.at) || strings.Count(caret, "^") != 1 {
				t.Errorf("%q: excerpt\n%s", tt.cmd, e.Excerpt)
			}
		}
	}
}

func TestNamedArgumentErrors(t *testing.T) {
	c := open(t, postgres.Config{MaxConns: 1})
	ctx := testContext(t)
	for _, tt := range []struct {
		cmd  string
		args []any
		says string
	}{
		{"select $a::int", nil, "$a"},
		{"select $a::int", []any{1}, "$a"},
		{"select $a::int", []any{duet.Named{"a": 1}, 2}, "exactly one"},
		{"select $a::int", []any{duet.Named{}}, "$a"},
		{"select $a::int", []any{duet.Named{"a": 1, "secret_name": 2}}, "$secret_name"},
		{"select $a::int", []any{struct{ B int }{1}}, "$a"},
		{"select $a::int, $1::int", []any{1}, ""},
		{"select $1::int", nil, ""},
		{"select $1::int", []any{1, 2}, ""},
		{"select $2::int", []any{1}, ""},
		{"select $a::int", []any{(*struct{ A int })(nil)}, ""},
		{"select $a::int", []any{nil}, ""},
	} {
		_, err := c.Execute(ctx, tt.cmd, tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q with %v: %v", tt.cmd, tt.args, err)
		}
		if tt.cmd != "select $2::int" {
			wantIs(t, err, duet.ErrInvalidArgument)
		}
	}
	type args struct {
		A int `db:"first"`
		B string
	}
	if got := value[string](t, c, "select $first::int || $b::text", &args{1, "x"}); got != "1x" {
		t.Error(got)
	}
	if got := value[string](t, c, "select $x::text", map[string]string{"x": "y"}); got != "y" {
		t.Error(got)
	}
}

// Values of arguments must not show up in errors.
func TestValuesStayOutOfErrors(t *testing.T) {
	const canary = "c4n4ry-v4lu3"
	c := open(t, postgres.Config{MaxConns: 1})
	ctx := testContext(t)
	for _, f := range []func() error{
		func() error { _, err := c.Execute(ctx, "select $1::date", []string{canary}); return err },
		func() error { _, err := c.Execute(ctx, "select $1::text", canary+"\x00"); return err },
		func() error { _, err := c.Execute(ctx, "select $1::int4", 1<<40); return err },
		func() error {
			_, err := c.Execute(ctx, "select $a::int", duet.Named{"b": canary})
			return err
		},
		func() error {
			_, err := c.With(settings("my.x", canary+"\x00")).Execute(ctx, "select 1")
			return err
		},
	} {
		err := f()
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
	}
}
