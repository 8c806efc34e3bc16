package codec

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// ColumnScanner decodes the columns of a row into one pointer each. It remembers
// the types it has seen and is for one goroutine at a time.
type ColumnScanner struct {
	types    *Types
	columns  []Column
	elems    []reflect.Type
	decoders []decoder
}

// Scanner makes a ColumnScanner for rows with the columns cols, which must come
// in the formats that [Types.Format] gives. It keeps cols.
func (t *Types) Scanner(cols []Column) *ColumnScanner {
	return &ColumnScanner{
		types:    t,
		columns:  cols,
		elems:    make([]reflect.Type, len(cols)),
		decoders: make([]decoder, len(cols)),
	}
}

// Scan decodes row, the body of a DataRow message, into dest: a pointer for each
// column, or nil to pass over one. n is the row's number for errors, from 1.
func (s *ColumnScanner) Scan(row []byte, n int, dest ...any) error {
	if len(dest) != len(s.columns) {
		return &DecodeError{Row: n, Reason: fmt.Sprintf("%d destinations for %d columns", len(dest), len(s.columns))}
	}
	if len(row) < 2 || int(binary.BigEndian.Uint16(row)) != len(dest) {
		return wrongCount(row, len(dest), n)
	}
	rest := row[2:]
	for i, out := range dest {
		if len(rest) < 4 {
			return malformed(n, "it ends before column %d", i+1)
		}
		size := int(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		if size > len(rest) || size < -1 {
			return malformed(n, "column %d has %d bytes where %d are left", i+1, size, len(rest))
		}
		var src []byte
		if size >= 0 {
			src = rest[:size:size]
			rest = rest[size:]
		}
		if out == nil {
			continue
		}
		if err := s.scan(i, src, size < 0, out); err != nil {
			return inColumn(n, s.columns[i].Name, err)
		}
	}
	if len(rest) != 0 {
		return malformed(n, "%d bytes follow its last column", len(rest))
	}
	return nil
}

// scan decodes column i into the pointer out.
func (s *ColumnScanner) scan(i int, src []byte, null bool, out any) error {
	target, err := PointerTarget(out)
	if err != nil {
		return asValueError(err)
	}
	d := &s.decoders[i]
	if target.elem != s.elems[i] {
		dec, err := s.types.decoder(s.columns[i].OID, target.elem)
		if err != nil {
			return err
		}
		*d, s.elems[i] = dec, target.elem
	}
	if null {
		return d.storeNull(target.p)
	}
	return d.value(target.p, src)
}
