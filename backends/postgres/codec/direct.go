package codec

import (
	"encoding/binary"
	"reflect"
)

// direct marks pairs of a column's class and a Go kind whose decoding is one
// store without a check of range. A row decoder does them in its own loop: the
// call of a decoder for each value costs more than the store.
type direct uint8

const (
	notDirect direct = iota
	directBool
	direct2 // int2 into int16
	direct4 // int4 into int32, oid into uint32: the same bits
	direct8 // int8 into int64 or int
	direct4to8
	directString
)

// directOf says whether a class decodes directly into a kind. It is asked only
// where [compileClass] found the decoder, so that nothing of the user's is
// passed over.
func directOf(c class, k reflect.Kind) direct {
	wide := k == reflect.Int64 || k == reflect.Int && reflect.TypeFor[int]().Size() == 8
	switch {
	case c == classBool && k == reflect.Bool:
		return directBool
	case c == classInt2 && k == reflect.Int16:
		return direct2
	case c == classInt4 && k == reflect.Int32, c == classUint4 && k == reflect.Uint32:
		return direct4
	case c == classInt8 && wide:
		return direct8
	case c == classInt4 && wide:
		return direct4to8
	case c == classText && k == reflect.String:
		return directString
	default:
		return notDirect
	}
}

// decodeDirect does one direct step; false leaves it to the step's decoder,
// which knows how to complain.
func decodeDirect(d direct, p ptr, src []byte) bool {
	switch d {
	case direct4:
		if len(src) == 4 {
			store(p, binary.BigEndian.Uint32(src))
			return true
		}
	case directBool:
		if len(src) == 1 {
			store(p, src[0] != 0)
			return true
		}
	case directString:
		store(p, string(src))
		return true
	case direct8:
		if len(src) == 8 {
			store(p, binary.BigEndian.Uint64(src))
			return true
		}
	case direct2:
		if len(src) == 2 {
			store(p, binary.BigEndian.Uint16(src))
			return true
		}
	case direct4to8:
		if len(src) == 4 {
			store(p, int64(int32(binary.BigEndian.Uint32(src))))
			return true
		}
	}
	return false
}
