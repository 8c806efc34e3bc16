package codec_test

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"
)

type base struct {
	ID int64
}

type user struct {
	base
	*Profile
	Name  string
	Tags  []string
	Notes string `duet:"-"`
	local int
}

// Profile is embedded by pointer and must be allocated.
type Profile struct {
	Age *int32
}

func userResult(id int64, age []byte, name string, tags ...string) ([]codec.Column, []byte) {
	cols := []codec.Column{
		{Name: "name", OID: pgtype.TextOID}, {Name: "id", OID: pgtype.Int8OID},
		{Name: "age", OID: pgtype.Int4OID}, {Name: "tags", OID: pgtype.TextArrayOID},
	}
	m := pgtype.NewMap()
	b, err := m.Encode(pgtype.TextArrayOID, codec.BinaryFormat, tags, []byte{})
	if err != nil {
		panic(err)
	}
	return cols, dataRow([]byte(name), be8(id), age, b)
}

func TestStructRows(t *testing.T) {
	cols, first := userResult(1, be4(36), "Ada", "a", "b")
	_, second := userResult(2, nil, "Grace", "c")
	d := compileFor[user](t, cols)

	var users []user
	s, err := codec.SliceTarget(&users)
	if err != nil {
		t.Fatal(err)
	}
	s.Reset()
	for i, row := range [][]byte{first, second} {
		if err := s.Append(d, row, i+1); err != nil {
			t.Fatal(err)
		}
	}
	want := []user{
		{base: base{1}, Profile: &Profile{p[int32](36)}, Name: "Ada", Tags: []string{"a", "b"}},
		{base: base{2}, Profile: &Profile{}, Name: "Grace", Tags: []string{"c"}},
	}
	if !reflect.DeepEqual(users, want) {
		t.Errorf("got %+v", users)
	}

	v := user{Notes: "old", local: 7}
	target, err := codec.PointerTarget(&v)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Decode(d, first, 1); err != nil {
		t.Fatal(err)
	}
	kept := v
	if err := target.Decode(d, second, 2); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(kept, want[0]) || !reflect.DeepEqual(v, want[1]) {
		t.Errorf("got %+v, then %+v: decoding must reset everything and share nothing", kept, v)
	}
}

func TestShapes(t *testing.T) {
	cols := []codec.Column{{Name: "a", OID: pgtype.Int4OID}, {Name: "b", OID: pgtype.TextOID}}
	row := dataRow(be4(1), nil)
	type pair struct {
		A int
		B *string
	}
	tests := []struct {
		name string
		run  func() (any, error)
		want any
	}{
		{"map", shaped[map[string]any](cols, row), map[string]any{"a": int32(1), "b": nil}},
		{"list", shaped[[]any](cols, row), []any{int32(1), nil}},
		{"struct", shaped[pair](cols, row), pair{A: 1}},
		{"pointer to struct", shaped[*pair](cols, row), &pair{A: 1}},
		{"pointer to pointer to map", shaped[**map[string]any](cols, row), p(&map[string]any{"a": int32(1), "b": nil})},
		{"struct without fields", shaped[struct{}](nil, dataRow()), struct{}{}},
		{"list without columns", shaped[[]any](nil, dataRow()), []any{}},
		{"Scanner of a single column", shaped[score](cols[:1], dataRow(be4(1))), score{got: []any{int64(1)}}},
		{"pointer to a scalar, NULL", shaped[*string](cols[1:], dataRow(nil)), (*string)(nil)},
		{"time.Time", shaped[time.Time](column(pgtype.DateOID), dataRow(be4(0))), time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.run()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(score{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("record", func(t *testing.T) {
		got, err := shaped[duet.Record](cols, row)()
		if err != nil {
			t.Fatal(err)
		}
		if r := got.(duet.Record); r.Len() != 2 || r.Name(1) != "b" || r.At(0) != int32(1) || r.At(1) != nil {
			t.Errorf("got %v", r.Map())
		}
	})
}

// shaped decodes a row into a T that held something before.
func shaped[T any](cols []codec.Column, row []byte) func() (any, error) {
	return func() (any, error) {
		var out T
		d, err := codec.NewTypes().RowDecoder(cols, reflect.TypeFor[T](), false)
		if err != nil {
			return nil, err
		}
		target, err := codec.PointerTarget(&out)
		if err != nil {
			return nil, err
		}
		err = target.Decode(d, row, 1)
		return out, err
	}
}

func TestRowDecoderRefuses(t *testing.T) {
	a, b := codec.Column{Name: "a", OID: pgtype.Int4OID}, codec.Column{Name: "b", OID: pgtype.TextOID}
	type onlyA struct{ A int }
	type both struct {
		A int
		B string `duet:"bb"`
	}
	tests := []struct {
		name string
		dst  reflect.Type
		cols []codec.Column
		lax  bool
		want string
	}{
		{"extra column", reflect.TypeFor[onlyA](), []codec.Column{a, b}, false, `column "b" has no field in codec_test.onlyA (fields: a)`},
		{"extra column, lax", reflect.TypeFor[onlyA](), []codec.Column{a, b, b}, true, ""},
		{"missing column", reflect.TypeFor[both](), []codec.Column{a}, true, `field "B" (bb) of codec_test.both has no column (columns: a)`},
		{"twice in a struct", reflect.TypeFor[onlyA](), []codec.Column{a, a}, true, `several columns "a", and codec_test.onlyA`},
		{"twice in a map", reflect.TypeFor[map[string]any](), []codec.Column{a, a}, false, `several columns "a"`},
		{"twice in a map, lax", reflect.TypeFor[map[string]any](), []codec.Column{a, a}, true, ""},
		{"twice in a record", reflect.TypeFor[duet.Record](), []codec.Column{a, a}, false, ""},
		{"scalar", reflect.TypeFor[int](), []codec.Column{a, b}, false, `int takes one column, and the result has 2 (a, b)`},
		{"time.Time", reflect.TypeFor[time.Time](), []codec.Column{a, b}, false, `time.Time takes one column`},
		{"any", reflect.TypeFor[any](), []codec.Column{a, b}, false, `takes one column`},
		{"type", reflect.TypeFor[struct{ A bool }](), []codec.Column{a}, false, `column "a": int4 does not decode into bool`},
		{"fields", reflect.TypeFor[struct {
			X int
			Y int `db:"x"`
		}](), []codec.Column{a}, false, `have the same name "x"`},
		{"nil", nil, nil, false, "pass a destination"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			_, err := codec.NewTypes().RowDecoder(c.cols, c.dst, c.lax)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var decodeError *codec.DecodeError
			if !errors.As(err, &decodeError) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got the error %v, want %q", err, c.want)
			}
		})
	}
}

func TestDecodeErrorNamesThePath(t *testing.T) {
	cols, row := userResult(1, nil, "Ada", "a")
	d := compileFor[user](t, cols)
	var users []user
	s, _ := codec.SliceTarget(&users)
	s.Reset()
	array := oracle(t, pgtype.TextArrayOID, []*string{nil, p("x")})
	bad := dataRow([]byte("Ada"), be8(1), nil, array)
	for n, r := range [][]byte{row, row, bad} {
		err := s.Append(d, r, n+1)
		if n < 2 {
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		if want := `row 3, column "tags", element 1: NULL into string`; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if len(users) != 2 {
		t.Errorf("%d rows after an error in the third", len(users))
	}
	if err := s.Append(d, row, 3); err != nil || len(users) != 3 || users[2].Name != "Ada" {
		t.Errorf("after an error: %v, %+v", err, users)
	}
	_, err := decodeOne[[][]int8](pgtype.Int4ArrayOID, oracle(t, pgtype.Int4ArrayOID, [][]int32{{1, 2}, {3, 300}}))
	if want := `row 1, column "c", element 2, element 2: 300 does not fit int8`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestMalformedRows(t *testing.T) {
	good := dataRow(be4(1), []byte("x"))
	tests := []struct {
		name string
		row  []byte
	}{
		{"empty", nil},
		{"one byte", good[:1]},
		{"count too low", append([]byte{0, 1}, good[2:]...)},
		{"count too high", append([]byte{0xff, 0xff}, good[2:]...)},
		{"cut in a length", good[:4]},
		{"cut in a value", good[:8]},
		{"length beyond the body", []byte{0, 2, 0x7f, 0xff, 0xff, 0xff}},
		{"length below -1", []byte{0, 2, 0xff, 0xff, 0xff, 0xfe}},
		{"trailing", append(append([]byte{}, good...), 0)},
	}
	cols := []codec.Column{{Name: "a", OID: pgtype.Int4OID}, {Name: "b", OID: pgtype.TextOID}}
	types := codec.NewTypes()
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			const want = "row 4: malformed row: "
			var m map[string]any
			target, _ := codec.PointerTarget(&m)
			d, err := types.RowDecoder(cols, target.Elem(), false)
			if err != nil {
				t.Fatal(err)
			}
			if err := target.Decode(d, c.row, 4); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("Decode: %v", err)
			}
			if err := types.Scanner(cols).Scan(c.row, 4, new(int), new(string)); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("Scan: %v", err)
			}
		})
	}
}

func TestTargets(t *testing.T) {
	slices := []struct {
		out  any
		want string
	}{
		{nil, "is nil"}, {[]int{}, "is []int"}, {new(int), "is *int"}, {(*[]int)(nil), "is a nil *[]int"}, {map[string]any{}, "is map[string]interface {}"},
	}
	for _, c := range slices {
		if _, err := codec.SliceTarget(c.out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("SliceTarget(%T): %v, want %q", c.out, err, c.want)
		}
	}
	pointers := []struct {
		out  any
		want string
	}{{nil, "is nil"}, {user{}, "is codec_test.user"}, {(*user)(nil), "is a nil *codec_test.user"}}
	for _, c := range pointers {
		if _, err := codec.PointerTarget(c.out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("PointerTarget(%T): %v, want %q", c.out, err, c.want)
		}
	}
	t.Run("another type's decoder", func(t *testing.T) {
		d := compileFor[int64](t, column(pgtype.Int8OID))
		var small int8
		target, _ := codec.PointerTarget(&small)
		if err := target.Decode(d, dataRow(be8(-1)), 1); err == nil {
			t.Error("no error")
		}
		var list []int8
		s, _ := codec.SliceTarget(&list)
		if err := s.Append(d, dataRow(be8(-1)), 1); err == nil {
			t.Error("no error")
		}
	})
	t.Run("rows without columns", func(t *testing.T) {
		d := compileFor[struct{}](t, nil)
		var list []struct{}
		s, _ := codec.SliceTarget(&list)
		s.Reset()
		for n := range 100 {
			if err := s.Append(d, dataRow(), n+1); err != nil {
				t.Fatal(err)
			}
		}
		if len(list) != 100 {
			t.Errorf("%d rows", len(list))
		}
	})
	t.Run("reset", func(t *testing.T) {
		d := compileFor[int64](t, column(pgtype.Int8OID))
		list := []int64{1, 2, 3}
		kept := list
		s, _ := codec.SliceTarget(&list)
		s.Reset()
		if list == nil || len(list) != 0 {
			t.Errorf("got %v, want an empty slice that is not nil", list)
		}
		if err := s.Append(d, dataRow(be8(9)), 1); err != nil {
			t.Fatal(err)
		}
		if kept[0] != 1 || s.Len() != 1 {
			t.Errorf("kept %v, length %d", kept, s.Len())
		}
	})
}

func TestScanColumns(t *testing.T) {
	cols := []codec.Column{{Name: "a", OID: pgtype.Int4OID}, {Name: "b", OID: pgtype.TextOID}}
	s := codec.NewTypes().Scanner(cols)
	var (
		n     int
		small int8
		text  string
		maybe *string
		free  any
	)
	if err := s.Scan(dataRow(be4(5), []byte("x")), 1, &n, &text); err != nil || n != 5 || text != "x" {
		t.Errorf("got %d, %q, %v", n, text, err)
	}
	if err := s.Scan(dataRow(be4(6), nil), 2, &free, &maybe); err != nil || free != int32(6) || maybe != nil {
		t.Errorf("got %v, %v, %v", free, maybe, err)
	}
	if err := s.Scan(dataRow(be4(7), nil), 3, &small, nil); err != nil || small != 7 {
		t.Errorf("got %d, %v", small, err)
	}
	for _, c := range []struct {
		dest []any
		want string
	}{
		{[]any{&n}, "row 4: 1 destinations for 2 columns"},
		{[]any{n, &text}, `row 4, column "a": the destination must be a pointer, and is int`},
		{[]any{(*int)(nil), &text}, `row 4, column "a": the destination is a nil *int`},
		{[]any{&small, &text}, `row 4, column "a": 300 does not fit int8`},
		{[]any{&n, &text}, `row 4, column "b": NULL into string`},
		{[]any{new(bool), &text}, `row 4, column "a": int4 does not decode into bool`},
	} {
		if err := s.Scan(dataRow(be4(300), nil), 4, c.dest...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestRowDecoderIsSafeForConcurrentUse(t *testing.T) {
	cols, row := userResult(1, be4(36), "Ada", "a", "b")
	d := compileFor[user](t, cols)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var v user
			target, _ := codec.PointerTarget(&v)
			for n := range 200 {
				if err := target.Decode(d, row, n+1); err != nil || v.Name != "Ada" || *v.Age != 36 {
					t.Errorf("got %+v, %v", v, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
