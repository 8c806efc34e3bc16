package decode

import (
	"math"
	"math/big"
	"reflect"
	"strconv"
)

// integers is the class of int16, int32 and int64, which all fit an int64.
func integers[N int16 | int32 | int64](s scalar) *class[N] {
	return &class[N]{
		scalar:  s,
		natural: func(v N) any { return v },
		driver:  func(v N) any { return int64(v) },
		text:    func(v N) string { return strconv.FormatInt(int64(v), 10) },
		wire:    func(v N) ([]byte, error) { return wireInt(int64(v), scalars[s].plain.Bits()/8), nil },
		into: func(t reflect.Type) setter[N] {
			set := intInto(t)
			if set == nil {
				return nil
			}
			return func(dst reflect.Value, v N) error { return set(dst, int64(v)) }
		},
	}
}

// intInto stores integers in the integer and float kinds that hold them.
func intInto(t reflect.Type) setter[int64] {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if implements(t, textUnmarshalerType) && isEdgeDB(t) {
			return nil
		}
		return func(dst reflect.Value, v int64) error {
			if dst.OverflowInt(v) {
				return reasonf("%d does not fit %v", v, t)
			}
			dst.SetInt(v)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return func(dst reflect.Value, v int64) error {
			if v < 0 || dst.OverflowUint(uint64(v)) {
				return reasonf("%d does not fit %v", v, t)
			}
			dst.SetUint(uint64(v))
			return nil
		}
	case reflect.Float32, reflect.Float64:
		return func(dst reflect.Value, v int64) error {
			f := float64(v)
			if t.Kind() == reflect.Float32 {
				f = float64(float32(v))
			}
			// The largest int64 rounds up to 2^63, which does not convert back.
			if f >= 1<<63 || int64(f) != v {
				return reasonf("%d does not fit %v exactly", v, t)
			}
			dst.SetFloat(f)
			return nil
		}
	default:
		return nil
	}
}

// floats is the class of float32 and float64.
func floats[N float32 | float64](s scalar) *class[N] {
	bits := scalars[s].plain.Bits()
	return &class[N]{
		scalar:  s,
		natural: func(v N) any { return v },
		driver:  func(v N) any { return float64(v) },
		text:    func(v N) string { return floatText(float64(v), bits) },
		wire:    func(v N) ([]byte, error) { return wireFloat(float64(v), bits), nil },
		into: func(t reflect.Type) setter[N] {
			if t.Kind() != reflect.Float32 && t.Kind() != reflect.Float64 {
				return nil
			}
			return func(dst reflect.Value, v N) error { return setFloat(dst, float64(v)) }
		},
	}
}

// setFloat rounds v to dst; what becomes infinite by rounding is an error.
func setFloat(dst reflect.Value, v float64) error {
	if dst.Kind() == reflect.Float32 && math.IsInf(float64(float32(v)), 0) && !math.IsInf(v, 0) {
		return reasonf("%g does not fit %v", v, dst.Type())
	}
	dst.SetFloat(v)
	return nil
}

// floatText writes a float as EdgeDB does: an exponent for what is very large or
// small, and the names of what is no number.
func floatText(v float64, bits int) string {
	switch {
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	text := strconv.FormatFloat(v, 'e', -1, bits)
	exponentFrom := 15
	if bits == 32 {
		exponentFrom = 6
	}
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] != 'e' {
			continue
		}
		if e, err := strconv.Atoi(text[i+1:]); err == nil && e >= -4 && e < exponentFrom {
			return strconv.FormatFloat(v, 'f', -1, bits)
		}
		break
	}
	return text
}

// bools is the class of bool.
func bools() *class[bool] {
	return &class[bool]{
		scalar:  scalarBool,
		natural: func(v bool) any { return v },
		driver:  func(v bool) any { return v },
		text:    strconv.FormatBool,
		wire:    func(v bool) ([]byte, error) { return wireBool(v), nil },
		into: func(t reflect.Type) setter[bool] {
			if t.Kind() != reflect.Bool {
				return nil
			}
			return func(dst reflect.Value, v bool) error {
				dst.SetBool(v)
				return nil
			}
		},
	}
}

// decimals is the class of decimal: each value is its text.
func decimals() *class[string] {
	return &class[string]{
		scalar:  scalarDecimal,
		natural: func(v string) any { return v },
		driver:  func(v string) any { return v },
		text:    func(v string) string { return v },
		wire:    func(v string) ([]byte, error) { return numericWire(v, false) },
		into:    decimalInto,
	}
}

// bigInts is the class of bigint.
func bigInts() *class[*big.Int] {
	return &class[*big.Int]{
		scalar:  scalarBigInt,
		natural: func(v *big.Int) any { return v.String() },
		driver:  func(v *big.Int) any { return v.String() },
		text:    func(v *big.Int) string { return v.String() },
		wire:    func(v *big.Int) ([]byte, error) { return numericWire(v.String(), true) },
		into: func(t reflect.Type) setter[*big.Int] {
			if t == bigIntType {
				return func(dst reflect.Value, v *big.Int) error {
					dst.Addr().Interface().(*big.Int).Set(v)
					return nil
				}
			}
			set := decimalInto(t)
			if set == nil {
				return nil
			}
			return func(dst reflect.Value, v *big.Int) error { return set(dst, v.String()) }
		},
	}
}

// decimalInto stores a decimal, given as its text, in numbers: in integers where
// it is one, in floats rounded.
func decimalInto(t reflect.Type) setter[string] {
	switch t {
	case bigIntType:
		return func(dst reflect.Value, v string) error {
			whole, err := wholeNumber(v, t)
			if err != nil {
				return err
			}
			dst.Addr().Interface().(*big.Int).Set(whole)
			return nil
		}
	case bigRatType:
		return func(dst reflect.Value, v string) error {
			return fromDecimal(v, t, func(text string) bool {
				_, ok := dst.Addr().Interface().(*big.Rat).SetString(text)
				return ok
			})
		}
	case bigFloatType:
		return func(dst reflect.Value, v string) error {
			return fromDecimal(v, t, func(text string) bool {
				// As much precision as the digits carry, at least 64 bits.
				_, ok := dst.Addr().Interface().(*big.Float).SetPrec(max(64, uint(len(text))*10/3+1)).SetString(text)
				return ok
			})
		}
	}
	switch t.Kind() {
	case reflect.Float32, reflect.Float64:
		return func(dst reflect.Value, v string) error {
			f, err := strconv.ParseFloat(v, t.Bits())
			if err != nil {
				return reasonf("%s does not fit %v", abbreviate(v), t)
			}
			dst.SetFloat(f)
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return func(dst reflect.Value, v string) error {
			whole, err := wholeNumber(v, t)
			if err != nil {
				return err
			}
			return setWhole(dst, whole)
		}
	default:
		return nil
	}
}

// setWhole stores an integer of any size in an integer kind that holds it.
func setWhole(dst reflect.Value, v *big.Int) error {
	switch {
	case dst.CanInt() && v.IsInt64() && !dst.OverflowInt(v.Int64()):
		dst.SetInt(v.Int64())
	case dst.CanUint() && v.IsUint64() && !dst.OverflowUint(v.Uint64()):
		dst.SetUint(v.Uint64())
	default:
		return reasonf("%s does not fit %v", abbreviate(v.String()), dst.Type())
	}
	return nil
}
