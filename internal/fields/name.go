package fields

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// tag is what a field's tags say.
type tag struct {
	name   string
	skip   bool
	inline bool
}

// readTag reads the tags in their order of precedence: the first that is there
// and not empty decides.
func readTag(st reflect.StructTag) tag {
	for _, key := range [...]string{"duet", "edgedb", "db"} {
		name, _, _ := strings.Cut(st.Get(key), ",")
		switch name {
		case "":
			continue
		case "-":
			return tag{skip: true}
		case "$inline":
			return tag{inline: true}
		default:
			return tag{name: name}
		}
	}
	return tag{}
}

// Snake gives the snake_case of a Go name. A word begins at a capital that
// follows a small letter or a digit, and at the last capital of a run that a
// small letter follows: UserID is user_id, HTTPServer http_server, OAuth2Token
// o_auth2_token. Digits belong to the word before them, and so does an "s" that
// makes a run of capitals plural: UserIDs is user_ids. Underscores stay.
func Snake(name string) string {
	r := []rune(name)
	var b strings.Builder
	b.Grow(len(name) + 4)
	for i, c := range r {
		if i > 0 && unicode.IsUpper(c) && r[i-1] != '_' && startsWord(r, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// startsWord says whether the capital r[i], i > 0, begins a word.
func startsWord(r []rune, i int) bool {
	if !unicode.IsUpper(r[i-1]) {
		return true
	}
	if i+1 == len(r) || !unicode.IsLower(r[i+1]) {
		return false
	}
	plural := r[i+1] == 's' && (i+2 == len(r) || !unicode.IsLower(r[i+2]))
	return !plural
}

func sortByIndex(f []Field) {
	slices.SortFunc(f, func(a, b Field) int { return slices.Compare(a.Index, b.Index) })
}
