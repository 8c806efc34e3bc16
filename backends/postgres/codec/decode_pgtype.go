package codec

import (
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5/pgtype"
)

var pgNumericType = reflect.TypeFor[pgtype.Numeric]()

// compilePgtype leaves the value to pgtype. NULL is left to it as well only for
// its own types, which have a place for it.
func compilePgtype(src *source, dst reflect.Type) (decoder, error) {
	if src.settled(dst) || !src.pgtypeScans(dst) {
		return decoder{}, reasonf("%s does not decode into %v", src.name(), dst)
	}
	scan := func(p ptr, b []byte) (err error) {
		if err := src.check(b); err != nil {
			return err
		}
		v := valueAt(p, dst)
		v.SetZero()
		src.types.withMap(func(m *pgtype.Map) {
			err = m.Scan(src.oid, src.format, b, v.Addr().Interface())
		})
		if err != nil {
			return because(err, "%s into %v", src.name(), dst)
		}
		return nil
	}
	d := decoder{typ: dst, value: scan}
	if src.class == classNumeric && dst == pgNumericType {
		d.value = decodePgNumeric
	}
	if isPgtype(dst) {
		d.null = func(p ptr) error { return scan(p, nil) }
	}
	return d, nil
}

// settled says that this package decodes the class itself and knows Go's own
// kinds: what it refuses, such as a float into an int, pgtype must not guess.
func (s *source) settled(dst reflect.Type) bool {
	if s.class == classOther || s.class == classArray {
		return false
	}
	switch dst.Kind() {
	case reflect.Slice, reflect.Array:
		return dst.Elem().Kind() == reflect.Uint8
	case reflect.String:
		return true
	default:
		return dst.Kind() >= reflect.Bool && dst.Kind() <= reflect.Complex128
	}
}

// pgtypeScans says whether pgtype has a plan. Its failing plan is recognised by
// name, as it is not exported; where that name changes, the error comes with the
// first value. Types that pgtype does not know are left to their values.
func (s *source) pgtypeScans(dst reflect.Type) (ok bool) {
	s.types.withMap(func(m *pgtype.Map) {
		if _, known := m.TypeForOID(s.oid); !known {
			ok = isPgtype(dst)
			return
		}
		plan := m.PlanScan(s.oid, s.format, reflect.New(dst).Interface())
		ok = fmt.Sprintf("%T", plan) != "*pgtype.scanPlanFail"
	})
	return ok
}

// check looks at what pgtype would trust: the dimensions of an array.
func (s *source) check(b []byte) error {
	if s.class != classArray || b == nil {
		return nil
	}
	_, err := openArray(b, s.elem.oid)
	return err
}
