package decode

import (
	"encoding/binary"
	"errors"
	"math/big"
	"reflect"
	"strings"
)

// A decimal or a bigint is sent as the number of its digits in base 10000, the
// weight of the first one, a sign, the number of decimal places, and the digits
// (EdgeDB documentation, "Data wire formats", std::decimal and std::bigint).
const (
	numericPositive = 0x0000
	numericNegative = 0x4000

	// What a decimal can have at most before and after its point.
	mostWhole  = 131072
	mostPlaces = 16383
)

// numericText reads a decimal or bigint; every decimal place is kept.
func numericText(data []byte) (string, error) {
	if len(data) < 8 {
		return "", reasonf("malformed number: it has %d bytes", len(data))
	}
	count, weight := int(binary.BigEndian.Uint16(data)), int(int16(binary.BigEndian.Uint16(data[2:])))
	sign, places := binary.BigEndian.Uint16(data[4:]), int(binary.BigEndian.Uint16(data[6:]))
	digits := data[8:]
	if len(digits) != 2*count || sign != numericPositive && sign != numericNegative || places > mostPlaces {
		return "", reasonf("malformed number: %d digits in %d bytes, sign %#x, %d decimal places", count, len(digits), sign, places)
	}
	group := func(e int) (uint16, bool) {
		i := 2 * (weight - e)
		if i < 0 || i >= len(digits) {
			return 0, true
		}
		d := binary.BigEndian.Uint16(digits[i:])
		return d, d <= 9999
	}
	var b []byte
	if sign == numericNegative {
		b = append(b, '-')
	}
	start := len(b)
	for e := weight; e >= 0; e-- {
		d, ok := group(e)
		if !ok {
			return "", reasonf("malformed number: digit %d", d)
		}
		if b = appendGroup(b, d); len(b) == start+4 {
			b = append(b[:start], strings.TrimLeft(string(b[start:]), "0")...)
		}
	}
	if len(b) == start {
		b = append(b, '0')
	}
	if places == 0 {
		return string(b), nil
	}
	b = append(b, '.')
	end := len(b) + places
	for e := -1; len(b) < end; e-- {
		d, ok := group(e)
		if !ok {
			return "", reasonf("malformed number: digit %d", d)
		}
		b = appendGroup(b, d)
	}
	return string(b[:end]), nil
}

func appendGroup(b []byte, d uint16) []byte {
	return append(b, byte('0'+d/1000), byte('0'+d/100%10), byte('0'+d/10%10), byte('0'+d%10))
}

var (
	errNotNumber  = errors.New("the text is not a number")
	errNotInteger = errors.New("the number is not an integer")
	errTooLong    = errors.New("the number has more digits than fit")
)

// numericWire writes a decimal, given as text: digits with an optional sign,
// decimal point and exponent. whole refuses what has a fraction.
func numericWire(text string, whole bool) ([]byte, error) {
	negative, digits, places, err := splitNumber(text)
	if err != nil {
		return nil, err
	}
	if whole {
		kept := strings.TrimRight(digits, "0")
		if len(digits)-len(kept) < places && kept != "" {
			return nil, errNotInteger
		}
		digits, places = digits[:max(0, len(digits)-places)], 0
	}
	if len(digits)-places > mostWhole || places > mostPlaces {
		return nil, errTooLong
	}
	// Whole groups of four on both sides of the point.
	back := (places + 3) / 4 * 4
	padded := digits + strings.Repeat("0", back-places)
	if front := back - len(padded); front > 0 {
		padded = strings.Repeat("0", front) + padded
	}
	padded = strings.Repeat("0", (4-len(padded)%4)%4) + padded
	weight := (len(padded)-back)/4 - 1
	out := make([]byte, 8, 8+len(padded)/2)
	for ; padded != ""; padded = padded[4:] {
		d := uint16(padded[0]-'0')*1000 + uint16(padded[1]-'0')*100 + uint16(padded[2]-'0')*10 + uint16(padded[3]-'0')
		if d == 0 && len(out) == 8 {
			weight-- // leading zeros are not sent
			continue
		}
		out = binary.BigEndian.AppendUint16(out, d)
	}
	for len(out) > 8 && out[len(out)-1] == 0 && out[len(out)-2] == 0 {
		out = out[:len(out)-2]
	}
	sign := uint16(numericPositive)
	if len(out) == 8 {
		weight = 0
	} else if negative {
		sign = numericNegative
	}
	binary.BigEndian.PutUint16(out, uint16(len(out)-8)/2)
	binary.BigEndian.PutUint16(out[2:], uint16(int16(weight)))
	binary.BigEndian.PutUint16(out[4:], sign)
	binary.BigEndian.PutUint16(out[6:], uint16(places))
	return out, nil
}

// splitNumber gives the digits of a number, without leading zeros, and how many
// of them are decimal places, which can be more than there are.
func splitNumber(text string) (negative bool, digits string, places int, err error) {
	rest, exponent := text, 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		if exponent, err = smallInt(rest[i+1:]); err != nil {
			return false, "", 0, err
		}
		rest = rest[:i]
	}
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		negative, rest = rest[0] == '-', rest[1:]
	}
	front, back, _ := strings.Cut(rest, ".")
	if front == "" && back == "" {
		return false, "", 0, errNotNumber
	}
	for _, c := range []byte(front + back) {
		if c < '0' || c > '9' {
			return false, "", 0, errNotNumber
		}
	}
	digits, places = front+back, len(back)-exponent
	if places < 0 {
		if -places > mostWhole {
			return false, "", 0, errTooLong
		}
		digits, places = digits+strings.Repeat("0", -places), 0
	}
	return negative, strings.TrimLeft(digits, "0"), places, nil
}

// smallInt reads an exponent.
func smallInt(text string) (int, error) {
	negative := strings.HasPrefix(text, "-")
	digits := strings.TrimLeft(text, "+-")
	if digits == "" || len(text)-len(digits) > 1 {
		return 0, errNotNumber
	}
	n := 0
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, errNotNumber
		}
		if n = n*10 + int(c-'0'); n > 2*mostWhole {
			return 0, errTooLong
		}
	}
	if negative {
		n = -n
	}
	return n, nil
}

// wholeNumber reads an integer of any size for t.
func wholeNumber(text string, t reflect.Type) (*big.Int, error) {
	negative, digits, places, err := splitNumber(text)
	if err != nil {
		return nil, reasonf("%s does not fit %v", abbreviate(text), t)
	}
	cut := max(0, len(digits)-places)
	if strings.Trim(digits[cut:], "0") != "" {
		return nil, reasonf("%s is not an integer and does not fit %v", abbreviate(text), t)
	}
	v := bigFromDigits(digits[:cut])
	if negative {
		v.Neg(v)
	}
	return v, nil
}

// bigFromDigits reads decimal digits. It halves what is long, as big.Int reads
// digit by digit.
func bigFromDigits(digits string) *big.Int {
	const short = 1000
	v := new(big.Int)
	if len(digits) <= short {
		v.SetString("0"+digits, 10)
		return v
	}
	low := len(digits) / 2
	v.Exp(big.NewInt(10), big.NewInt(int64(low)), nil)
	v.Mul(v, bigFromDigits(digits[:len(digits)-low]))
	return v.Add(v, bigFromDigits(digits[len(digits)-low:]))
}

// fromDecimal lets set read a decimal that is not longer than a decimal can be: an
// exponent makes short texts into long numbers.
func fromDecimal(text string, t reflect.Type, set func(text string) bool) error {
	_, digits, places, err := splitNumber(text)
	if err != nil || places > mostPlaces || len(digits) > mostWhole+mostPlaces || !set(text) {
		return reasonf("%s does not fit %v", abbreviate(text), t)
	}
	return nil
}
