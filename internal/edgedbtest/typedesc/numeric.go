package typedesc

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The sign field of a numeric value: the sections on decimal and bigint of the
// page "Data wire formats".
const (
	numericPositive = 0x0000
	numericNegative = 0x4000
)

// maxExponent bounds the exponents that are accepted: PostgreSQL's numeric has
// at most 131072 digits before the point and 16383 behind it.
const maxExponent = 131072

var errNumeric = errors.New("not a decimal number")

// numericText writes a numeric value as a decimal number, exactly.
func numericText(data []byte) (string, error) {
	r := reader{rest: data}
	count, weight, sign, scale := int(r.uint16()), int(int16(r.uint16())), r.uint16(), int(r.uint16())
	digits := make([]uint16, count)
	for i := range digits {
		if digits[i] = r.uint16(); digits[i] > 9999 {
			return "", errNumeric
		}
	}
	if !r.done() || sign != numericPositive && sign != numericNegative {
		return "", errNumeric
	}
	at := func(i int) uint16 {
		if i < 0 || i >= count {
			return 0
		}
		return digits[i]
	}
	var text strings.Builder
	if sign == numericNegative {
		text.WriteByte('-')
	}
	var whole, fraction strings.Builder
	for i := 0; i <= weight; i++ {
		fmt.Fprintf(&whole, "%04d", at(i))
	}
	text.WriteString(cmp.Or(strings.TrimLeft(whole.String(), "0"), "0"))
	if scale == 0 {
		return text.String(), nil
	}
	for i := weight + 1; fraction.Len() < scale; i++ {
		fmt.Fprintf(&fraction, "%04d", at(i))
	}
	return text.String() + "." + fraction.String()[:scale], nil
}

// parseNumeric reads a decimal number, with or without an exponent, as JSON
// has them.
func parseNumeric(text string) ([]byte, error) {
	rest, negative := strings.CutPrefix(text, "-")
	mantissa, exponent := rest, 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil || n > maxExponent || n < -maxExponent {
			return nil, errNumeric
		}
		mantissa, exponent = rest[:i], n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return nil, errNumeric
	}
	// Move the point by the exponent.
	if exponent > 0 {
		fraction += strings.Repeat("0", max(0, exponent-len(fraction)))
		whole, fraction = whole+fraction[:exponent], fraction[exponent:]
	} else if exponent < 0 {
		whole = strings.Repeat("0", max(0, -exponent-len(whole))) + whole
		cut := len(whole) + exponent
		whole, fraction = whole[:cut], whole[cut:]+fraction
	}
	if len(fraction) > 0xffff || len(whole) > maxExponent {
		return nil, errNumeric
	}
	return packNumeric(whole, fraction, negative), nil
}

// packNumeric makes a numeric value of the digits before and behind the point.
func packNumeric(whole, fraction string, negative bool) []byte {
	scale := len(fraction)
	whole = strings.Repeat("0", (4-len(whole)%4)%4) + whole
	fraction += strings.Repeat("0", (4-len(fraction)%4)%4)
	var digits []uint16
	for all := whole + fraction; all != ""; all = all[4:] {
		n, _ := strconv.Atoi(all[:4])
		digits = append(digits, uint16(n))
	}
	weight := len(whole)/4 - 1
	for len(digits) > 0 && digits[0] == 0 {
		digits, weight = digits[1:], weight-1
	}
	for len(digits) > 0 && digits[len(digits)-1] == 0 {
		digits = digits[:len(digits)-1]
	}
	sign := uint16(numericPositive)
	if negative {
		sign = numericNegative
	}
	if len(digits) == 0 {
		weight, sign = 0, numericPositive
	}
	var out []byte
	for _, v := range append([]uint16{uint16(len(digits)), uint16(int16(weight)), sign, uint16(scale)}, digits...) {
		out = binary.BigEndian.AppendUint16(out, v)
	}
	return out
}

// checkNumeric says whether a PostgreSQL numeric is a value of decimal or, with
// whole, of bigint.
func checkNumeric(data []byte, whole bool) bool {
	if _, err := numericText(data); err != nil {
		return false
	}
	return !whole || binary.BigEndian.Uint16(data[6:]) == 0
}
