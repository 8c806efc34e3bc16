package codec

import (
	"encoding/binary"
	"math"
	"reflect"
)

// integer are Go's integer types.
type integer interface {
	int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64 | uintptr
}

// wrongSize reports a value whose length its type does not allow.
func wrongSize(src []byte, want int) error {
	return reasonf("malformed value: it has %d bytes, not %d", len(src), want)
}

func decodeBool(p ptr, src []byte) error {
	if len(src) != 1 {
		return wrongSize(src, 1)
	}
	store(p, src[0] != 0)
	return nil
}

// compileInteger decodes integers into integers; what does not fit is an error.
func compileInteger(c class, dst reflect.Type) func(ptr, []byte) error {
	switch dst.Kind() {
	case reflect.Int:
		return integerDecoder[int](c, dst)
	case reflect.Int8:
		return integerDecoder[int8](c, dst)
	case reflect.Int16:
		return integerDecoder[int16](c, dst)
	case reflect.Int32:
		return integerDecoder[int32](c, dst)
	case reflect.Int64:
		return integerDecoder[int64](c, dst)
	case reflect.Uint:
		return integerDecoder[uint](c, dst)
	case reflect.Uint8:
		return integerDecoder[uint8](c, dst)
	case reflect.Uint16:
		return integerDecoder[uint16](c, dst)
	case reflect.Uint32:
		return integerDecoder[uint32](c, dst)
	case reflect.Uint64:
		return integerDecoder[uint64](c, dst)
	default:
		return integerDecoder[uintptr](c, dst)
	}
}

func integerDecoder[D integer](c class, dst reflect.Type) func(ptr, []byte) error {
	switch c {
	case classInt2:
		return func(p ptr, src []byte) error {
			if len(src) != 2 {
				return wrongSize(src, 2)
			}
			return storeInteger[D](p, int64(int16(binary.BigEndian.Uint16(src))), dst)
		}
	case classInt4:
		return func(p ptr, src []byte) error {
			if len(src) != 4 {
				return wrongSize(src, 4)
			}
			return storeInteger[D](p, int64(int32(binary.BigEndian.Uint32(src))), dst)
		}
	case classInt8:
		return func(p ptr, src []byte) error {
			if len(src) != 8 {
				return wrongSize(src, 8)
			}
			return storeInteger[D](p, int64(binary.BigEndian.Uint64(src)), dst)
		}
	case classUint4:
		return func(p ptr, src []byte) error {
			if len(src) != 4 {
				return wrongSize(src, 4)
			}
			return storeInteger[D](p, int64(binary.BigEndian.Uint32(src)), dst)
		}
	case classUint8:
		return func(p ptr, src []byte) error {
			if len(src) != 8 {
				return wrongSize(src, 8)
			}
			return storeUnsigned[D](p, binary.BigEndian.Uint64(src), dst)
		}
	case classChar:
		return func(p ptr, src []byte) error {
			if len(src) != 1 {
				return wrongSize(src, 1)
			}
			return storeInteger[D](p, int64(src[0]), dst)
		}
	case classNumeric:
		return func(p ptr, src []byte) error {
			negative, magnitude, err := numericInteger(src, dst)
			if err != nil {
				return err
			}
			return storeNumericInteger[D](p, negative, magnitude, dst)
		}
	default:
		return nil
	}
}

// storeInteger stores v if D can hold it.
func storeInteger[D integer](p ptr, v int64, dst reflect.Type) error {
	d := D(v)
	if int64(d) != v || (d < 0) != (v < 0) {
		return reasonf("%d does not fit %v", v, dst)
	}
	store(p, d)
	return nil
}

// storeUnsigned stores v if D can hold it.
func storeUnsigned[D integer](p ptr, v uint64, dst reflect.Type) error {
	d := D(v)
	if uint64(d) != v || d < 0 {
		return reasonf("%d does not fit %v", v, dst)
	}
	store(p, d)
	return nil
}

func storeNumericInteger[D integer](p ptr, negative bool, magnitude uint64, dst reflect.Type) error {
	if !negative {
		return storeUnsigned[D](p, magnitude, dst)
	}
	if magnitude > 1<<63 {
		return reasonf("-%d does not fit %v", magnitude, dst)
	}
	return storeInteger[D](p, int64(-magnitude), dst)
}

// compileFloat decodes floats, and integers where the float holds them exactly.
func compileFloat(c class, dst reflect.Type) func(ptr, []byte) error {
	if c == classInt2 || c == classInt4 || c == classInt8 || c == classUint4 {
		return compileIntegerAsFloat(c, dst)
	}
	double := dst.Kind() == reflect.Float64
	switch {
	case c == classFloat4:
		return func(p ptr, src []byte) error {
			if len(src) != 4 {
				return wrongSize(src, 4)
			}
			v := math.Float32frombits(binary.BigEndian.Uint32(src))
			if double {
				store(p, float64(v))
			} else {
				store(p, v)
			}
			return nil
		}
	case c == classFloat8 && double:
		return func(p ptr, src []byte) error {
			if len(src) != 8 {
				return wrongSize(src, 8)
			}
			store(p, math.Float64frombits(binary.BigEndian.Uint64(src)))
			return nil
		}
	case c == classFloat8:
		return func(p ptr, src []byte) error {
			if len(src) != 8 {
				return wrongSize(src, 8)
			}
			return storeFloat32(p, math.Float64frombits(binary.BigEndian.Uint64(src)), dst)
		}
	default:
		return nil
	}
}

// storeFloat32 rounds v; what becomes infinite by rounding is an error.
func storeFloat32(p ptr, v float64, dst reflect.Type) error {
	f := float32(v)
	if math.IsInf(float64(f), 0) && !math.IsInf(v, 0) {
		return reasonf("%g does not fit %v", v, dst)
	}
	store(p, f)
	return nil
}

func compileIntegerAsFloat(c class, dst reflect.Type) func(ptr, []byte) error {
	double := dst.Kind() == reflect.Float64
	return func(p ptr, src []byte) error {
		v, err := readInteger(c, src)
		if err != nil {
			return err
		}
		f := float64(v)
		if !double {
			f = float64(float32(v))
		}
		// The largest int64 rounds up to 2^63, which does not convert back.
		if f >= 1<<63 || int64(f) != v {
			return reasonf("%d does not fit %v exactly", v, dst)
		}
		if double {
			store(p, f)
		} else {
			store(p, float32(f))
		}
		return nil
	}
}

// readInteger reads a value of one of the classes that fit an int64.
func readInteger(c class, src []byte) (int64, error) {
	want := 4
	switch c {
	case classInt2:
		want = 2
	case classInt8:
		want = 8
	}
	if len(src) != want {
		return 0, wrongSize(src, want)
	}
	switch c {
	case classInt2:
		return int64(int16(binary.BigEndian.Uint16(src))), nil
	case classInt8:
		return int64(binary.BigEndian.Uint64(src)), nil
	case classUint4:
		return int64(binary.BigEndian.Uint32(src)), nil
	default:
		return int64(int32(binary.BigEndian.Uint32(src))), nil
	}
}
