package codec

import (
	"encoding/binary"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// numericMaxScale is the largest number of decimal places.
const numericMaxScale = 0x3FFF

// numeric is a number in base 10000: digit i counts 10000 to the power of
// weight-i.
type numeric struct {
	weight int
	sign   uint16
	scale  int
	digits []byte
}

// parseNumeric checks a value and points into it.
func parseNumeric(src []byte) (numeric, error) {
	if len(src) < 8 {
		return numeric{}, reasonf("malformed numeric: it has %d bytes", len(src))
	}
	n := numeric{
		weight: int(int16(binary.BigEndian.Uint16(src[2:]))),
		sign:   binary.BigEndian.Uint16(src[4:]),
		scale:  int(binary.BigEndian.Uint16(src[6:])),
		digits: src[8:],
	}
	if count := int(binary.BigEndian.Uint16(src)); len(n.digits) != 2*count {
		return numeric{}, reasonf("malformed numeric: %d digits in %d bytes", count, len(n.digits))
	}
	for i := 0; i < len(n.digits); i += 2 {
		if d := binary.BigEndian.Uint16(n.digits[i:]); d > 9999 {
			return numeric{}, reasonf("malformed numeric: digit %d", d)
		}
	}
	switch n.sign {
	case numericPositive, numericNegative, numericNaN, numericPosInf, numericNegInf:
	default:
		return numeric{}, reasonf("malformed numeric: sign %#x", n.sign)
	}
	if n.scale > numericMaxScale {
		return numeric{}, reasonf("malformed numeric: %d decimal places", n.scale)
	}
	return n, nil
}

// special names NaN and the infinities, "" for a number.
func (n *numeric) special() string {
	switch n.sign {
	case numericNaN:
		return "NaN"
	case numericPosInf:
		return "Infinity"
	case numericNegInf:
		return "-Infinity"
	default:
		return ""
	}
}

// digit is the digit that counts 10000 to the power of e.
func (n *numeric) digit(e int) uint16 {
	i := 2 * (n.weight - e)
	if i < 0 || i >= len(n.digits) {
		return 0
	}
	return binary.BigEndian.Uint16(n.digits[i:])
}

// appendInteger writes the part before the decimal point.
func (n *numeric) appendInteger(b []byte) []byte {
	start := len(b)
	for e := n.weight; e >= 0; e-- {
		b = appendDigit(b, n.digit(e), len(b) > start)
	}
	if len(b) == start {
		b = append(b, '0')
	}
	return b
}

// appendDigit writes a digit of base 10000 with leading zeros if padded; else a
// zero is not written at all.
func appendDigit(b []byte, d uint16, padded bool) []byte {
	if padded {
		return append(b, byte('0'+d/1000), byte('0'+d/100%10), byte('0'+d/10%10), byte('0'+d%10))
	}
	if d == 0 {
		return b
	}
	return strconv.AppendUint(b, uint64(d), 10)
}

// appendText writes the number as PostgreSQL does.
func (n *numeric) appendText(b []byte) []byte {
	if s := n.special(); s != "" {
		return append(b, s...)
	}
	if n.sign == numericNegative {
		b = append(b, '-')
	}
	b = n.appendInteger(b)
	if n.scale == 0 {
		return b
	}
	b = append(b, '.')
	end := len(b) + n.scale
	for e := -1; len(b) < end; e-- {
		b = appendDigit(b, n.digit(e), true)
	}
	return b[:end]
}

// integral says whether there is nothing but zeros after the decimal point.
func (n *numeric) integral() bool {
	for i := max(0, 2*(n.weight+1)); i < len(n.digits); i++ {
		if n.digits[i] != 0 {
			return false
		}
	}
	return true
}

// number parses src, which must not be NaN or infinite, and integral where that
// is asked for.
func number(src []byte, dst reflect.Type, integral bool) (numeric, error) {
	n, err := parseNumeric(src)
	if err != nil {
		return n, err
	}
	if s := n.special(); s != "" {
		return n, reasonf("%s into %v", s, dst)
	}
	if integral && !n.integral() {
		return n, reasonf("%s is not an integer and does not fit %v", abbreviate(n.appendText(nil)), dst)
	}
	return n, nil
}

// abbreviate keeps long numbers out of messages.
func abbreviate(text []byte) string {
	if len(text) > 40 {
		return string(text[:40]) + "…"
	}
	return string(text)
}

// numericInteger reads an integer of up to 64 bits.
func numericInteger(src []byte, dst reflect.Type) (negative bool, magnitude uint64, err error) {
	n, err := number(src, dst, true)
	if err != nil {
		return false, 0, err
	}
	for e := n.weight; e >= 0; e-- {
		d := uint64(n.digit(e))
		if magnitude > (math.MaxUint64-d)/10000 {
			return false, 0, reasonf("%s does not fit %v", abbreviate(n.appendText(nil)), dst)
		}
		magnitude = magnitude*10000 + d
	}
	return n.sign == numericNegative, magnitude, nil
}

// compileNumeric decodes numeric into everything but integers and strings.
func compileNumeric(dst reflect.Type) func(ptr, []byte) error {
	switch dst {
	case bigIntType:
		return decodeBigInt
	case bigRatType:
		return decodeBigRat
	case bigFloatType:
		return decodeBigFloat
	}
	switch dst.Kind() {
	case reflect.Float64, reflect.Float32:
		return func(p ptr, src []byte) error { return decodeNumericFloat(p, src, dst) }
	default:
		return nil
	}
}

// decodeNumericFloat gives the nearest float.
func decodeNumericFloat(p ptr, src []byte, dst reflect.Type) error {
	n, err := parseNumeric(src)
	if err != nil {
		return err
	}
	var space [64]byte
	text := n.appendText(space[:0])
	bits := dst.Bits()
	f, err := strconv.ParseFloat(string(text), bits)
	if err != nil {
		return reasonf("%s does not fit %v", abbreviate(text), dst)
	}
	if bits == 32 {
		store(p, float32(f))
	} else {
		store(p, f)
	}
	return nil
}

func decodeBigInt(p ptr, src []byte) error {
	n, err := number(src, bigIntType, true)
	if err != nil {
		return err
	}
	n.scale = 0
	store(p, *decimalInt(string(n.appendText(nil))))
	return nil
}

// decimalInt reads an integer. It halves what is long: big.Int reads digit by
// digit, and eight bytes can stand for 131072 of them.
func decimalInt(text string) *big.Int {
	const short = 1000
	negative := strings.HasPrefix(text, "-")
	text = strings.TrimPrefix(text, "-")
	z := new(big.Int)
	if len(text) <= short {
		z.SetString(text, 10)
	} else {
		low := len(text) / 2
		z.Exp(big.NewInt(10), big.NewInt(int64(low)), nil)
		z.Mul(z, decimalInt(text[:len(text)-low]))
		z.Add(z, decimalInt(text[len(text)-low:]))
	}
	if negative {
		z.Neg(z)
	}
	return z
}

func decodeBigRat(p ptr, src []byte) error {
	n, err := number(src, bigRatType, false)
	if err != nil {
		return err
	}
	z := ref[big.Rat](p)
	*z = big.Rat{}
	if n.integral() {
		n.scale = 0
		z.SetInt(decimalInt(string(n.appendText(nil))))
		return nil
	}
	z.SetString(string(n.appendText(nil)))
	return nil
}

// decodePgNumeric gives what pgtype itself would give, in less time: pgtype
// divides by ten until it no longer can.
func decodePgNumeric(p ptr, src []byte) error {
	n, err := parseNumeric(src)
	if err != nil {
		return err
	}
	out := pgtype.Numeric{Valid: true}
	switch n.sign {
	case numericNaN:
		out.NaN = true
	case numericPosInf:
		out.InfinityModifier = pgtype.Infinity
	case numericNegInf:
		out.InfinityModifier = pgtype.NegativeInfinity
	default:
		out.Int = new(big.Int)
		if len(n.digits) > 0 {
			out.Exp = int32(-n.scale)
			text := strings.Replace(string(n.appendText(nil)), ".", "", 1)
			if n.scale == 0 && strings.Trim(text, "-0") != "" {
				short := strings.TrimRight(text, "0")
				out.Exp = int32(len(text) - len(short))
				text = short
			}
			out.Int = decimalInt(text)
		}
	}
	store(p, out)
	return nil
}

// decodeBigFloat takes as much precision as the number's digits carry, at least
// 64 bits.
func decodeBigFloat(p ptr, src []byte) error {
	n, err := parseNumeric(src)
	if err != nil {
		return err
	}
	z := ref[big.Float](p)
	*z = big.Float{}
	switch n.sign {
	case numericNaN:
		return reasonf("NaN into %v", bigFloatType)
	case numericPosInf, numericNegInf:
		z.SetInf(n.sign == numericNegInf)
		return nil
	}
	if n.integral() {
		n.scale = 0
	}
	text := string(n.appendText(nil))
	z.SetPrec(max(64, uint(len(text))*10/3+1))
	if n.scale == 0 {
		z.SetInt(decimalInt(text))
	} else {
		z.SetString(text)
	}
	return nil
}
