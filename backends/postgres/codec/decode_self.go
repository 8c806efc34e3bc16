package codec

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/binary"
	"math"
	"reflect"
)

// compileScanner decodes into a sql.Scanner. It is given what database/sql would
// give it: int64, float64, bool, []byte, string or time.Time, and nil for NULL.
func compileScanner(src *source, dst reflect.Type) decoder {
	form := src.driverForm()
	scan := func(p ptr, v driver.Value) error {
		target := valueAt(p, dst)
		target.SetZero()
		if err := target.Addr().Interface().(sql.Scanner).Scan(v); err != nil {
			return because(err, "%s into %v", src.name(), dst)
		}
		return nil
	}
	return decoder{
		typ: dst,
		value: func(p ptr, b []byte) error {
			v, err := form(b)
			if err != nil {
				return err
			}
			return scan(p, v)
		},
		null: func(p ptr) error { return scan(p, nil) },
	}
}

// driverForm gives the reader of values as database/sql/driver knows them. What
// has none of its types is text; json is bytes.
func (s *source) driverForm() func([]byte) (any, error) {
	switch s.class {
	case classInt2, classInt4, classInt8, classUint4:
		return func(b []byte) (any, error) { return boxed(readInteger(s.class, b)) }
	case classUint8:
		return readSized(8, func(b []byte) any {
			if v := binary.BigEndian.Uint64(b); v > math.MaxInt64 {
				text, _ := s.textForm()(b)
				return text
			}
			return int64(binary.BigEndian.Uint64(b))
		})
	case classFloat4:
		return readSized(4, func(b []byte) any { return float64(math.Float32frombits(binary.BigEndian.Uint32(b))) })
	case classBool, classFloat8, classBytea, classDate, classTimestamp, classTimestamptz:
		return s.anyForm()
	case classJSON, classJSONB:
		return func(b []byte) (any, error) {
			text, err := jsonText(s.class, b)
			return append([]byte{}, text...), err
		}
	default:
		text := s.textForm()
		return func(b []byte) (any, error) { return boxed(text(b)) }
	}
}

// compileTextUnmarshaler decodes a value's text into an
// encoding.TextUnmarshaler.
func compileTextUnmarshaler(src *source, dst reflect.Type) decoder {
	text := src.textForm()
	return decoder{
		typ: dst,
		value: func(p ptr, b []byte) error {
			s, err := text(b)
			if err != nil {
				return err
			}
			target := valueAt(p, dst)
			target.SetZero()
			if err := target.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
				return because(err, "%s into %v", src.name(), dst)
			}
			return nil
		},
	}
}
