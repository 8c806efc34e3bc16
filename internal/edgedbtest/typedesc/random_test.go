package typedesc

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// pair is a value as JSON: as PostgreSQL writes it, and as EdgeDB does.
type pair struct{ sql, edgedb string }

func same(text string) pair { return pair{text, text} }

func quoted(text string) pair {
	out, _ := json.Marshal(text)
	return same(string(out))
}

// drawType makes a type; nested says that it is within another one, where
// neither arrays of arrays nor enumerations have a type in PostgreSQL here.
func drawType(r *rapid.T, depth int, nested bool) *Type {
	kinds := []Kind{Scalar, Scalar, Scalar, Range, Multirange}
	if !nested {
		kinds = append(kinds, Enum)
	}
	if depth > 0 {
		kinds = append(kinds, Array, Tuple, NamedTuple, Object)
	}
	names := slices.Sorted(maps.Keys(scalars))
	t := &Type{Kind: rapid.SampledFrom(kinds).Draw(r, "kind")}
	switch t.Kind {
	case Scalar:
		t.Name = rapid.SampledFrom(names).Draw(r, "scalar")
	case Enum:
		return colorType
	case Range, Multirange:
		t.Elem = std(rapid.SampledFrom([]string{"std::int32", "std::int64", "std::decimal", "cal::local_date", "std::datetime"}).Draw(r, "bound"))
	case Array:
		t.Elem = drawType(r, 0, true)
	default:
		least := 0
		if t.Kind == NamedTuple {
			least = 1 // EdgeDB has one empty tuple, without names
		}
		count := rapid.IntRange(least, 3).Draw(r, "fields")
		for i := range count {
			t.Fields = append(t.Fields, drawField(r, t.Kind, depth, i))
		}
	}
	return t
}

func drawField(r *rapid.T, kind Kind, depth, i int) Field {
	f := Field{Type: drawType(r, depth-1, true), Cardinality: ExactlyOne}
	if kind != Tuple {
		f.Name = "f" + strconv.Itoa(i)
	}
	if kind == Object {
		f.Cardinality = rapid.SampledFrom([]Cardinality{ExactlyOne, AtMostOne, Many}).Draw(r, "cardinality")
		f.Link = f.Type.Kind == Object
	}
	return f
}

// drawValue makes a value of a type.
func drawValue(r *rapid.T, t *Type) pair {
	switch t.Kind {
	case Enum:
		return quoted(rapid.SampledFrom(t.Labels).Draw(r, "label"))
	case Array:
		return drawList(r, t.Elem)
	case Multirange:
		return drawList(r, &Type{Kind: Range, Elem: t.Elem})
	case Range:
		return drawRange(r, t)
	case Tuple, NamedTuple, Object:
		return drawFields(r, t)
	}
	return drawScalar(r, t)
}

func drawList(r *rapid.T, t *Type) pair {
	var sql, edgedb []string
	for range rapid.IntRange(0, 3).Draw(r, "count") {
		v := drawValue(r, t)
		sql, edgedb = append(sql, v.sql), append(edgedb, v.edgedb)
	}
	return pair{"[" + strings.Join(sql, ",") + "]", "[" + strings.Join(edgedb, ",") + "]"}
}

func drawRange(r *rapid.T, t *Type) pair {
	if rapid.Bool().Draw(r, "empty") {
		return same(`{"empty": true}`)
	}
	lower, upper := same("null"), drawScalar(r, t.Elem)
	if rapid.Bool().Draw(r, "bounded") {
		lower = drawScalar(r, t.Elem)
	}
	form := `{"lower": %s, "upper": %s, "inc_lower": false, "inc_upper": true}`
	return pair{fmt.Sprintf(form, lower.sql, upper.sql), fmt.Sprintf(form, lower.edgedb, upper.edgedb)}
}

func drawFields(r *rapid.T, t *Type) pair {
	var sql, edgedb []string
	for _, f := range t.Fields {
		v := same("null")
		switch {
		case f.Cardinality == Many:
			v = drawList(r, f.Type)
		case f.Cardinality == ExactlyOne || rapid.Bool().Draw(r, "present"):
			v = drawValue(r, f.Type)
		}
		label := ""
		if t.Kind != Tuple {
			label = strconv.Quote(f.Name) + ": "
		}
		sql, edgedb = append(sql, label+v.sql), append(edgedb, label+v.edgedb)
	}
	if t.Kind == Tuple {
		return pair{"[" + strings.Join(sql, ",") + "]", "[" + strings.Join(edgedb, ",") + "]"}
	}
	return pair{"{" + strings.Join(sql, ",") + "}", "{" + strings.Join(edgedb, ",") + "}"}
}

func drawScalar(r *rapid.T, t *Type) pair {
	switch name := strings.SplitN(t.Name, "::", 2)[1]; name {
	case "str":
		return quoted(rapid.String().Draw(r, name))
	case "bool":
		return same(strconv.FormatBool(rapid.Bool().Draw(r, name)))
	case "int16":
		return same(strconv.Itoa(int(rapid.Int16().Draw(r, name))))
	case "int32":
		return same(strconv.Itoa(int(rapid.Int32().Draw(r, name))))
	case "int64":
		return same(strconv.FormatInt(rapid.Int64().Draw(r, name), 10))
	case "float32":
		return same(strconv.FormatFloat(float64(rapid.Float32().Draw(r, name)), 'g', -1, 32))
	case "float64":
		return same(strconv.FormatFloat(rapid.Float64().Draw(r, name), 'g', -1, 64))
	case "decimal":
		return same(rapid.StringMatching(`(0|-?[1-9][0-9]{0,40})(\.[0-9]{0,30}[1-9])?`).Draw(r, name))
	case "bigint":
		return same(rapid.StringMatching(`0|-?[1-9][0-9]{0,60}`).Draw(r, name))
	case "bytes":
		b := rapid.SliceOf(rapid.Byte()).Draw(r, name)
		return pair{quoted(`\x` + hex.EncodeToString(b)).sql, quoted(base64.StdEncoding.EncodeToString(b)).sql}
	case "uuid":
		return quoted(UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, name)).String())
	case "json":
		return same(rapid.SampledFrom([]string{"1", `"x"`, "[null]", `{"a": {"b": 1.50}}`, "true"}).Draw(r, name))
	case "memory":
		n := rapid.Int64Min(0).Draw(r, name)
		return pair{strconv.FormatInt(n, 10), quoted(memoryText(n)).sql}
	case "datetime", "local_datetime", "local_date":
		v := time.UnixMicro(epoch + rapid.Int64Range(minDatetime, maxDatetime).Draw(r, name)).UTC()
		return quoted(v.Format(timeLayouts[t.Name]))
	case "local_time":
		return quoted(clock(rapid.Int64Range(0, 24*hour).Draw(r, name)))
	default:
		return drawInterval(r, name)
	}
}

func drawInterval(r *rapid.T, name string) pair {
	v := interval{micros: rapid.Int64Range(-1e15, 1e15).Draw(r, "micros")}
	zero := "PT0S"
	if name != "duration" {
		v.days, v.months = rapid.Int32Range(-9999, 9999).Draw(r, "days"), rapid.Int32Range(-9999, 9999).Draw(r, "months")
	}
	if name == "date_duration" {
		v.micros, zero = 0, "P0D"
	}
	sign, micros := "+", v.micros
	if micros < 0 {
		sign, micros = "-", -micros
	}
	// As PostgreSQL writes it by default.
	text := fmt.Sprintf("%d mons %d days %s%02d:%02d:%s", v.months, v.days, sign, micros/hour, micros%hour/minute, seconds(micros%minute))
	return pair{quoted(text).sql, quoted(v.text(zero)).sql}
}

// TestRandomValues: a value that PostgreSQL writes as JSON becomes EdgeDB's
// bytes, and these become what EdgeDB writes as JSON; the bytes are also what
// PostgreSQL's own binary format of the type holds.
func TestRandomValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		made := drawType(r, 2, false)
		v := drawValue(r, made)
		data, ok, err := EncodeRow(wrap(made), row(made, v))
		if err != nil || !ok {
			r.Fatalf("%s: %s: %v", made.displayName(), v.sql, err)
		}
		text, err := wrap(made).appendJSON(nil, data)
		if want := `{"v": ` + v.edgedb + `}`; err != nil || !sameJSON(t, text, []byte(want)) {
			r.Fatalf("%s: %s, %v, want %s", made.displayName(), text, err, want)
		}
		if made.Kind == Enum || made.oid() == 0 || holdsSets(made) {
			return
		}
		inner, err := made.fromJSON([]byte(v.sql))
		if err != nil {
			r.Fatal(err)
		}
		if again, err := made.fromSQL(made.oid(), inner); err != nil || !bytes.Equal(again, inner) {
			r.Fatalf("%s: % x, %v, want % x", made.displayName(), again, err, inner)
		}
	})
}

// wrap makes an object with one field of a type.
func wrap(t *Type) *Type { return &Type{Kind: Object, Fields: []Field{one("v", t)}} }

func row(t *Type, v pair) []Column { return []Column{{Name: "v", OID: oidJSON, Data: []byte(v.sql)}} }

// holdsSets says whether a type holds what PostgreSQL's record cannot hold.
func holdsSets(t *Type) bool {
	if t.Elem != nil {
		return t.Elem.oid() == 0 || holdsSets(t.Elem)
	}
	return slices.ContainsFunc(t.Fields, func(f Field) bool { return f.Cardinality == Many && f.Type.arrayOID() == 0 || holdsSets(f.Type) })
}

// TestRandomDescriptors: the types that are described come back out of the
// descriptors, in both protocols with the same ids.
func TestRandomDescriptors(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		made := drawType(r, 3, false)
		two, one := newBuilder(2), newBuilder(1)
		id := two.describe(made)
		if one.describe(made) != id {
			r.Fatal("the ids of the protocols differ")
		}
		first, second := parseDescriptors(t, one.out, 1), parseDescriptors(t, two.out, 2)
		got := typeOf(t, second)
		if !reflect.DeepEqual(got, made) || second[len(second)-1].id != id || first[len(first)-1].id != id {
			r.Fatalf("%+v, want %+v\n%s", got, made, dump(second))
		}
		b := newBuilder(2)
		if b.params([]Field{{Name: "x", Type: made, Cardinality: AtMostOne}}); len(parseDescriptors(t, b.out, 2)) != len(second)+1 {
			r.Fatal("a parameter adds one descriptor")
		}
	})
}

// TestRandomArguments: what is sent arrives, whatever the types are.
func TestRandomArguments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var params []Field
		data := []byte{0, 0, 0, byte(rapid.IntRange(1, 4).Draw(r, "count"))}
		var wants [][]byte
		var texts []string
		for i := range data[3] {
			made := drawType(r, 2, true)
			f := Field{Name: strconv.Itoa(int(i)), Type: made, Cardinality: AtMostOne}
			v := drawValue(r, made)
			value, err := made.fromJSON([]byte(v.sql))
			if err != nil {
				r.Fatal(err)
			}
			if rapid.Bool().Draw(r, "missing") {
				value = nil
			}
			params, wants, texts = append(params, f), append(wants, value), append(texts, v.edgedb)
			data = appendValue(append(data, 0, 0, 0, 0), value)
		}
		args, err := DecodeArgs(params, data)
		if err != nil || len(args) != len(params) {
			r.Fatal(err)
		}
		for i, a := range args {
			if params[i].Type.hasTuple() && a.Value != nil {
				if !sameJSON(t, a.Value[1:], []byte(texts[i])) {
					r.Fatalf("%s, want %s", a.Value, texts[i])
				}
			} else if !bytes.Equal(a.Value, wants[i]) || (a.Value == nil) != (wants[i] == nil) {
				r.Fatalf("% x, want % x", a.Value, wants[i])
			}
		}
		for n := range data {
			if _, err := DecodeArgs(params, data[:n]); err == nil {
				r.Fatalf("%d of %d bytes were taken", n, len(data))
			}
		}
	})
}
