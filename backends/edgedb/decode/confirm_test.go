package decode_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
)

// oneArg describes the parameter $0, a str.
var oneArg = object(optional("0", scalarOf("str")))

// A struct with a field that the result does not have is an error where there is
// no row too. It costs one Parse for each field, once, and no second execution of a
// command that has parameters or that may write.
func TestFieldsWithoutRows(t *testing.T) {
	list := []statement{}
	shape := object(required("n", scalarOf("int64")), optional("s", scalarOf("str")))
	for _, cmd := range []string{"select fits", "select misfits", "update fits", "update misfits"} {
		list = append(list, statement{cmd: cmd, typ: shape}, statement{cmd: cmd + " $0", typ: shape, args: oneArg})
	}
	server := startReplay(t, makeReplies(list...))
	client := server.connect(t)
	type fits struct {
		S *string
		N int64
	}
	type misfits struct {
		N     int64
		Extra *string
		S     *string
	}
	for _, tt := range []struct {
		cmd      string
		args     []any
		executes int64
		unseen   bool
	}{
		{"select fits", nil, 1, false}, {"select fits $0", []any{"x"}, 1, false}, {"update fits", nil, 1, false},
		{"update fits $0", []any{nil}, 1, false},
		{"select misfits", nil, 2, false}, {"select misfits $0", []any{"x"}, 1, false}, {"update misfits $0", []any{"x"}, 1, false},
		{"update misfits", nil, 1, true},
	} {
		c := decode.NewCache()
		for round := range 3 {
			executes, parses := server.executes.Load(), server.parses.Load()
			var err error
			if strings.Contains(tt.cmd, "misfits") {
				err = query(t, c, client, tt.cmd, &[]misfits{}, tt.args...)
			} else {
				err = query(t, c, client, tt.cmd, &[]fits{}, tt.args...)
			}
			if want := strings.Contains(tt.cmd, "misfits") && !tt.unseen; (err != nil) != want {
				t.Errorf("%s, round %d: %v", tt.cmd, round, err)
			} else if err != nil && !strings.Contains(err.Error(),
				`field "Extra" (extra) of decode_test.misfits has no column (columns: n, s)`) {
				t.Errorf("%s, round %d: %v", tt.cmd, round, err)
			}
			executes, parses = server.executes.Load()-executes, server.parses.Load()-parses
			if want := map[bool]int64{true: tt.executes, false: 1}[round == 0]; executes != want {
				t.Errorf("%s, round %d: %d executions, want %d", tt.cmd, round, executes, want)
			}
			if round == 2 && parses != 0 {
				t.Errorf("%s, round %d: %d Parse messages", tt.cmd, round, parses)
			}
		}
	}
}

// The same holds below the rows: for objects in sets that are empty everywhere.
func TestFieldsOfEmptySets(t *testing.T) {
	inner := object(required("a", scalarOf("int64")))
	server := startReplay(t, makeReplies(statement{cmd: "select sets", typ: object(required("n", scalarOf("int64")), multi("m", inner)), args: oneArg,
		rows: [][]byte{fieldsOf(int64Of(1), listOf())}}))
	client := server.connect(t)
	for range 2 {
		c := decode.NewCache()
		var good []struct {
			N int64
			M []struct{ A int64 }
		}
		if err := query(t, c, client, "select sets", &good, "x"); err != nil || len(good) != 1 || good[0].M == nil {
			t.Errorf("%v, %v", good, err)
		}
		var bad []struct {
			N int64
			M []struct{ A, B int64 }
		}
		for range 2 {
			err := query(t, c, client, "select sets", &bad, "x")
			if err == nil || !strings.Contains(err.Error(), `column "m": field "B" (b) of`) {
				t.Errorf("with what is known: %v", err)
			}
			err = query(t, decode.NewCache(), client, "select sets", &bad, "x")
			if err == nil || !strings.Contains(err.Error(), `column "m": field "B" (b) of`) {
				t.Errorf("anew: %v", err)
			}
		}
		var wrong []struct {
			N int64
			M []struct{ A string }
		}
		if err := query(t, c, client, "select sets", &wrong, "x"); err != nil {
			t.Errorf("an int64 into a string: %v", err)
		}
	}
}

// Types are found out too where no row has told them, and so what does not fit.
func TestTypesWithoutRows(t *testing.T) {
	var list []statement
	for _, args := range []made{{}, oneArg} {
		suffix := map[bool]string{true: "", false: " $0"}[args.tag == 0]
		for _, s := range scalarSamples {
			typ := scalarOf(s.name)
			list = append(list,
				statement{cmd: "select " + s.name + suffix, typ: typ, args: args},
				statement{cmd: "select fields of " + s.name + suffix, typ: object(optional("a", typ), optional("b", scalarOf("decimal")), optional("c", typ), optional("d", arrayOf(typ)),
					optional("e", scalarOf("json"))), args: args},
			)
		}
	}
	server := startReplay(t, makeReplies(list...))
	client := server.connect(t)
	for _, suffix := range []string{"", " $0"} {
		var args []any
		if suffix != "" {
			args = []any{"x"}
		}
		for _, s := range scalarSamples {
			c := decode.NewCache()
			for round := range 2 {
				err := query(t, c, client, "select "+s.name+suffix, &[]func(){}, args...)
				if err == nil && s.name != "json" || err != nil && !strings.Contains(err.Error(), "does not decode into func()") {
					t.Errorf("%s%s into a func, round %d: %v", s.name, suffix, round, err)
				}
				var records []duet.Record
				if err := query(t, c, client, "select fields of "+s.name+suffix, &records, args...); err != nil {
					t.Errorf("%s%s: %v", s.name, suffix, err)
				}
				columns := fetch(t, c, client, decode.Request{Cmd: "select fields of " + s.name + suffix, Args: wrap(t, args)}).Columns()
				name := columns[0].Type
				if name == "" || !strings.HasSuffix(name, s.name) {
					t.Errorf("the type of %s is %q", s.name, name)
				}
				same(t, s.name+suffix, columns, []duet.Column{
					{Name: "a", Type: name}, {Name: "b", Type: "decimal"}, {Name: "c", Type: name},
					{Name: "d", Type: "array<" + name + ">"}, {Name: "e", Type: "json"},
				})
			}
		}
	}
}

// wrap makes arguments as edgedb-go takes them.
func wrap(t *testing.T, args []any) []any {
	t.Helper()
	wrapped, err := decode.Args(false, nil, args)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// What may have an effect, as a select that calls a function may, runs once
// whatever is left to be learned of its shape.
func TestMayActRunsOnce(t *testing.T) {
	shape := object(required("n", scalarOf("int64")), optional("s", scalarOf("str")))
	server := startReplay(t, makeReplies(statement{cmd: "select acts()", typ: shape}))
	client := server.connect(t)
	type misfits struct {
		N     int64
		Extra *string
		S     *string
	}
	for _, tt := range []struct {
		mayAct bool
		want   int64
	}{{true, 1}, {false, 2}} {
		before := server.executes.Load()
		req := decode.Request{Cmd: "select acts()", Row: reflect.TypeFor[misfits](), MayAct: tt.mayAct}
		if _, err := decode.NewCache().Fetch(t.Context(), client, req); err != nil {
			t.Error(err)
		}
		if got := server.executes.Load() - before; got != tt.want {
			t.Errorf("with MayAct %v it ran %d times, want %d", tt.mayAct, got, tt.want)
		}
	}
}
