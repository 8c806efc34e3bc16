package codec

import (
	"encoding/binary"
	"fmt"
	"reflect"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/fields"
)

// compositeInto says whether dst takes a composite value apart.
func compositeInto(dst reflect.Type) bool {
	if dst == recordType || dst.Kind() == reflect.Map && dst.Key() == reflect.TypeFor[string]() && dst.Elem() == anyType {
		return true
	}
	p := reflect.PointerTo(dst)
	return dst.Kind() == reflect.Struct && !nativeStruct(dst) && !p.Implements(textUnmarshalerType)
}

// compositePlan decodes a composite value as if it were a row: its fields are
// columns. The shape and the rules of matching are those of rows.
type compositePlan struct {
	row  *RowDecoder
	oids []uint32
}

func compileComposite(src *source, dst reflect.Type) (decoder, error) {
	cols := make([]Column, len(src.composite))
	plan := &compositePlan{}
	for i, f := range src.composite {
		cols[i] = Column{Name: f.Name, OID: f.Type.OID, TypeMod: -1}
		plan.oids = append(plan.oids, f.Type.OID)
	}
	if dst.Kind() == reflect.Struct && dst != recordType {
		if _, err := fields.Of(dst); err != nil {
			return decoder{}, because(err, "%s", src.name())
		}
	}
	row, err := src.types.RowDecoder(cols, dst, false)
	if err != nil {
		return decoder{}, within("composite "+src.name(), err)
	}
	plan.row = row
	return decoder{typ: dst, value: plan.decode}, nil
}

// decode turns the fields (PostgreSQL source, utils/adt/rowtypes.c, record_send:
// their number, then type, length and bytes of each) into the body of a row,
// which differs in the types alone.
func (c *compositePlan) decode(p ptr, src []byte) error {
	if len(src) < 4 || binary.BigEndian.Uint32(src) != uint32(len(c.oids)) {
		return reasonf("malformed composite: its fields are not the %d that are known", len(c.oids))
	}
	body := make([]byte, 0, len(src))
	body = binary.BigEndian.AppendUint16(body, uint16(len(c.oids)))
	rest := arrayReader{rest: src[4:]}
	for i, oid := range c.oids {
		if len(rest.rest) < 4 || binary.BigEndian.Uint32(rest.rest) != oid {
			return reasonf("malformed composite: field %d is missing or has another type", i+1)
		}
		rest.rest = rest.rest[4:]
		start := rest.rest
		if _, _, err := rest.next(); err != nil {
			return err
		}
		body = append(body, start[:len(start)-len(rest.rest)]...)
	}
	if err := rest.close(); err != nil {
		return err
	}
	if err := c.row.decode(p, body, 0, false); err != nil {
		return inField(err)
	}
	return nil
}

// inField makes the column of an error in a composite a part of the path.
func inField(err error) error {
	d, ok := err.(*DecodeError)
	if !ok || d.Column == "" {
		return err
	}
	return within(fmt.Sprintf("field %q", d.Column), &valueError{Path: d.Path, Reason: d.Reason, Err: d.Err})
}

// recordForm reads composite values as duet.Record.
func (s *source) recordForm() func([]byte) (any, error) {
	dec, err := compileComposite(s, recordType)
	return func(b []byte) (any, error) {
		if err != nil {
			return nil, err
		}
		var r duet.Record
		if err := dec.value(addressOf(&r), b); err != nil {
			return nil, err
		}
		return r, nil
	}
}
