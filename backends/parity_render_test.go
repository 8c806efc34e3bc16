package backends_test

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/duetdb/duet"
)

// render writes a value with all types in it, so that two values are the same
// where their texts are: nil and empty slices differ, NaN is NaN, and a time is
// written with its location.
func render(v reflect.Value) string {
	if !v.IsValid() {
		return "nil"
	}
	t := v.Type()
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case time.Time:
			return fmt.Sprintf("time(%s %s)", x.Format("2006-01-02T15:04:05.999999999Z07:00"), x.Location())
		case big.Int:
			return "big.Int(" + x.String() + ")"
		case big.Rat:
			return "big.Rat(" + x.String() + ")"
		case big.Float:
			return "big.Float(" + x.Text('g', -1) + ")"
		case netip.Addr:
			return "netip.Addr(" + x.String() + ")"
		case netip.Prefix:
			return "netip.Prefix(" + x.String() + ")"
		case duet.Record:
			parts := []string{}
			for name, value := range x.All() {
				parts = append(parts, fmt.Sprintf("%s: %s", columnName(name), render(reflect.ValueOf(value))))
			}
			return "Record{" + strings.Join(parts, ", ") + "}"
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "nil " + t.String()
		}
		return "&" + render(v.Elem())
	case reflect.Interface:
		return render(v.Elem())
	case reflect.Struct:
		parts := []string{}
		for i := range v.NumField() {
			parts = append(parts, t.Field(i).Name+": "+render(v.Field(i)))
		}
		return t.String() + "{" + strings.Join(parts, ", ") + "}"
	case reflect.Map:
		parts := []string{}
		for _, key := range v.MapKeys() {
			parts = append(parts, columnName(key.String())+": "+render(v.MapIndex(key)))
		}
		sort.Strings(parts)
		return t.String() + "{" + strings.Join(parts, ", ") + "}"
	case reflect.Slice, reflect.Array:
		return renderList(v)
	case reflect.String:
		return fmt.Sprintf("%s(%s)", t, shorten(fmt.Sprintf("%q", v.String())))
	default:
		return fmt.Sprintf("%s(%v)", t, v)
	}
}

func renderList(v reflect.Value) string {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return "nil " + v.Type().String()
	}
	if v.Type().Elem().Kind() == reflect.Uint8 && v.Type().Elem().PkgPath() == "" {
		return fmt.Sprintf("%s(%s)", v.Type(), shorten(fmt.Sprintf("%x", v)))
	}
	parts := []string{}
	for i := range v.Len() {
		parts = append(parts, render(v.Index(i)))
	}
	return v.Type().String() + "[" + strings.Join(parts, ", ") + "]"
}

// shorten keeps the length of what is long.
func shorten(text string) string {
	if len(text) <= 120 {
		return text
	}
	return fmt.Sprintf("%s… %d", text[:100], len(text))
}

// columnName names the column of a row that is one value: nobody named it.
func columnName(name string) string {
	if name == "?column?" {
		return ""
	}
	return name
}

// named replaces what the backends call differently.
var named = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`^duet: (preparing the call: )?`), ""},
	{regexp.MustCompile(`, column "\?column\?"`), ""},
	{regexp.MustCompile(`column "\?column\?"(: |, )`), ""},
	{regexp.MustCompile(`\(\?column\?\)`), "()"},
	{regexp.MustCompile(`(columns: )\?column\?`), "${1}one without a name"},
	{regexp.MustCompile(`^column "\?column\?" has`), "a column without a name has"},
	{regexp.MustCompile(`json: .*`), "json: (the words of encoding/json)"},
	{regexp.MustCompile(`\boid \d+`), "str"},
	{regexp.MustCompile(`\b_int8\b`), "array<int64>"},
	{regexp.MustCompile(`\b_text\b`), "array<str>"},
	{regexp.MustCompile(`\bint2\b`), "int16"},
	{regexp.MustCompile(`\bint4\b`), "int32"},
	{regexp.MustCompile(`\bint8( does not decode| into|\)|$)`), "int64$1"},
	{regexp.MustCompile(`\b(as|fit) int8\b`), "$1 int64"},
	{regexp.MustCompile(`\bfloat4\b`), "float32"},
	{regexp.MustCompile(`\bfloat8\b`), "float64"},
	{regexp.MustCompile(`\b(numeric|decimal|bigint)\b`), "number"},
	{regexp.MustCompile(`\btext( does not decode| into|\)|$)`), "str$1"},
	{regexp.MustCompile(`\b(as|fit) text\b`), "$1 str"},
	{regexp.MustCompile(`\bbytea\b`), "bytes"},
	{regexp.MustCompile(`\btimestamptz\b`), "datetime"},
	{regexp.MustCompile(`\btimestamp\b`), "local_datetime"},
	{regexp.MustCompile(`\bdate( does not decode| into)`), "local_date$1"},
	{regexp.MustCompile(`\btime( does not decode| into)`), "local_time$1"},
	{regexp.MustCompile(`\b(as|fit) (date|time)\b`), "$1 local_$2"},
	{regexp.MustCompile(`\bcal::`), ""},
	{regexp.MustCompile(`\bset of (\w+)`), "array<$1>"},
	{regexp.MustCompile(`\binterval\b`), "duration"},
	{regexp.MustCompile(`argument \d+ \(\$\d+, [^)]*\)`), "argument $$N"},
	{regexp.MustCompile(`argument \$\d+`), "argument $$N"},
	{regexp.MustCompile(`(argument \$N), (element \d+:)`), "$1: $2"},
}

// words are what an error says, in words that both backends share; "" where they
// are the server's.
func words(err error) string {
	if e, ok := errors.AsType[*duet.Error](err); ok && e.Code != "" {
		return ""
	}
	// Whether a text that calls functions may have changed something is known of
	// PostgreSQL's own functions alone.
	text := strings.Replace(err.Error(), "; the command may have taken effect", "", 1)
	for _, n := range named {
		text = n.from.ReplaceAllString(text, n.to)
	}
	return text
}
