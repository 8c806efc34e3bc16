package codec

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/fields"
)

var (
	anyType    = reflect.TypeFor[any]()
	recordType = reflect.TypeFor[duet.Record]()
)

// RowDecoder compiles the decoder of rows with the columns cols into the type
// dst:
//
//   - a struct, whose fields are matched to the columns by name,
//   - map[string]any, []any or [duet.Record], which take any columns,
//   - a pointer to one of these, allocated for each row,
//   - anything else takes exactly one column; so does a struct that reads itself
//     from one value, such as time.Time or a sql.Scanner, where there is only one.
//
// Columns must come in the formats that [Types.Format] gives. lax ignores columns
// without a field, and lets the last of several columns of one name win in a map.
// The error, a *DecodeError, says which column, field or type does not fit.
func (t *Types) RowDecoder(cols []Column, dst reflect.Type, lax bool) (*RowDecoder, error) {
	d := &RowDecoder{typ: dst}
	for _, c := range cols {
		d.columns = append(d.columns, strings.Clone(c.Name))
	}
	switch {
	case dst == nil:
		return nil, &DecodeError{Reason: "rows into nil: pass a destination"}
	case dst == recordType:
		d.shape = shapeRecord
	case dst.Kind() == reflect.Slice && dst.Elem() == anyType:
		d.shape = shapeList
	case dst.Kind() == reflect.Map && dst.Key() == reflect.TypeFor[string]() && dst.Elem() == anyType:
		d.shape = shapeMap
		if twice := firstTwice(d.columns); twice >= 0 && !lax {
			return nil, duplicate(d.columns[twice], dst)
		}
	case dst.Kind() == reflect.Struct && !scalarStruct(dst, cols):
		return finish(d, t.compileStruct(d, cols, lax))
	case rowPointer(dst, cols):
		inner, err := t.RowDecoder(cols, dst.Elem(), lax)
		if err != nil {
			return nil, err
		}
		d.shape, d.inner = shapePointer, inner
		return d, nil
	default:
		return finish(d, t.compileScalar(d, cols))
	}
	for i, c := range cols {
		dec, err := t.decoder(c.OID, anyType)
		if err != nil {
			return nil, inColumn(0, c.Name, err)
		}
		d.steps = append(d.steps, step{decoder: dec, offset: uintptr(i) * anySize})
	}
	return d, nil
}

// rowPointer says whether dst points to what a row becomes as a whole, and not
// to the value of a single column.
func rowPointer(dst reflect.Type, cols []Column) bool {
	if dst.Kind() != reflect.Pointer {
		return false
	}
	elem := dst.Elem()
	switch elem.Kind() {
	case reflect.Struct:
		return elem == recordType || !scalarStruct(elem, cols)
	case reflect.Pointer:
		return rowPointer(elem, cols)
	case reflect.Map, reflect.Slice:
		return elem.Elem() == anyType && (elem.Kind() == reflect.Slice || elem.Key() == reflect.TypeFor[string]())
	default:
		return false
	}
}

// scalarStruct says whether the struct type t is decoded from a single column.
func scalarStruct(t reflect.Type, cols []Column) bool {
	if nativeStruct(t) || isPgtype(t) {
		return true
	}
	if _, ok := optionalOf(t); ok {
		return true
	}
	if len(cols) != 1 {
		return false
	}
	p := reflect.PointerTo(t)
	if p.Implements(scannerType) {
		return true
	}
	if !p.Implements(textUnmarshalerType) {
		return false
	}
	s, err := fields.Of(t)
	return err != nil || s.ByName(cols[0].Name) == nil
}

// compileScalar is for destinations that take one column.
func (t *Types) compileScalar(d *RowDecoder, cols []Column) error {
	if len(cols) != 1 {
		return &DecodeError{Reason: fmt.Sprintf("%v takes one column, and the result has %d (%s)", d.typ, len(cols), list(d.columns))}
	}
	dec, err := t.decoder(cols[0].OID, d.typ)
	if err != nil {
		return inColumn(0, cols[0].Name, err)
	}
	d.steps = []step{{decoder: dec}}
	return nil
}

// compileStruct matches columns and fields.
func (t *Types) compileStruct(d *RowDecoder, cols []Column, lax bool) error {
	s, err := fields.Of(d.typ)
	if err != nil {
		return &DecodeError{Reason: err.Error()}
	}
	if twice := firstTwice(d.columns); twice >= 0 && s.ByName(d.columns[twice]) != nil {
		return duplicate(d.columns[twice], d.typ)
	}
	taken := make(map[string]bool, len(cols))
	for i, c := range cols {
		f := s.ByName(d.columns[i])
		if f == nil {
			if !lax {
				return &DecodeError{Reason: fmt.Sprintf("column %q has no field in %v (fields: %s)", c.Name, d.typ, list(s.Names()))}
			}
			d.steps = append(d.steps, step{skip: true})
			continue
		}
		dec, err := t.decoder(c.OID, f.Type)
		if err != nil {
			return inColumn(0, c.Name, err)
		}
		taken[f.Name] = true
		d.steps = append(d.steps, stepTo(d.typ, f, dec))
	}
	for i := range s.Fields {
		if f := &s.Fields[i]; !taken[f.Name] {
			return &DecodeError{Reason: fmt.Sprintf("field %q (%s) of %v has no column (columns: %s)", f.GoName, f.Name, d.typ, list(d.columns))}
		}
	}
	written := map[place]bool{}
	for _, st := range d.steps {
		d.clear = d.clear || st.hops != nil
		written[place{st.offset, st.typ}] = true
	}
	d.clear = d.clear || !covered(d.typ, 0, written)
	return nil
}

// place is where in a struct a value of which type is written.
type place struct {
	offset uintptr
	typ    reflect.Type
}

// covered says whether every field of the struct type t, which lies offset bytes
// into the row's, is written by each row. If not, the row must be cleared first.
func covered(t reflect.Type, offset uintptr, written map[place]bool) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct && covered(f.Type, offset+f.Offset, written) {
			continue
		}
		if f.Type.Size() > 0 && !written[place{offset + f.Offset, f.Type}] {
			return false
		}
	}
	return true
}

// stepTo decodes into the field f of the struct type t.
func stepTo(t reflect.Type, f *fields.Field, dec decoder) step {
	if !f.Indirect {
		return step{decoder: dec, offset: f.Offset}
	}
	s := step{decoder: dec}
	for _, i := range f.Index {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
			s.hops = append(s.hops, hop{offset: s.offset, elem: t})
			s.offset = 0
		}
		sf := t.Field(i)
		s.offset += sf.Offset
		t = sf.Type
	}
	return s
}

// firstTwice finds a name that was there before, -1 if there is none.
func firstTwice(names []string) int {
	seen := make(map[string]bool, len(names))
	for i, n := range names {
		if seen[n] {
			return i
		}
		seen[n] = true
	}
	return -1
}

func duplicate(name string, dst reflect.Type) error {
	return &DecodeError{Reason: fmt.Sprintf("the result has several columns %q, and %v has room for one: give them aliases, or take []any or duet.Record", name, dst)}
}

// list joins names for a message.
func list(names []string) string {
	const most = 40
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

func finish(d *RowDecoder, err error) (*RowDecoder, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}
