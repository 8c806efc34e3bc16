package edgedbtest_test

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/edgedb/edgedb-go"
)

// scalarTypes are edgedb-go's types of the catalogue's scalars, required and
// optional.
var scalarTypes = map[string][2]any{
	"bool": {false, edgedb.OptionalBool{}}, "int16": {int16(0), edgedb.OptionalInt16{}}, "int32": {int32(0), edgedb.OptionalInt32{}},
	"int64": {int64(0), edgedb.OptionalInt64{}}, "float32": {float32(0), edgedb.OptionalFloat32{}}, "float64": {0.0, edgedb.OptionalFloat64{}},
	"str": {"", edgedb.OptionalStr{}}, "bytes": {[]byte{}, edgedb.OptionalBytes{}}, "uuid": {edgedb.UUID{}, edgedb.OptionalUUID{}},
	"datetime": {time.Time{}, edgedb.OptionalDateTime{}}, "duration": {edgedb.Duration(0), edgedb.OptionalDuration{}},
	"local_date": {edgedb.LocalDate{}, edgedb.OptionalLocalDate{}}, "local_time": {edgedb.LocalTime{}, edgedb.OptionalLocalTime{}},
	"local_datetime": {edgedb.LocalDateTime{}, edgedb.OptionalLocalDateTime{}}, "json": {[]byte{}, edgedb.OptionalBytes{}},
	"bigint": {(*big.Int)(nil), edgedb.OptionalBigInt{}}, "decimal": {decimal{}, decimal{}},
}

// decimal takes a decimal in EdgeDB's binary format, for which edgedb-go has no
// type.
type decimal struct{ data string }

func (d *decimal) UnmarshalEdgeDBDecimal(data []byte) error {
	d.data = string(data)
	return nil
}

// goType is the type that edgedb-go wants for a shape.
func goType(t testing.TB, s *queries.Shape) reflect.Type {
	var typ reflect.Type
	fields := func(names []string, shapes []*queries.Shape) reflect.Type {
		var all []reflect.StructField
		for i, name := range names {
			all = append(all, reflect.StructField{
				Name: "F" + strings.ReplaceAll(name, "_", ""), Type: goType(t, shapes[i]), Tag: reflect.StructTag(`edgedb:"` + name + `"`),
			})
		}
		return reflect.StructOf(all)
	}
	optional := 0
	if s.Optional {
		optional = 1
	}
	switch s.Kind {
	case queries.Enum:
		typ = reflect.TypeOf(scalarTypes["str"][optional])
	case queries.Array:
		typ = reflect.SliceOf(goType(t, s.Elems[0]))
	case queries.Tuple:
		var names []string
		for i := range s.Elems {
			names = append(names, string(rune('0'+i)))
		}
		typ = fields(names, s.Elems)
	case queries.Object:
		var names []string
		var shapes []*queries.Shape
		for _, f := range s.Fields {
			names, shapes = append(names, f.Name), append(shapes, f.Shape)
		}
		typ = fields(names, shapes)
	default:
		typ = reflect.TypeOf(scalarTypes[s.Name][optional])
	}
	if s.Multi {
		return reflect.SliceOf(typ)
	}
	return typ
}

// sample is a value for an argument.
func sample(a queries.Arg) any {
	if a.Shape.Kind == queries.Array {
		if a.Shape.Elems[0].Name == "str" {
			return []string{"ada", "", "ü"}
		}
		return []int64{1, -2, 3}
	}
	uuid, _ := edgedb.ParseUUID("b9545c35-1fe7-485f-a6ea-f8ead251abd3")
	values := map[string]any{
		"bool": true, "int16": int16(-7), "int32": int32(7), "int64": int64(3), "float32": float32(1.5), "float64": -2.5, "str": a.Name + "1",
		"bytes": []byte{0, 1, 255}, "uuid": uuid, "datetime": time.Date(2026, 11, 21, 10, 20, 30, 456789000, time.UTC),
		"duration": edgedb.Duration(-1500000), "local_date": edgedb.NewLocalDate(2026, 11, 21), "local_time": edgedb.NewLocalTime(10, 20, 30, 5),
		"local_datetime": edgedb.NewLocalDateTime(2026, 11, 21, 10, 20, 30, 5), "bigint": big.NewInt(-12345678901),
		"json": []byte(`[{"name": "j` + a.Name + `", "balance": 4}]`),
	}
	if a.Shape.Optional {
		return edgedb.NewOptionalStr("note")
	}
	return values[a.Shape.Name]
}

// special arguments, where a sample's would not do.
var special = map[string][]any{
	"echo_decimal": {"12345678901234567890.0123456789"}, "objects": {int64(3)}, "numbers": {int64(3)}, "insert_claim": {"ada"},
	"transfer": {"ada", "bob", int64(1)}, "installed": {"default::Account"},
}

// fail are the statements that fail on purpose, and how.
var fail = map[string]string{
	"check_violation": "ConstraintViolationError", "division_by_zero": "DivisionByZeroError", "failing_script": "DivisionByZeroError",
	"missing_required": "MissingRequiredError", "mixed_args": "QueryError", "not_a_number": "InvalidValueError",
	"referenced":   "ConstraintViolationError",
	"syntax_error": "EdgeQLSyntaxError", "syntax_error_in_line_2": "EdgeQLSyntaxError",
	"unique_violation": "ConstraintViolationError", "unknown_property": "InvalidReferenceError", "unknown_type": "InvalidReferenceError",
}

// arguments are those that a statement is run with.
func arguments(s *queries.Statement) []any {
	if given, ok := special[s.Name]; ok && given != nil {
		return given
	}
	var args []any
	named := map[string]any{}
	for _, a := range s.Args {
		args = append(args, sample(a))
		named[a.Name] = sample(a)
	}
	if s.Named {
		return []any{named}
	}
	return args
}

// Every statement of the catalogue runs, in binary and as JSON, and edgedb-go
// decodes what comes into the types that the declared shape calls for; the
// others fail as they are meant to. Each has the schema and three accounts.
func TestCatalogue(t *testing.T) {
	for _, protocol := range []edgedbtest.Protocol{edgedbtest.Protocol10, edgedbtest.Protocol20} {
		t.Run(protocol.String(), func(t *testing.T) {
			s := started(t, edgedbtest.Config{Protocol: protocol})
			ran := 0
			for _, name := range queries.Names() {
				st := queries.Get(name)
				if st.Text(duet.EdgeQL) == "" || strings.HasPrefix(name, "setup_") || strings.HasPrefix(name, "drop_") || name == "tx_command" {
					continue
				}
				ran++
				runOne(t, s, st)
			}
			if ran < 100 {
				t.Errorf("only %d statements ran", ran)
			}
		})
	}
}

// runOne runs a statement in transactions that are rolled back.
func runOne(t *testing.T, s *edgedbtest.Server, st *queries.Statement) {
	c := seeded(t, s)
	if st.Name == "aliased" {
		c = c.WithModuleAliases(edgedb.ModuleAlias{Alias: "s", Module: "std"})
	}
	rollback := &rolledBack{}
	for _, format := range []string{"execute", "binary", "json"} {
		err := c.Tx(testContext(t), func(ctx t2, tx *edgedb.Tx) error {
			if err := runAs(ctx, t, tx, st, format); err != nil {
				return err
			}
			return rollback
		})
		want := fail[st.Name]
		if want == "" && err != rollback || want != "" && (err == nil || !strings.Contains(err.Error(), "edgedb."+want)) {
			t.Errorf("%s, %s: %v, want %q", st.Name, format, err, want)
		}
	}
}

type rolledBack struct{}

func (*rolledBack) Error() string { return "rolled back" }

func runAs(ctx t2, t *testing.T, tx *edgedb.Tx, st *queries.Statement, format string) error {
	cmd, args := st.Text(duet.EdgeQL), arguments(st)
	switch {
	case format == "execute":
		return tx.Execute(ctx, cmd, args...)
	case format == "json":
		var out []byte
		if err := tx.QueryJSON(ctx, cmd, &out, args...); err != nil {
			return err
		}
		if !json.Valid(out) || len(out) > 0 && out[0] != '[' {
			t.Errorf("%s: %.100s is no JSON array", st.Name, out)
		}
		return nil
	case st.Shape == nil:
		return tx.Execute(ctx, cmd, args...)
	}
	if st.Cardinality != queries.Many {
		out := reflect.New(goType(t, st.Shape))
		err := tx.QuerySingle(ctx, cmd, out.Interface(), args...)
		if err != nil && st.Cardinality == queries.Optional && strings.Contains(err.Error(), "NoDataError") {
			return nil
		}
		return err
	}
	out := reflect.New(reflect.SliceOf(goType(t, st.Shape)))
	return tx.Query(ctx, cmd, out.Interface(), args...)
}
