package codec_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"
)

// run executes a statement for its effect.
func (s *server) run(t *testing.T, sql string) {
	t.Helper()
	s.describe(t, sql)
	if _, failure := s.rows(t, bind0, nil); failure != nil {
		t.Fatalf("%s: %s", sql, failure.Message)
	}
}

// oid looks a type up.
func (s *server) oid(t *testing.T, name string) uint32 {
	t.Helper()
	var oids []uint32
	s.fetch(t, "select '"+name+"'::regtype::oid", &oids)
	return oids[0]
}

func TestRegisteredTypes(t *testing.T) {
	s := connect(t)
	s.run(t, "create type mood as enum ('sad', 'happy')")
	s.run(t, "create domain positive as int4 check (value > 0)")
	s.run(t, "create type place as (street_name text, mood mood, levels positive[])")

	mood := &pgtype.Type{Name: "mood", OID: s.oid(t, "mood"), Codec: &pgtype.EnumCodec{}}
	positive := &pgtype.Type{Name: "positive", OID: s.oid(t, "positive"), Codec: pgtype.Int4Codec{}}
	positives := &pgtype.Type{Name: "_positive", OID: s.oid(t, "positive[]"), Codec: &pgtype.ArrayCodec{ElementType: positive}}
	text := &pgtype.Type{Name: "text", OID: pgtype.TextOID, Codec: pgtype.TextCodec{}}
	place := &pgtype.Type{Name: "place", OID: s.oid(t, "place"), Codec: &pgtype.CompositeCodec{Fields: []pgtype.CompositeCodecField{
		{Name: "street_name", Type: text}, {Name: "mood", Type: mood}, {Name: "levels", Type: positives},
	}}}
	s.types.Register(mood, positive, positives, place,
		&pgtype.Type{Name: "_mood", OID: s.oid(t, "mood[]"), Codec: &pgtype.ArrayCodec{ElementType: mood}},
		&pgtype.Type{Name: "_place", OID: s.oid(t, "place[]"), Codec: &pgtype.ArrayCodec{ElementType: place}})

	type placeStruct struct {
		Mood       status
		StreetName *string
		Levels     []int
	}
	type row struct {
		Mood   status
		Moods  []status
		Levels []int16
		Place  placeStruct
		Places []*placeStruct
		Free   any
	}
	var got []row
	s.fetch(t, `select 'sad'::mood as mood, '{sad,happy}'::mood[] as moods, '{1,2}'::positive[] as levels,
		row('High', 'happy', '{3}')::place as place, array[row(null, 'sad', '{}')::place, null] as places,
		row('Low', null, '{1}')::place as free`, &got)
	want := row{
		Mood: "sad", Moods: []status{"sad", "happy"}, Levels: []int16{1, 2},
		Place:  placeStruct{Mood: "happy", StreetName: p("High"), Levels: []int{3}},
		Places: []*placeStruct{{Mood: "sad", Levels: []int{}}, nil},
	}
	if free, ok := got[0].Free.(duet.Record); !ok || !cmp.Equal(free.Map(), map[string]any{"street_name": "Low", "mood": nil, "levels": []any{int32(1)}}) {
		t.Errorf("a composite into any: %#v", got[0].Free)
	}
	got[0].Free = nil
	if diff := cmp.Diff([]row{want}, got); diff != "" {
		t.Error(diff)
	}
	for sql, want := range map[string]string{
		"select row('High', null, '{}')::place as p":        `row 1, column "p", field "mood": NULL into codec_test.status`,
		"select row('High', 'sad', '{1,null}')::place as p": `row 1, column "p", field "levels", element 2: NULL into int`,
	} {
		var bad []struct{ P placeStruct }
		if err := s.decode(t, sql, &bad); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	var missing []struct{ P struct{ Mood string } }
	if err := s.decode(t, "select row('High', null, '{}')::place as p", &missing); err == nil || !strings.Contains(err.Error(), `column "street_name" has no field`) {
		t.Errorf("got %v", err)
	}
}

// TestRegisterWhileDecoding is for the race detector.
func TestRegisterWhileDecoding(t *testing.T) {
	types := codec.NewTypes()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 50 {
				oid := uint32(100_000 + 1000*i + n)
				types.Register(&pgtype.Type{Name: "mood", OID: oid, Codec: &pgtype.EnumCodec{}})
				if types.Name(oid) != "mood" || types.Format(oid) != codec.BinaryFormat {
					t.Errorf("type %d is not known right after it was registered", oid)
				}
			}
		})
	}
	wg.Wait()
}

func TestMalformedComposites(t *testing.T) {
	types := codec.NewTypes()
	int4 := &pgtype.Type{Name: "int4", OID: pgtype.Int4OID, Codec: pgtype.Int4Codec{}}
	types.Register(&pgtype.Type{Name: "pair", OID: 100_000, Codec: &pgtype.CompositeCodec{Fields: []pgtype.CompositeCodecField{
		{Name: "a", Type: int4}, {Name: "b", Type: int4},
	}}})
	type pair struct{ A, B *int }
	d, err := types.RowDecoder(column(100_000), typeOf[struct{ C pair }](), false)
	if err != nil {
		t.Fatal(err)
	}
	field := func(oid int32, v []byte) []byte { return append(be4(oid), dataRow(v)[2:]...) }
	good := join(be4(2), field(23, be4(1)), field(23, nil))
	for name, src := range map[string][]byte{
		"good": good, "empty": {}, "too many": join(be4(3), good[4:]), "negative": join(be4(-1), good[4:]), "cut": good[:len(good)-1],
		"another type": join(be4(2), field(25, be4(1)), field(23, nil)), "trailing": join(good, []byte{0}),
	} {
		t.Run(name, func(t *testing.T) {
			var out struct{ C pair }
			target, _ := codec.PointerTarget(&out)
			err := target.Decode(d, dataRow(src), 1)
			if name == "good" {
				if err != nil || *out.C.A != 1 || out.C.B != nil {
					t.Errorf("got %+v, %v", out, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), "malformed") {
				t.Errorf("got %v", err)
			}
		})
	}
}
