package backends_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/duetdb/duet"
)

// Structs for the rows of the catalogue's objects.
type (
	pairNS  struct{ N, S any }
	plainNS struct {
		N int64
		S string
	}
	pointerNS struct {
		N *int64
		S *string
	}
	optionalNS struct {
		N duet.Optional[int64]
		S duet.Optional[string]
	}
	nullNS struct {
		N sql.NullInt64
		S sql.NullString
	}
	taggedNS struct {
		Number int64   `duet:"n"`
		Text   *string `edgedb:"s"`
	}
	dbNS struct {
		Number int64   `db:"n"`
		Text   *string `duet:"s" db:"t"`
	}
	leftOutNS struct {
		N    int64
		S    *string
		More string `duet:"-"`
	}
	unexported struct {
		N int64
		S *string
		m int // is left alone
	}
	hiddenNS struct {
		N int64
		s *string
	}
	base      struct{ N int64 }
	Embedded  struct{ S *string }
	embedding struct {
		base
		Embedded
	}
	embeddingP struct {
		*Embedded
		N int64
	}
	embeddedBad struct {
		*base
		S *string
	}
	shadowing struct {
		base
		N int32
		S *string
	}
	twice struct {
		A int64 `duet:"n"`
		B int64 `duet:"n"`
		S *string
	}
	lessNS struct{ N int64 }
	moreNS struct {
		N    int64
		S    *string
		More string
	}
	otherNS struct {
		N int64
		T *string
	}
	narrowNS struct {
		N int8
		S *string
	}
	wrongNS struct {
		N bool
		S *string
	}
	wrongMissing struct {
		N int64
		S *int64
	}
	wrongPlain struct {
		N int64
		S bool
	}
	scannedNS struct {
		N seen
		S seen
	}
	textNS struct {
		N upper
		S *upper
	}
	nestedNS struct {
		N struct{ X int64 }
		S *string
	}
	funcNS struct {
		N func()
		S *string
	}
	ptrPtrNS struct {
		N **int64
		S **string
	}
	recordNS struct {
		N duet.Record
		S *string
	}
)

// rowsOfTwo are the types for rows of n and s.
var rowsOfTwo = []reflect.Type{
	typeOf[pairNS](), typeOf[plainNS](), typeOf[pointerNS](), typeOf[optionalNS](), typeOf[nullNS](), typeOf[taggedNS](), typeOf[dbNS](),
	typeOf[leftOutNS](),
	typeOf[unexported](), typeOf[hiddenNS](), typeOf[embedding](), typeOf[embeddingP](), typeOf[embeddedBad](), typeOf[shadowing](),
	typeOf[twice](), typeOf[lessNS](),
	typeOf[moreNS](), typeOf[otherNS](), typeOf[narrowNS](), typeOf[wrongNS](), typeOf[wrongMissing](), typeOf[wrongPlain](),
	typeOf[scannedNS](), typeOf[textNS](),
	typeOf[nestedNS](), typeOf[funcNS](), typeOf[ptrPtrNS](), typeOf[recordNS](), typeOf[struct{}](), typeOf[*plainNS](),
	typeOf[**pointerNS](), typeOf[duet.Record](), typeOf[*duet.Record](),
	typeOf[map[string]any](), typeOf[ownMap](), typeOf[[]any](), typeOf[any](), typeOf[map[string]string](), typeOf[[]string](),
	typeOf[[2]any](), typeOf[duet.Optional[plainNS]](), typeOf[sql.Null[plainNS]](),
}

// Structs for accounts and transfers.
type (
	name  struct{ Name string }
	noted struct {
		Name string
		Note *string
	}
	transfer struct {
		Amount int64
		Src    name
		Dst    noted
	}
	transferP struct {
		Amount int64
		Src    *name
		Dst    *noted
	}
	transferO struct {
		Amount int64
		Src    duet.Optional[name]
		Dst    duet.Optional[noted]
	}
	transferAny struct{ Amount, Src, Dst any }
	transferRaw struct {
		Amount   int64
		Src, Dst json.RawMessage
	}
	transferMap struct {
		Amount   int64
		Src, Dst map[string]any
	}
	sentOne struct{ Amount int64 }
	sent    struct {
		Name string
		Sent []sentOne
	}
	sentP struct {
		Name string
		Sent []*sentOne
	}
	account struct {
		ID      [16]byte
		Name    string
		Balance int64
		Note    *string
		Color   *string
		Tags    []string
	}
	accountAny struct {
		ID                               any `duet:"-"`
		Name, Balance, Note, Color, Tags any
	}
	accountTags struct{ Tags *[]string }
	accountText struct {
		Name        ownString
		Balance     string
		Note, Color duet.Optional[ownString]
		Tags        ownStrs
	}
	accountWrongNote struct{ Note *int64 }
	accountWrongTags struct{ Tags []int64 }
	accountNoTags    struct{ Tags string }
	accountPlainNote struct{ Note string }
)

// What is not exported has no column.
var _ = []any{unexported{m: 1}.m, hiddenNS{s: nil}.s}

func TestParityOfStructs(t *testing.T) {
	p := openPair(t)
	for _, statement := range []string{"two_columns", "missing_value"} {
		for _, typ := range rowsOfTwo {
			into(p, t, statement+" into "+typ.String(), statement, typ)
			p.lax(t, statement, typ)
		}
	}
	for _, typ := range []reflect.Type{typeOf[transfer](), typeOf[transferP](), typeOf[transferO](), typeOf[transferAny](), typeOf[transferRaw](), typeOf[transferMap]()} {
		p.rows(t, "transfers", typ)
	}
	for _, typ := range []reflect.Type{typeOf[sent](), typeOf[sentP]()} {
		p.rows(t, "sent", typ)
	}
	for _, typ := range []reflect.Type{typeOf[account](), typeOf[accountAny](), typeOf[accountTags](), typeOf[accountText](), typeOf[accountWrongNote](),
		typeOf[accountWrongTags](), typeOf[accountNoTags](), typeOf[accountPlainNote](), typeOf[name](), typeOf[moreNS](),
		typeOf[map[string]any](), typeOf[int64]()} {
		for _, who := range []string{"ada", "bob", "carol", "nobody"} {
			if typ != typeOf[account]() && typ != typeOf[map[string]any]() { // whose id is chance
				p.rows(t, "account", typ, who)
			}
			p.lax(t, "account", typ, who)
		}
	}
	for _, typ := range []reflect.Type{typeOf[struct {
		I int64
		S string
	}](), typeOf[struct {
		S string
		I uint8
	}](), typeOf[struct{ I int64 }](), typeOf[struct{ I, S, T string }](), typeOf[struct {
		I,
		S bool
	}](), typeOf[*pairNS](), typeOf[map[string]any](), typeOf[duet.Record](), typeOf[int64](), typeOf[any]()} {
		for _, n := range []int64{0, 1, 3} {
			p.rows(t, "objects", typ, n)
			p.lax(t, "objects", typ, n)
		}
	}
}

// rows reads rows into t, strictly.
func (p *pair) rows(t *testing.T, statement string, typ reflect.Type, args ...any) {
	t.Helper()
	p.read(t, fmt.Sprintf("%s %v into %v", statement, args, typ), statement, typ, duet.ColumnsStrict, args)
}

// lax reads rows into t, which may lack fields.
func (p *pair) lax(t *testing.T, statement string, typ reflect.Type, args ...any) {
	t.Helper()
	p.read(t, fmt.Sprintf("lax %s %v into %v", statement, args, typ), statement, typ, duet.ColumnsLax, args)
}

func (p *pair) read(t *testing.T, cell, statement string, typ reflect.Type, mode duet.ColumnsMode, args []any) {
	t.Helper()
	for range 2 { // what the first call has learned must not show in the second
		p.compare(t, cell, func(c duet.Client) (any, error) {
			out := reflect.New(reflect.SliceOf(typ))
			err := c.With(duet.Options{Columns: mode}).Query(p.ctx, textOf(t, c, statement), out.Interface(), args...)
			return hideID(out.Elem()), err
		})
	}
}

// hideID clears what is chance.
func hideID(rows reflect.Value) any {
	for i := range rows.Len() {
		if row, ok := rows.Index(i).Addr().Interface().(*account); ok {
			row.ID = [16]byte{}
		}
		if row, ok := rows.Index(i).Interface().(map[string]any); ok {
			delete(row, "id")
		}
	}
	return rows.Interface()
}

// What Rows says of itself is the same, but for the names of types.
func TestParityOfRows(t *testing.T) {
	p := openPair(t)
	for statement, args := range map[string][]any{
		"two_columns": nil, "missing_value": nil, "objects": {int64(2)}, "accounts": nil, "numbers": {int64(3)}, "wide": nil,
		"nothing": nil, "aggregate": nil, "one": nil,
		"account": {"bob"}, "sent": nil, "transfers": nil, "account_names": nil, "echo_ints": {[]int64{1}},
		"three_args": {int64(1), "x", true},
	} {
		open := func(c duet.Client, use func(duet.Rows) (any, error)) (any, error) {
			rows, err := c.Rows(p.ctx, textOf(t, c, statement), args...)
			if err != nil {
				return nil, err
			}
			defer rows.Close()
			return use(rows)
		}
		p.compare(t, "columns of "+statement, func(c duet.Client) (any, error) {
			return open(c, func(rows duet.Rows) (any, error) {
				names := []string{}
				for _, column := range rows.Columns() {
					names = append(names, columnName(column.Name))
				}
				return names, nil
			})
		})
		p.compare(t, "too many destinations for "+statement, func(c duet.Client) (any, error) {
			return open(c, func(rows duet.Rows) (any, error) {
				rows.Next()
				return nil, rows.Scan(make([]any, len(rows.Columns())+1)...)
			})
		})
		p.compare(t, "bad destinations for "+statement, func(c duet.Client) (any, error) {
			return open(c, func(rows duet.Rows) (any, error) {
				rows.Next()
				dest := make([]any, len(rows.Columns()))
				dest[0] = 5
				return nil, rows.Scan(dest...)
			})
		})
		for _, out := range []any{nil, 5, (*int64)(nil), "x", []int64{}, func() {}} {
			p.compare(t, fmt.Sprintf("Decode of %s into %T", statement, out), func(c duet.Client) (any, error) {
				return open(c, func(rows duet.Rows) (any, error) {
					rows.Next()
					return nil, rows.Decode(out)
				})
			})
		}
		p.compare(t, "before and after "+statement, func(c duet.Client) (any, error) {
			return open(c, func(rows duet.Rows) (any, error) {
				var v any
				before, scanBefore := rows.Decode(&v), rows.Scan(&v)
				n := 0
				for rows.Next() {
					n++
				}
				after := rows.Decode(&v)
				return []any{words(before), words(scanBefore), n, words(after), rows.Next(), rows.Err() == nil, rows.Close() == nil}, nil
			})
		})
	}
}

// Bad destinations fail alike, before anything is asked of the server.
func TestParityOfBadDestinations(t *testing.T) {
	p := openPair(t)
	for _, out := range []any{nil, 5, "x", (*int64)(nil), (*[]int64)(nil), new(int64), []int64{}, new([]int64), map[string]any{}, func() {}, new([1]int64), new(any)} {
		p.compare(t, fmt.Sprintf("Query %T", out), func(c duet.Client) (any, error) { return nil, c.Query(p.ctx, textOf(t, c, "one"), out) })
		p.compare(t, fmt.Sprintf("QueryOne %T", out), func(c duet.Client) (any, error) { return out, c.QueryOne(p.ctx, textOf(t, c, "one"), out) })
	}
	p.compare(t, "QueryJSON nil", func(c duet.Client) (any, error) { return nil, c.QueryJSON(p.ctx, textOf(t, c, "one"), nil) })
	p.compare(t, "QueryOneJSON nil", func(c duet.Client) (any, error) { return nil, c.QueryOneJSON(p.ctx, textOf(t, c, "one"), nil) })
	ended, stop := context.WithCancel(p.ctx)
	stop()
	p.compare(t, "a ctx that has ended", func(c duet.Client) (any, error) {
		_, err := duet.QueryOne[int](ended, c, textOf(t, c, "one"))
		return nil, err
	})
}

// A destination is reset at each call.
func TestParityOfReset(t *testing.T) {
	p := openPair(t)
	p.compare(t, "a slice with rows", func(c duet.Client) (any, error) {
		out := []plainNS{{N: 9}, {N: 8}}
		return out[:1:1], c.Query(p.ctx, textOf(t, c, "two_columns"), &out)
	})
	p.compare(t, "a slice without rows", func(c duet.Client) (any, error) {
		out := []int64{9}
		err := c.Query(p.ctx, textOf(t, c, "nothing"), &out)
		return out, err
	})
	p.compare(t, "a struct and no row", func(c duet.Client) (any, error) {
		out := name{"before"}
		err := c.QueryOne(p.ctx, textOf(t, c, "account_name"), &out, "nobody")
		return nil, fmt.Errorf("%v: %w", out, err)
	})
	p.compare(t, "a struct and NULL", func(c duet.Client) (any, error) {
		out := pointerNS{S: ptr("before")}
		err := c.QueryOne(p.ctx, textOf(t, c, "missing_value"), &out)
		return out, err
	})
	p.compare(t, "JSON and no row", func(c duet.Client) (any, error) {
		out := []byte("before")
		err := c.QueryOneJSON(p.ctx, textOf(t, c, "nothing"), &out)
		return nil, fmt.Errorf("%q: %w", out, err)
	})
}
