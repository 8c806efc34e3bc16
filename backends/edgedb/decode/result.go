package decode

import (
	"fmt"
	"reflect"

	"github.com/duetdb/duet"
)

// Result is what a command returned. It is for one goroutine at a time.
type Result struct {
	statement *statement
	// learned is what is known of the command since it has run, which can be more
	// than statement, by which rows are made.
	learned *statement
	// rows is a slice of the shadow's type; values are the rows where json is set.
	rows   reflect.Value
	json   bool
	values []*jsonValue
	// scans are the copiers of ScanRow by column.
	scans []scan
}

// Len counts the rows.
func (r *Result) Len() int {
	if r.json {
		return len(r.values)
	}
	return r.rows.Len()
}

// Query stores all rows in out, a *[]T, which is reset first. The error is a
// *[DecodeError].
func (r *Result) Query(out any, lax bool) error {
	if _, err := RowsTarget(out); err != nil {
		return &DecodeError{Reason: err.Error()}
	}
	slice := reflect.ValueOf(out).Elem()
	row, err := r.copier(slice.Type().Elem(), lax)
	slice.Set(reflect.MakeSlice(slice.Type(), 0, 0))
	if err != nil {
		return err
	}
	n := r.Len()
	list := reflect.MakeSlice(slice.Type(), n, n)
	for i := range n {
		if err := row(list.Index(i), i); err != nil {
			slice.Set(list.Slice(0, i))
			return err
		}
	}
	slice.Set(list)
	return nil
}

// QueryOne stores the single row in out, a *T, which is reset first. Without a row
// the error is [duet.ErrNoData], if one would fit, with more than one [duet.ErrCardinality], else a
// *[DecodeError].
func (r *Result) QueryOne(out any, lax bool) error {
	t, err := RowTarget(out)
	if err != nil {
		return &DecodeError{Reason: err.Error()}
	}
	Reset(out)
	switch r.Len() {
	case 0:
		if _, err := r.copier(t, lax); err != nil {
			return err
		}
		return duet.ErrNoData
	case 1:
		return r.DecodeRow(0, out, lax)
	default:
		return duet.ErrCardinality
	}
}

// DecodeRow stores row i, counted from 0, in out, a *T, which is reset first.
func (r *Result) DecodeRow(i int, out any, lax bool) error {
	t, err := RowTarget(out)
	if err != nil {
		return &DecodeError{Reason: err.Error()}
	}
	if i < 0 || i >= r.Len() {
		return &DecodeError{Reason: fmt.Sprintf("there is no row %d: the result has %d", i+1, r.Len())}
	}
	dst := reflect.ValueOf(out).Elem()
	dst.SetZero()
	row, err := r.copier(t, lax)
	if err != nil {
		return err
	}
	return row(dst, i)
}

// rowCopier moves row i to dst, which is zero.
type rowCopier func(dst reflect.Value, i int) error

// copierKey is what a compiled copier depends on.
type copierKey struct {
	row reflect.Type
	lax bool
}

// copier finds how rows go into t. What was compiled is remembered with the
// statement.
func (r *Result) copier(t reflect.Type, lax bool) (rowCopier, error) {
	key := copierKey{t, lax}
	if r.json {
		row, err := remember(r.statement, key, func(c *compiler) (jsonCopier, error) { return c.jsonRow(t) })
		return func(dst reflect.Value, i int) error { return inRow(i, row(dst, r.values[i])) }, inRow(-1, err)
	}
	if r.learned != r.statement {
		// What does not fit is said now as it will be from now on.
		if _, err := remember(r.learned, key, func(c *compiler) (copier, error) { return c.row(r.learned.shape, t) }); err != nil {
			return nil, inRow(-1, err)
		}
	}
	row, err := remember(r.statement, key, func(c *compiler) (copier, error) { return c.row(r.statement.shape, t) })
	return func(dst reflect.Value, i int) error { return inRow(i, row(dst, r.rows.Index(i))) }, inRow(-1, err)
}

// remember compiles once.
func remember[C any](s *statement, key copierKey, compile func(*compiler) (C, error)) (C, error) {
	if known, ok := s.copiers.Load(key); ok {
		return known.(C), nil
	}
	made, err := compile(&compiler{lax: key.lax})
	if err == nil {
		s.copiers.Store(key, made)
	}
	return made, err
}

// Columns describes the columns: the fields of an object, the elements of a
// tuple, or for anything else one column without a name. A type is empty where it
// could not be found out; where rows were read as JSON, the columns are those of
// the first row, of type json.
func (r *Result) Columns() []duet.Column {
	if r.json {
		return r.jsonColumns()
	}
	n := r.learned.shape
	if !n.hasFields() {
		return []duet.Column{{Type: n.typeName()}}
	}
	columns := []duet.Column{}
	for _, f := range n.fields {
		columns = append(columns, duet.Column{Name: f.name, Type: f.node.typeName()})
	}
	return columns
}

func (r *Result) jsonColumns() []duet.Column {
	columns := []duet.Column{}
	if len(r.values) == 0 {
		for _, name := range r.statement.shape.names() {
			columns = append(columns, duet.Column{Name: name, Type: "json"})
		}
		return columns
	}
	row := r.values[0]
	switch row.kind {
	case jsonObject, jsonArray:
		for i := range row.list {
			columns = append(columns, duet.Column{Name: row.columnName(i), Type: "json"})
		}
		return columns
	default:
		return []duet.Column{{Type: "json"}}
	}
}

// columnName names the i-th value of an object or of a tuple.
func (v *jsonValue) columnName(i int) string {
	if v.kind == jsonObject {
		return v.keys[i]
	}
	return tupleName(i)
}
