package fields_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/duetdb/duet/internal/fields"
)

func TestNamedValues(t *testing.T) {
	type named map[string]any
	type key string
	type args struct {
		A int
		B *string `duet:"bee"`
		C string  // not asked for
	}
	names := []string{"a", "bee"}
	b := "x"
	for _, arg := range []any{
		map[string]any{"a": 1, "bee": &b}, named{"a": 1, "bee": &b}, map[key]any{"a": 1, "bee": &b}, args{A: 1, B: &b}, &args{A: 1, B: &b},
	} {
		got, err := fields.NamedValues(names, []any{arg})
		if err != nil || !slices.Equal(got, []any{1, &b}) {
			t.Errorf("%T: %v, %v", arg, got, err)
		}
	}
	refused := []struct {
		args []any
		says string
	}{
		{nil, "exactly one argument"}, {[]any{1, 2}, "there are 2"}, {[]any{7}, "int is not a map"}, {[]any{nil}, "not a map"},
		{[]any{(*args)(nil)}, "not a map"}, {[]any{map[int]any{1: 1}}, "not a map"},
		{[]any{named{"a": 1}}, "no value for the parameter $bee"},
		{[]any{named{"a": 1, "bee": 2, "z": 3, "c": 4}}, "no parameter $c, $z"},
		{[]any{struct{ A int }{}}, "no field for the parameter $bee"},
	}
	for _, r := range refused {
		if _, err := fields.NamedValues(names, r.args); err == nil || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%v: %v, want %q", r.args, err, r.says)
		}
	}
}
