package codec

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// textForm gives the reader of a value's text as PostgreSQL writes it: dates in
// ISO style, timestamptz in UTC.
func (s *source) textForm() func([]byte) (string, error) {
	switch s.class {
	case classText:
		return func(b []byte) (string, error) { return string(b), nil }
	case classBool:
		return func(b []byte) (string, error) {
			if len(b) != 1 {
				return "", wrongSize(b, 1)
			}
			return strconv.FormatBool(b[0] != 0)[:1], nil
		}
	case classInt2, classInt4, classInt8, classUint4:
		return func(b []byte) (string, error) {
			v, err := readInteger(s.class, b)
			return strconv.FormatInt(v, 10), err
		}
	case classUint8:
		return func(b []byte) (string, error) {
			if len(b) != 8 {
				return "", wrongSize(b, 8)
			}
			return strconv.FormatUint(binary.BigEndian.Uint64(b), 10), nil
		}
	case classFloat4, classFloat8:
		return s.floatText
	case classNumeric:
		return numericText
	case classChar:
		return formatChar
	case classUUID:
		return formatUUID
	case classBytea:
		return func(b []byte) (string, error) { return `\x` + hex.EncodeToString(b), nil }
	case classJSON, classJSONB:
		return func(b []byte) (string, error) {
			text, err := jsonText(s.class, b)
			return string(text), err
		}
	case classDate, classTimestamp, classTimestamptz, classTime:
		return s.timeText
	case classInet:
		return inetText
	case classInterval:
		return intervalText
	default:
		if s.nested() {
			return func(b []byte) (string, error) {
				text, err := s.types.textForm(nil, s.oid, b, 0)
				return string(text), err
			}
		}
		return s.pgtypeText
	}
}

// nested says whether values of the type are made of other values.
func (s *source) nested() bool {
	typ := s.types.lookup(s.oid)
	if typ == nil || s.format != BinaryFormat {
		return false
	}
	switch typ.Codec.(type) {
	case *pgtype.ArrayCodec, *pgtype.RangeCodec, *pgtype.MultirangeCodec, pgtype.RecordCodec, *pgtype.CompositeCodec:
		return true
	default:
		return false
	}
}

func numericText(b []byte) (string, error) {
	n, err := parseNumeric(b)
	if err != nil {
		return "", err
	}
	var space [64]byte
	return string(n.appendText(space[:0])), nil
}

// floatText writes the shortest digits that read back the same, with an exponent
// where PostgreSQL would use one.
func (s *source) floatText(b []byte) (string, error) {
	bits, exponentFrom := 64, 15
	var v float64
	switch {
	case s.class == classFloat4 && len(b) == 4:
		bits, exponentFrom = 32, 6
		v = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	case s.class == classFloat8 && len(b) == 8:
		v = math.Float64frombits(binary.BigEndian.Uint64(b))
	default:
		return "", reasonf("malformed value: it has %d bytes", len(b))
	}
	switch {
	case math.IsInf(v, 1):
		return "Infinity", nil
	case math.IsInf(v, -1):
		return "-Infinity", nil
	}
	text := strconv.FormatFloat(v, 'e', -1, bits)
	_, exponent, _ := strings.Cut(text, "e")
	if e, err := strconv.Atoi(exponent); err == nil && e >= -4 && e < exponentFrom {
		return strconv.FormatFloat(v, 'f', -1, bits), nil
	}
	return text, nil
}

// pgtypeText lets pgtype decode the value and write it as text.
func (s *source) pgtypeText(b []byte) (text string, err error) {
	if err := s.check(b); err != nil {
		return "", err
	}
	s.types.withMap(func(m *pgtype.Map) {
		typ, ok := m.TypeForOID(s.oid)
		if !ok {
			err = reasonf("type oid %d is not known", s.oid)
			return
		}
		var v any
		if v, err = typ.Codec.DecodeValue(m, s.oid, s.format, b); err != nil {
			return
		}
		var out []byte
		if out, err = m.Encode(s.oid, TextFormat, v, nil); err == nil {
			text = string(out)
		}
	})
	if err != nil {
		return "", because(err, "the text of %s", s.name())
	}
	return text, nil
}
