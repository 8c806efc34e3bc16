package codec

import (
	"math"
	"strconv"
)

// jsonNumeric writes all digits that the server would.
func jsonNumeric(dst, src []byte) ([]byte, error) {
	n, err := parseNumeric(src)
	if err != nil {
		return dst, err
	}
	if special := n.special(); special != "" {
		dst = append(append(dst, '"'), special...)
		return append(dst, '"'), nil
	}
	return n.appendText(dst), nil
}

// appendJSONFloat writes a float as ECMAScript does: plain digits from 1e-6 to
// below 1e21, else an exponent without leading zeros.
func appendJSONFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	small, large := 1e-6, 1e21
	if bits == 32 {
		small, large = float64(float32(1e-6)), float64(float32(1e21))
	}
	if abs := math.Abs(v); abs == 0 || abs >= small && abs < large {
		return strconv.AppendFloat(dst, v, 'f', -1, bits)
	}
	dst = strconv.AppendFloat(dst, v, 'e', -1, bits)
	if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-07 is written e-7
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}
