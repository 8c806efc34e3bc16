package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5/pgtype"
)

// appendArgInt encodes any signed integer.
func appendArgInt(dst []byte, oid uint32, v int64) ([]byte, argForm, error) {
	switch oid {
	case pgtype.Int8OID:
		return binary.BigEndian.AppendUint64(dst, uint64(v)), argBinary, nil
	case pgtype.Int4OID:
		if v != int64(int32(v)) {
			return dst, argNull, errors.New("the value does not fit int4")
		}
		return binary.BigEndian.AppendUint32(dst, uint32(v)), argBinary, nil
	case pgtype.Int2OID:
		if v != int64(int16(v)) {
			return dst, argNull, errors.New("the value does not fit int2")
		}
		return binary.BigEndian.AppendUint16(dst, uint16(v)), argBinary, nil
	case pgtype.Float8OID:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(float64(v))), argBinary, nil
	case pgtype.Float4OID:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v))), argBinary, nil
	case pgtype.NumericOID:
		var text [20]byte
		out, err := appendNumericText(dst, strconv.AppendInt(text[:0], v, 10))
		return out, argBinary, err
	case pgtype.OIDOID, pgtype.XIDOID, pgtype.CIDOID, pgtype.XID8OID, pgtype.OID8OID:
		if v < 0 {
			return dst, argNull, fmt.Errorf("the value does not fit %s, which has no sign", unsignedName(oid))
		}
		return appendArgUint(dst, oid, uint64(v))
	default:
		return dst, argNull, errArgUnfit
	}
}

// appendArgUint encodes any unsigned integer.
func appendArgUint(dst []byte, oid uint32, v uint64) ([]byte, argForm, error) {
	switch oid {
	case pgtype.OIDOID, pgtype.XIDOID, pgtype.CIDOID:
		if v > math.MaxUint32 {
			return dst, argNull, fmt.Errorf("the value does not fit %s", unsignedName(oid))
		}
		return binary.BigEndian.AppendUint32(dst, uint32(v)), argBinary, nil
	case pgtype.XID8OID, pgtype.OID8OID:
		return binary.BigEndian.AppendUint64(dst, v), argBinary, nil
	}
	if v <= math.MaxInt64 {
		return appendArgInt(dst, oid, int64(v))
	}
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		return dst, argNull, fmt.Errorf("the value does not fit %s", signedName(oid))
	case pgtype.Float8OID:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(float64(v))), argBinary, nil
	case pgtype.Float4OID:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v))), argBinary, nil
	case pgtype.NumericOID:
		var text [20]byte
		out, err := appendNumericText(dst, strconv.AppendUint(text[:0], v, 10))
		return out, argBinary, err
	default:
		return dst, argNull, errArgUnfit
	}
}

// appendArgFloat encodes a float; bits is the size it had in Go, which decides
// its shortest decimal form.
func appendArgFloat(dst []byte, oid uint32, v float64, bits int) ([]byte, argForm, error) {
	switch oid {
	case pgtype.Float8OID:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v)), argBinary, nil
	case pgtype.Float4OID:
		f := float32(v)
		if math.IsInf(float64(f), 0) && !math.IsInf(v, 0) || f == 0 && v != 0 {
			return dst, argNull, errors.New("the value does not fit float4")
		}
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(f)), argBinary, nil
	case pgtype.NumericOID:
		switch {
		case math.IsNaN(v):
			return appendNumericSpecial(dst, numericNaN), argBinary, nil
		case math.IsInf(v, 1):
			return appendNumericSpecial(dst, numericPosInf), argBinary, nil
		case math.IsInf(v, -1):
			return appendNumericSpecial(dst, numericNegInf), argBinary, nil
		}
		var text [400]byte
		out, err := appendNumericText(dst, strconv.AppendFloat(text[:0], v, 'f', -1, bits))
		return out, argBinary, err
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		if v != math.Trunc(v) || v < math.MinInt64 || v >= -math.MinInt64 {
			return dst, argNull, fmt.Errorf("the value does not fit %s", signedName(oid))
		}
		return appendArgInt(dst, oid, int64(v))
	default:
		return dst, argNull, errArgUnfit
	}
}

func signedName(oid uint32) string {
	switch oid {
	case pgtype.Int2OID:
		return "int2"
	case pgtype.Int4OID:
		return "int4"
	default:
		return "int8"
	}
}

func unsignedName(oid uint32) string {
	switch oid {
	case pgtype.XIDOID:
		return "xid"
	case pgtype.CIDOID:
		return "cid"
	case pgtype.XID8OID:
		return "xid8"
	case pgtype.OID8OID:
		return "oid8"
	default:
		return "oid"
	}
}
