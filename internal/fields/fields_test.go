package fields_test

import (
	"database/sql"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/fields"
	"github.com/google/go-cmp/cmp"
)

func TestSnake(t *testing.T) {
	tests := map[string]string{
		"Name":         "name",
		"UserID":       "user_id",
		"ID":           "id",
		"HTTPServer":   "http_server",
		"OAuth2Token":  "o_auth2_token",
		"Line2":        "line2",
		"A1B2":         "a1_b2",
		"UserIDs":      "user_ids",
		"URLsSeen":     "urls_seen",
		"ClassName":    "class_name",
		"IsSet":        "is_set",
		"ÄpfelÖl":      "äpfel_öl",
		"Already_Done": "already_done",
		"X_":           "x_",
		"":             "",
	}
	for in, want := range tests {
		if got := fields.Snake(in); got != want {
			t.Errorf("Snake(%q) = %q, want %q", in, got, want)
		}
	}
}

// Names are what a struct type is known by in these tests.
type (
	Deep   struct{ Level3, Shared int }
	Middle struct {
		Deep
		Level2 int
		Shared int `db:"shared"`
	}
	Pointed struct{ Via int }
	hidden  struct {
		Shown int
		_     int
	}
	Named   struct{ Inner int }
	Scanned struct{ Value int }
	Text    string
	Loop    struct {
		*Loop
		Own int
	}
	Twin1 struct{ Same int }
	Twin2 struct{ Same int }
)

func (*Scanned) Scan(any) error { return nil }

func TestOf(t *testing.T) {
	tests := []struct {
		name string
		typ  reflect.Type
		want []string // name, Go's name
	}{
		{"tags in order", reflect.TypeFor[struct {
			A int `db:"x" edgedb:"y" duet:"z"`
			B int `db:"x" edgedb:"y"`
			C int `db:"x,omitempty"`
			D int `json:"other"`
			E int `duet:"" db:"e2"`
		}](), []string{"z A", "y B", "x C", "d D", "e2 E"}},
		{"left out", reflect.TypeFor[struct {
			A int `duet:"-"`
			B int `db:"-"`
			C int `duet:"c" db:"-"`
			d int
		}](), []string{"c C"}},
		{"embedded, shallower hides", reflect.TypeFor[struct {
			Middle
			Top int
		}](), []string{"level3 Middle.Deep.Level3", "level2 Middle.Level2", "shared Middle.Shared", "top Top"}},
		{"embedded by pointer", reflect.TypeFor[struct{ *Pointed }](), []string{"via Pointed.Via"}},
		{"unexported embedded struct", reflect.TypeFor[struct{ hidden }](), []string{"shown hidden.Shown"}},
		{"embedded with a name", reflect.TypeFor[struct {
			Named `duet:"n"`
		}](), []string{"n Named"}},
		{"inline", reflect.TypeFor[struct {
			Scanned `edgedb:"$inline"`
		}](), []string{"value Scanned.Value"}},
		{"embedded values", reflect.TypeFor[struct {
			time.Time
			Scanned
			Text
		}](), []string{"time Time", "scanned Scanned", "text Text"}},
		{"recursive", reflect.TypeFor[Loop](), []string{"own Own"}},
		{"hidden twins", reflect.TypeFor[struct {
			Twin1
			Twin2
			Same string
		}](), []string{"same Same"}},
		{"empty", reflect.TypeFor[struct{}](), nil},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			s, err := fields.Of(c.typ)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, f := range s.Fields {
				got = append(got, f.Name+" "+f.GoName)
				if s.ByName(f.Name) != &s.Fields[i] {
					t.Errorf("ByName(%q) finds another field", f.Name)
				}
				if sf := c.typ.FieldByIndex(f.Index); sf.Type != f.Type {
					t.Errorf("%s: Index leads to %v, Type is %v", f.GoName, sf.Type, f.Type)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOffsetsLeadToTheFields(t *testing.T) {
	type outer struct {
		_ [3]byte
		Middle
		*Pointed
		Last string
	}
	v := outer{Pointed: &Pointed{}}
	s, err := fields.Of(reflect.TypeFor[outer]())
	if err != nil {
		t.Fatal(err)
	}
	root := reflect.ValueOf(&v).Elem()
	for _, f := range s.Fields {
		if f.Name == "via" {
			if !f.Indirect {
				t.Error("via is reached through a pointer")
			}
			continue
		}
		got := root.FieldByIndex(f.Index).Addr().Pointer() - root.Addr().Pointer()
		if f.Indirect || f.Offset != got {
			t.Errorf("%s: offset %d, indirect %v, want %d", f.GoName, f.Offset, f.Indirect, got)
		}
	}
}

func TestOfRefuses(t *testing.T) {
	tests := []struct {
		name string
		typ  reflect.Type
		want []string
	}{
		{"no struct", reflect.TypeFor[int](), []string{"int is not a struct"}},
		{"nil", nil, []string{"is not a struct"}},
		{"same tag", reflect.TypeFor[struct {
			A int `duet:"x"`
			X int
		}](), []string{"A and X", `"x"`}},
		{"same name in two embedded structs", reflect.TypeFor[struct {
			Twin1
			Twin2
		}](), []string{"Twin1.Same and Twin2.Same", `"same"`}},
		{"pointer to an unexported struct", reflect.TypeFor[struct{ *hidden }](), []string{"unexported struct fields_test.hidden"}},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			_, err := fields.Of(c.typ)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
}

func TestOfIsSharedAndSafe(t *testing.T) {
	type local struct{ A, B int }
	var wg sync.WaitGroup
	results := make([]*fields.Struct, 16)
	for i := range results {
		wg.Go(func() { results[i], _ = fields.Of(reflect.TypeFor[local]()) })
	}
	wg.Wait()
	for _, r := range results {
		if r == nil || r != results[0] {
			t.Fatal("Of gave different descriptions of one type")
		}
	}
	if names := results[0].Names(); !cmp.Equal(names, []string{"a", "b"}) {
		t.Errorf("names %v", names)
	}
	if results[0].ByName("c") != nil {
		t.Error("ByName finds what is not there")
	}
}

// Optional is not duet's.
type Optional[T any] struct {
	Value T
	Valid bool
}

func TestIsOptional(t *testing.T) {
	value, valueOffset, validOffset, ok := fields.IsOptional(reflect.TypeFor[duet.Optional[string]]())
	want := reflect.TypeFor[duet.Optional[string]]()
	if !ok || value.Kind() != reflect.String || valueOffset != want.Field(0).Offset || validOffset != want.Field(1).Offset {
		t.Errorf("got %v, %d, %d, %v", value, valueOffset, validOffset, ok)
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Optional[string]](), reflect.TypeFor[duet.Record](), reflect.TypeFor[int](),
		reflect.TypeFor[sql.Null[string]](), reflect.TypeFor[*duet.Optional[int]](),
	} {
		if _, _, _, ok := fields.IsOptional(typ); ok {
			t.Errorf("%v is taken for a duet.Optional", typ)
		}
	}
}
