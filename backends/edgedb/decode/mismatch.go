package decode

import (
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/edgedb/edgedb-go"
)

// mismatch is what edgedb-go says of an out type that is not what the result
// needs. The texts are those of edgedb-go v0.17.2, internal/codecs: codecs.go,
// object.go, set.go, array.go, tuple.go, namedtuple.go, range.go. Nothing was
// executed when one of them comes.
type mismatch struct {
	what mismatchKind
	// path are the names of the fields that lead to the place.
	path []string
	// typ is the Go type at the place, as a text, where the text names it.
	typ string
	// name is the field that is missing, scalar the type that is wanted.
	name   string
	scalar scalar
	// decimal says that edgedb-go has no type for a decimal, of which it does not
	// name the place.
	decimal bool
}

type mismatchKind uint8

const (
	// wantsObject, wantsTuple, wantsSet, wantsArray, wantsRange and wantsScalar
	// say of what kind the place is; a named tuple is a tuple until a field of it
	// is named.
	wantsObject mismatchKind = iota + 1
	wantsTuple
	wantsSet
	wantsArray
	wantsRange
	wantsScalar
	// wantsField says that an object's field is missing; wantsElement and
	// wantsNamed that a tuple's or a named tuple's is. They give typ, not path.
	wantsField
	wantsElement
	wantsNamed
	// wantsOptional says that the place may be missing, and that its shadow has
	// no room for that.
	wantsOptional
	// wantsOther is what is not understood.
	wantsOther
)

const (
	mismatchText    = `the "out" argument does not match query schema: `
	invalidArgument = "edgedb.InvalidArgumentError: "
)

// mismatchOf reads an error of edgedb-go; ok is false where it is another one.
// root is the text of the shadow's type, n its shape.
func mismatchOf(err error, root string, n *node) (m mismatch, ok bool) {
	var failure edgedb.Error
	if !errors.As(err, &failure) || !failure.Category(edgedb.InvalidArgumentError) {
		return mismatch{}, false
	}
	// Joined with another error it would mean that edgedb-go met a new description
	// in the midst of a result.
	text, alone := strings.CutPrefix(err.Error(), invalidArgument+mismatchText)
	if !alone {
		return mismatch{}, false
	}
	for _, read := range []func(text, root string, n *node) (mismatch, bool){readMissingField, readNotRequired, readKind} {
		if m, ok := read(text, root, n); ok {
			return m, true
		}
	}
	return mismatch{what: wantsOther}, true
}

// readMissingField reads the texts that name a field that the shadow lacks.
func readMissingField(text, root string, n *node) (mismatch, bool) {
	const inObject, inTuple, inNamed = " to have a field named ", " to have a field with the tag `edgedb:\"", " struct is missing field "
	if before, quoted, ok := cutLast(text, inObject); ok {
		rest, ok := strings.CutPrefix(before, "expected "+root)
		name, err := strconv.Unquote(quoted)
		path, okPath := splitPath(rest, n)
		return mismatch{what: wantsField, path: path, name: name}, ok && okPath && err == nil
	}
	if before, after, ok := cutLast(text, inTuple); ok {
		typ, ok := strings.CutPrefix(before, "expected ")
		name, okName := strings.CutSuffix(after, "\"`")
		return mismatch{what: wantsElement, typ: typ, name: name}, ok && okName
	}
	if typ, quoted, ok := cutLast(text, inNamed); ok {
		name, err := strconv.Unquote(quoted)
		return mismatch{what: wantsNamed, typ: typ, name: name}, err == nil
	}
	return mismatch{}, false
}

// readNotRequired reads the text for a place that may be missing.
func readNotRequired(text, root string, n *node) (mismatch, bool) {
	text, ok := strings.CutSuffix(text, " because the field is not required")
	if !ok {
		return mismatch{}, false
	}
	_, after, ok := cutLast(text, " at "+root)
	if !ok {
		return mismatch{}, false
	}
	rest, _, ok := cutLast(after, " to be ")
	path, okPath := splitPath(rest, n)
	return mismatch{what: wantsOptional, path: path}, ok && okPath
}

// readKind reads the texts that say of what kind a place is.
func readKind(text, root string, n *node) (mismatch, bool) {
	rest, ok := strings.CutPrefix(text, "expected "+root)
	if !ok {
		return mismatch{}, false
	}
	rest, wanted, ok := cutLast(rest, " to be ")
	if !ok {
		return mismatch{}, false
	}
	m := mismatch{}
	for _, k := range []struct {
		prefix string
		what   mismatchKind
	}{
		{"a Struct got ", wantsObject}, {"a struct got ", wantsTuple}, {"a Slice got ", wantsSet}, {"a Slice, got ", wantsArray},
		{"an edgedb.Range type got ", wantsRange},
	} {
		if typ, ok := strings.CutPrefix(wanted, k.prefix); ok {
			m.what, m.typ = k.what, typ
		}
	}
	if m.what == 0 {
		plain, _, _ := strings.Cut(wanted, " or ")
		_, typ, okTyp := strings.Cut(wanted, " got ")
		s, known := scalarWanted(plain)
		if !known || !okTyp {
			return mismatch{}, false
		}
		m.what, m.scalar, m.typ = wantsScalar, s, typ
	}
	m.path, ok = splitPath(rest, n)
	return m, ok
}

// cutLast cuts around the last sep.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+len(sep):], true
}

// splitPath splits a path such as ".src.name" along the tree: names may contain
// dots.
func splitPath(rest string, n *node) ([]string, bool) {
	if rest == "" {
		return nil, true
	}
	for n.kind == kindList {
		n = n.elem
	}
	if n.kind == kindRange && (strings.HasSuffix(rest, ".lower") || strings.HasSuffix(rest, ".upper")) {
		return nil, true
	}
	for _, f := range n.fields {
		after, ok := strings.CutPrefix(rest, "."+f.name)
		if !ok || after != "" && after[0] != '.' {
			continue
		}
		if path, ok := splitPath(after, f.node); ok {
			return append([]string{f.name}, path...), true
		}
	}
	return nil, false
}

// at finds the node that the mismatch is about, nil if there is none.
func (m mismatch) at(n *node, typ reflect.Type) *node {
	if m.what == wantsElement || m.what == wantsNamed {
		var found *node
		tupleTypes(n, typ, func(tuple *node, t reflect.Type) {
			if t.String() == m.typ {
				found = tuple
			}
		})
		return found
	}
	for _, name := range m.path {
		for n.kind == kindList {
			n, typ = n.elem, typ.Elem()
		}
		i := -1
		for k := range n.fields {
			if n.fields[k].name == name {
				i = k
			}
		}
		if i < 0 {
			return nil
		}
		typ = typ.Field(firstField(n) + i).Type
		n = n.fields[i].node
	}
	// A set and its elements have the same path: of those along it, the place is
	// the first whose type is the one that the text names.
	for ; n.kind == kindList && !m.fits(n, typ); typ = typ.Elem() {
		n = n.elem
	}
	return n
}

// fits says whether the mismatch can be about a list's node.
func (m mismatch) fits(_ *node, typ reflect.Type) bool {
	switch m.what {
	case wantsObject, wantsTuple, wantsSet, wantsArray:
		return m.typ == typ.Kind().String()
	case wantsScalar, wantsRange:
		return m.typ == typ.String()
	default:
		return m.what == wantsOptional
	}
}

// nodeAt finds the object that a path leads to, nil if there is none.
func nodeAt(n *node, path []string) *node {
	for {
		for n.kind == kindList {
			n = n.elem
		}
		if len(path) == 0 {
			return n
		}
		f := n.field(path[0])
		if f == nil {
			return nil
		}
		n, path = f.node, path[1:]
	}
}
