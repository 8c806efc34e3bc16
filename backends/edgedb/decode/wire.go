package decode

import (
	"encoding/binary"
	"math"
	"reflect"
	"time"

	"github.com/edgedb/edgedb-go"
)

// The formats are those of EdgeDB's documentation, "Data wire formats".

// epochUnix is 2000-01-01, from which EdgeDB counts, in seconds from 1970.
const epochUnix = 946684800

func wireInt(v int64, size int) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(v))
	return append([]byte{}, b[8-size:]...)
}

func wireFloat(v float64, bits int) []byte {
	if bits == 32 {
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(v)))
	}
	return binary.BigEndian.AppendUint64(nil, math.Float64bits(v))
}

func wireBool(v bool) []byte {
	if v {
		return []byte{1}
	}
	return []byte{0}
}

// wireDateTime counts microseconds, cutting what is below one.
func wireDateTime(v time.Time) []byte {
	return wireInt((v.Unix()-epochUnix)*1_000_000+int64(v.Nanosecond()/1000), 8)
}

// wireLocalDate takes midnight in UTC.
func wireLocalDate(v time.Time) []byte { return wireInt((v.Unix()-epochUnix)/86400, 4) }

func wireDuration(micros, days, months int64) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(micros))
	b = binary.BigEndian.AppendUint32(b, uint32(days))
	return binary.BigEndian.AppendUint32(b, uint32(months))
}

// wireJSON puts the format's number before a text.
func wireJSON(text []byte) []byte { return append([]byte{1}, text...) }

// wireSizes are the sizes of the scalars that have one.
var wireSizes = map[scalar]int{
	scalarBool: 1, scalarInt16: 2, scalarInt32: 4, scalarInt64: 8, scalarFloat32: 4, scalarFloat64: 8, scalarUUID: 16,
	scalarDateTime: 8, scalarLocalDateTime: 8, scalarLocalDate: 4, scalarLocalTime: 8,
	scalarDuration: 16, scalarRelativeDuration: 16, scalarDateDuration: 16, scalarMemory: 8,
}

// fromWire reads a value into the type that edgedb-go itself would decode it into.
func fromWire(s scalar, b []byte) (reflect.Value, error) {
	if size, ok := wireSizes[s]; ok && len(b) != size {
		return reflect.Value{}, reasonf("malformed value: it has %d bytes, not %d", len(b), size)
	}
	v, err := valueFromWire(s, b)
	if err != nil {
		return reflect.Value{}, err
	}
	p := reflect.New(scalars[s].plain)
	p.Elem().Set(reflect.ValueOf(v))
	return p.Elem(), nil
}

func valueFromWire(s scalar, b []byte) (any, error) {
	switch s {
	case scalarStr:
		return string(b), nil
	case scalarBytes:
		return b, nil
	case scalarBool:
		return b[0] != 0, nil
	case scalarInt16:
		return int16(binary.BigEndian.Uint16(b)), nil
	case scalarInt32:
		return int32(binary.BigEndian.Uint32(b)), nil
	case scalarInt64:
		return int64(binary.BigEndian.Uint64(b)), nil
	case scalarFloat32:
		return math.Float32frombits(binary.BigEndian.Uint32(b)), nil
	case scalarFloat64:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case scalarUUID:
		return edgedb.UUID(b), nil
	case scalarJSON:
		if len(b) == 0 || b[0] != 1 {
			return nil, reasonf("malformed json: format 1 is known")
		}
		return b[1:], nil
	case scalarBigInt:
		text, err := numericText(b)
		if err != nil {
			return nil, err
		}
		v, err := wholeNumber(text, scalars[s].plain)
		return v, err
	case scalarDecimal:
		d := decimal{}
		err := d.UnmarshalEdgeDBDecimal(b)
		return d, err
	case scalarMemory:
		return edgedb.Memory(binary.BigEndian.Uint64(b)), nil
	default:
		return timeFromWire(s, b)
	}
}

func timeFromWire(s scalar, b []byte) (any, error) {
	switch s {
	case scalarDateTime:
		return fromMicros(int64(binary.BigEndian.Uint64(b)), epochUnix), nil
	case scalarLocalDateTime:
		return newLocalDateTime(fromMicros(int64(binary.BigEndian.Uint64(b)), epochUnix)), nil
	case scalarLocalDate:
		return newLocalDate(time.Unix(int64(int32(binary.BigEndian.Uint32(b)))*86400+epochUnix, 0).UTC()), nil
	case scalarLocalTime:
		micros := int64(binary.BigEndian.Uint64(b))
		if micros < 0 || micros >= microsPerDay {
			return nil, reasonf("malformed time: %d microseconds since midnight", micros)
		}
		return newLocalTime(micros), nil
	case scalarDuration:
		return edgedb.Duration(binary.BigEndian.Uint64(b)), nil
	}
	days, months := int32(binary.BigEndian.Uint32(b[8:])), int32(binary.BigEndian.Uint32(b[12:]))
	switch s {
	case scalarRelativeDuration:
		return edgedb.NewRelativeDuration(months, days, int64(binary.BigEndian.Uint64(b))), nil
	case scalarDateDuration:
		return edgedb.NewDateDuration(months, days), nil
	default:
		return nil, reasonf("a value of a type that is not known")
	}
}

func newLocalDateTime(t time.Time) edgedb.LocalDateTime {
	return edgedb.NewLocalDateTime(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond()/1000)
}

func newLocalDate(t time.Time) edgedb.LocalDate {
	return edgedb.NewLocalDate(t.Year(), t.Month(), t.Day())
}

func newLocalTime(micros int64) edgedb.LocalTime {
	seconds := int(micros / 1_000_000)
	return edgedb.NewLocalTime(seconds/3600, seconds/60%60, seconds%60, int(micros%1_000_000))
}
