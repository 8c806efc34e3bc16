package codec

import (
	"encoding/binary"
	"math"
	"time"
)

// compileAny decodes into an interface value what is natural for the class; the
// table is in the package's documentation. NULL is nil.
func compileAny(src *source) decoder {
	form := src.anyForm()
	return decoder{
		typ: anyType,
		value: func(p ptr, b []byte) error {
			v, err := form(b)
			if err != nil {
				return err
			}
			store(p, v)
			return nil
		},
		null: func(p ptr) error {
			store[any](p, nil)
			return nil
		},
	}
}

// anyForm gives the reader of natural Go values.
func (s *source) anyForm() func([]byte) (any, error) {
	switch s.class {
	case classBool:
		return readSized(1, func(b []byte) any { return b[0] != 0 })
	case classInt2:
		return readSized(2, func(b []byte) any { return int16(binary.BigEndian.Uint16(b)) })
	case classInt4:
		return readSized(4, func(b []byte) any { return int32(binary.BigEndian.Uint32(b)) })
	case classInt8:
		return readSized(8, func(b []byte) any { return int64(binary.BigEndian.Uint64(b)) })
	case classUint4:
		return readSized(4, func(b []byte) any { return binary.BigEndian.Uint32(b) })
	case classUint8:
		return readSized(8, func(b []byte) any { return binary.BigEndian.Uint64(b) })
	case classFloat4:
		return readSized(4, func(b []byte) any { return math.Float32frombits(binary.BigEndian.Uint32(b)) })
	case classFloat8:
		return readSized(8, func(b []byte) any { return math.Float64frombits(binary.BigEndian.Uint64(b)) })
	case classBytea:
		return func(b []byte) (any, error) { return append(make([]byte, 0, len(b)), b...), nil }
	case classDate, classTimestamp, classTimestamptz:
		return s.timeOrText()
	case classTime:
		return func(b []byte) (any, error) { return boxed(readTimeOfDay(b)) }
	case classJSON, classJSONB:
		return s.jsonForm()
	case classInet:
		return func(b []byte) (any, error) { return boxed(readInet(b)) }
	case classComposite:
		return s.recordForm()
	case classArray:
		read := anyArray(s)
		return func(b []byte) (any, error) { return boxed(read(b)) }
	default:
		text := s.textForm()
		return func(b []byte) (any, error) { return boxed(text(b)) }
	}
}

func readSized(n int, read func([]byte) any) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		if len(b) != n {
			return nil, wrongSize(b, n)
		}
		return read(b), nil
	}
}

// boxed keeps a zero value from looking like a result.
func boxed[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// timeOrText gives a time.Time, and for infinity its name.
func (s *source) timeOrText() func([]byte) (any, error) {
	read := readTimestamp
	if s.class == classDate {
		read = readDate
	}
	return func(b []byte) (any, error) {
		if name := infinityName(s.class, b); name != "" {
			return name, nil
		}
		return boxed[time.Time](read(b))
	}
}

// infinityName is "infinity" or "-infinity", "" for what is finite.
func infinityName(c class, b []byte) string {
	var low, high bool
	switch {
	case c == classDate && len(b) == 4:
		days := int32(binary.BigEndian.Uint32(b))
		low, high = days == minusInfinityDays, days == infinityDays
	case c != classDate && len(b) == 8:
		micros := int64(binary.BigEndian.Uint64(b))
		low, high = micros == minusInfinity, micros == infinity
	}
	switch {
	case low:
		return "-infinity"
	case high:
		return "infinity"
	default:
		return ""
	}
}
