package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/jackc/pgx/v5/pgtype"
)

// The sign words of numeric's binary form: four int16 (number of digits, weight
// of the first one, sign, digits after the decimal point), then the digits in
// base 10000 (PostgreSQL sources, src/backend/utils/adt/numeric.c,
// numeric_send).
const (
	numericPositive = 0x0000
	numericNegative = 0x4000
	numericNaN      = 0xC000
	numericPosInf   = 0xD000
	numericNegInf   = 0xF000
)

// The limits of numeric (PostgreSQL documentation, "Numeric Types"): digits
// before and after the decimal point.
const (
	numericMaxInt  = 131072
	numericMaxFrac = 16383
)

func appendNumericSpecial(dst []byte, sign uint16) []byte {
	return append(dst, 0, 0, 0, 0, byte(sign>>8), byte(sign), 0, 0)
}

// appendNumericText converts a decimal of the form -?[0-9]+(.[0-9]+)? to the
// binary form. The text comes from this package, never from outside.
func appendNumericText(dst, text []byte) ([]byte, error) {
	sign := uint16(numericPositive)
	if len(text) > 0 && text[0] == '-' {
		sign, text = numericNegative, text[1:]
	}
	point := len(text)
	for i, c := range text {
		if c == '.' {
			point = i
			break
		}
	}
	whole, frac := text[:point], text[min(point+1, len(text)):]
	for len(whole) > 0 && whole[0] == '0' {
		whole = whole[1:]
	}
	if len(whole) > numericMaxInt || len(frac) > numericMaxFrac {
		return dst, fmt.Errorf("a number with %d digits before and %d after the decimal point does not fit numeric", len(whole), len(frac))
	}
	at := len(dst)
	weight := (len(whole)+3)/4 - 1
	out := append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	for first := len(whole) % 4; len(whole) > 0; first = 0 {
		size := 4
		if first > 0 {
			size = first
		}
		out = binary.BigEndian.AppendUint16(out, numericGroup(whole[:size], 0))
		whole = whole[size:]
	}
	digits := len(out) - at - 8
	for rest := frac; len(rest) > 0; {
		size := min(4, len(rest))
		group := numericGroup(rest[:size], 4-size)
		rest = rest[size:]
		if digits == 0 && group == 0 {
			weight-- // leading zeros are not stored
			continue
		}
		out = binary.BigEndian.AppendUint16(out, group)
		digits += 2
	}
	for digits > 0 && out[len(out)-1] == 0 && out[len(out)-2] == 0 {
		out, digits = out[:len(out)-2], digits-2
	}
	if digits == 0 {
		weight, sign = 0, numericPositive
	}
	head := out[at:]
	binary.BigEndian.PutUint16(head, uint16(digits/2))
	binary.BigEndian.PutUint16(head[2:], uint16(int16(weight)))
	binary.BigEndian.PutUint16(head[4:], sign)
	binary.BigEndian.PutUint16(head[6:], uint16(len(frac)))
	return out, nil
}

// numericGroup reads up to four decimal digits, followed by missing zeros.
func numericGroup(digits []byte, missing int) uint16 {
	var n uint16
	for _, c := range digits {
		n = n*10 + uint16(c-'0')
	}
	for ; missing > 0; missing-- {
		n *= 10
	}
	return n
}

func appendArgBigInt(dst []byte, oid uint32, v *big.Int) ([]byte, argForm, error) {
	if v == nil {
		return dst, argNull, nil
	}
	switch oid {
	case pgtype.NumericOID:
		if v.BitLen() > 4*numericMaxInt { // far beyond: do not print it
			return dst, argNull, fmt.Errorf("a number of %d bits does not fit numeric", v.BitLen())
		}
		out, err := appendNumericText(dst, v.Append(nil, 10))
		return out, argBinary, err
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		if !v.IsInt64() {
			return dst, argNull, fmt.Errorf("the value does not fit %s", signedName(oid))
		}
		return appendArgInt(dst, oid, v.Int64())
	default:
		return dst, argNull, errArgUnfit
	}
}

func appendArgBigRat(dst []byte, oid uint32, v *big.Rat) ([]byte, argForm, error) {
	if v == nil {
		return dst, argNull, nil
	}
	if oid != pgtype.NumericOID {
		return dst, argNull, errArgUnfit
	}
	if v.Num().BitLen() > 5*numericMaxInt || v.Denom().BitLen() > 4*numericMaxFrac {
		return dst, argNull, errors.New("the fraction is too long for numeric")
	}
	places, exact := v.FloatPrec()
	if !exact {
		return dst, argNull, errors.New("the fraction has no finite decimal form; round it first")
	}
	out, err := appendNumericText(dst, []byte(v.FloatString(places)))
	return out, argBinary, err
}

func appendArgBigFloat(dst []byte, oid uint32, v *big.Float) ([]byte, argForm, error) {
	if v == nil {
		return dst, argNull, nil
	}
	if oid != pgtype.NumericOID {
		return dst, argNull, errArgUnfit
	}
	if v.IsInf() {
		sign := uint16(numericPosInf)
		if v.Signbit() {
			sign = numericNegInf
		}
		return appendNumericSpecial(dst, sign), argBinary, nil
	}
	if exp := v.MantExp(nil); exp > 4*numericMaxInt || exp < -4*numericMaxFrac {
		return dst, argNull, fmt.Errorf("a number with the binary exponent %d does not fit numeric", exp)
	}
	out, err := appendNumericText(dst, v.Append(nil, 'f', -1))
	return out, argBinary, err
}
