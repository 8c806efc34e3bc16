package decode

import (
	"fmt"
	"reflect"

	"github.com/duetdb/duet/internal/fields"
)

// row finds how whole rows go into t. A row is an object, whose fields are the
// columns, a tuple, or one value, which is one column without a name.
func (c *compiler) row(n *node, t reflect.Type) (copier, error) {
	names := c.columnNames(n)
	switch {
	case rowPointer(t, names):
		inner, err := c.row(n, t.Elem())
		return func(dst, src reflect.Value) error {
			p := reflect.New(t.Elem())
			dst.Set(p)
			return inner(p.Elem(), src)
		}, err
	case !n.hasFields():
		return c.valueRow(n, t)
	case n.kind == kindTuple || n.kind == kindNamed && t == anyType || takesRow(t, names):
		return c.compile(n, true, t)
	case len(names) != 1:
		return nil, reasonf("%v takes one column, and the result has %d (%s)", t, len(names), listNames(names))
	}
	for i, f := range n.fields {
		if f.gone || !f.seen {
			continue
		}
		one, err := c.compile(f.node, false, t)
		if err != nil {
			return nil, within(inField(f.name), err)
		}
		return func(dst, src reflect.Value) error {
			if err := one(dst, src.Field(firstField(n)+i)); err != nil {
				return within(inField(f.name), err)
			}
			return nil
		}, nil
	}
	return nil, reasonf("the result has no column")
}

// columnNames are the names of a row's columns.
func (c *compiler) columnNames(n *node) []string {
	if !n.hasFields() {
		return []string{""}
	}
	return n.names()
}

// valueRow is for rows that are one value: one column without a name. A map takes
// a json value for itself.
func (c *compiler) valueRow(n *node, t reflect.Type) (copier, error) {
	if structFields(t) != nil && !scalarStruct(t, []string{""}) && n.kind != kindRange && !n.maybeJSON() {
		return c.namelessRow(t)
	}
	isColumn := t == recordType || isAnyMap(t) || isAnyList(t)
	isJSON := isAnyMap(t) && n.kind == kindScalar && n.scalar == scalarJSON
	if !isColumn || isJSON || n.kind == kindRange {
		return c.compile(n, true, t)
	}
	one, err := c.compile(n, true, anyType)
	if err != nil {
		return nil, err
	}
	column := func(dst, src reflect.Value) error {
		list := make([]any, 1)
		if err := one(reflect.ValueOf(list).Index(0), src); err != nil {
			return err
		}
		storeValues(dst, []string{""}, list)
		return nil
	}
	if !isAnyMap(t) || n.kind != kindScalar || n.scalar != scalarUnknown {
		return column, nil
	}
	whole, err := cellCopier(t)
	return func(dst, src reflect.Value) error {
		if src.Interface().(cell)[0].scalar == scalarJSON {
			return whole(dst, src)
		}
		return column(dst, src)
	}, err
}

// maybeJSON says whether a value is json, or may be.
func (n *node) maybeJSON() bool {
	return n.kind == kindScalar && (n.scalar == scalarJSON || n.scalar == scalarUnknown)
}

// namelessRow is for structs, whose fields no value without a name goes into.
func (c *compiler) namelessRow(t reflect.Type) (copier, error) {
	list := structFields(t)
	switch {
	case !c.lax:
		names := make([]string, len(list))
		for i := range list {
			names[i] = list[i].Name
		}
		return nil, reasonf("a column without a name has no field in %v (fields: %s)", t, listNames(names))
	case len(list) > 0:
		return nil, noColumn(&list[0], t, []string{"one without a name"})
	}
	return func(reflect.Value, reflect.Value) error { return nil }, nil
}

// takesRow says whether t takes a row apart into its columns.
func takesRow(t reflect.Type, names []string) bool {
	return t == recordType || isAnyMap(t) || isAnyList(t) || t.Kind() == reflect.Struct && !scalarStruct(t, names)
}

// rowPointer says whether t points to what takes a row apart.
func rowPointer(t reflect.Type, names []string) bool {
	return t.Kind() == reflect.Pointer && (takesRow(t.Elem(), names) || rowPointer(t.Elem(), names))
}

// scalarStruct says whether the struct t is made from a single column.
func scalarStruct(t reflect.Type, names []string) bool {
	if _, ok := nullableOf(t); ok || nativeStruct(t) {
		return true
	}
	if len(names) != 1 {
		return false
	}
	if implements(t, scannerType) {
		return true
	}
	if !implements(t, textUnmarshalerType) {
		return false
	}
	s, err := fields.Of(t)
	return err != nil || s.ByName(names[0]) == nil
}

// jsonRow is row for rows that are JSON.
func (c *compiler) jsonRow(t reflect.Type) (jsonCopier, error) {
	whole, errWhole := c.compileJSON(t)
	return func(dst reflect.Value, v *jsonValue) error {
		names := make([]string, len(v.list))
		for i := range names {
			names[i] = v.columnName(i)
		}
		switch {
		case v.kind != jsonObject || takesRow(t, names) || rowPointer(t, names) || isRange(valueType(t)):
			if errWhole != nil {
				return errWhole
			}
			if v.kind < jsonArray && (t == recordType || isAnyMap(t) || isAnyList(t)) {
				storeValues(dst, []string{""}, []any{v.natural()})
				return nil
			}
			return whole(dst, v)
		case len(names) != 1:
			return reasonf("%v takes one column, and the result has %d (%s)", t, len(names), listNames(names))
		case errWhole != nil:
			return within(inField(names[0]), errWhole)
		}
		if err := whole(dst, v.list[0]); err != nil {
			return within(inField(names[0]), err)
		}
		return nil
	}, nil
}

// scan is a column's copier for one Go type.
type scan struct {
	typ  reflect.Type
	copy copier
	json jsonCopier
}

// ScanRow stores the columns of row i, counted from 0, in dest: a pointer for each
// column, or nil to pass over one.
func (r *Result) ScanRow(i int, dest ...any) error {
	if i < 0 || i >= r.Len() {
		return &DecodeError{Reason: fmt.Sprintf("there is no row %d: the result has %d", i+1, r.Len())}
	}
	columns := r.Columns()
	if len(dest) != len(columns) {
		return &DecodeError{Row: i + 1, Reason: fmt.Sprintf("%d destinations for %d columns", len(dest), len(columns))}
	}
	if len(r.scans) != len(columns) {
		r.scans = make([]scan, len(columns))
	}
	for k, out := range dest {
		if out == nil {
			continue
		}
		if err := r.scanColumn(i, k, out); err != nil {
			return inColumn(i+1, columns[k].Name, err)
		}
	}
	return nil
}

func (r *Result) scanColumn(i, k int, out any) error {
	t, err := RowTarget(out)
	if err != nil {
		return err
	}
	s := &r.scans[k]
	if s.typ != t {
		*s = scan{}
		if s.copy, s.json, err = r.compileColumn(k, t); err != nil {
			return err
		}
		s.typ = t
	}
	dst := reflect.ValueOf(out).Elem()
	dst.SetZero()
	if r.json {
		v := r.values[i]
		if v.kind >= jsonArray {
			if k >= len(v.list) {
				return reasonf("the row has no column %d", k+1)
			}
			v = v.list[k]
		}
		return s.json(dst, v)
	}
	src := r.rows.Index(i)
	if n := r.statement.shape; n.hasFields() {
		src = src.Field(firstField(n) + n.present(k))
	}
	return s.copy(dst, src)
}

func (r *Result) compileColumn(k int, t reflect.Type) (copier, jsonCopier, error) {
	c := &compiler{}
	if r.json {
		one, err := c.compileJSON(t)
		return nil, one, err
	}
	n := r.statement.shape
	if learned := r.learned.shape; learned != n {
		// What does not fit is said now as it will be from now on.
		plain := !learned.hasFields()
		if !plain {
			learned = learned.fields[k].node
		}
		if _, err := c.compile(learned, plain, t); err != nil {
			return nil, nil, err
		}
	}
	if !n.hasFields() {
		one, err := c.compile(n, true, t)
		return one, nil, err
	}
	one, err := c.compile(n.fields[n.present(k)].node, false, t)
	return one, nil, err
}

// present is where in fields the k-th is of those that exist.
func (n *node) present(k int) int {
	for i := range n.fields {
		if n.fields[i].gone {
			continue
		}
		if k == 0 {
			return i
		}
		k--
	}
	return len(n.fields)
}
