package decode

import (
	"math/big"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/edgedb/edgedb-go"
)

// copier moves a value of a shadow's type to dst, which is addressable and zero.
type copier func(dst, src reflect.Value) error

// compiler makes copiers.
type compiler struct{ lax bool }

// compile finds how values at n go into t. plain says that their shadow is one of
// a value that is always there.
func (c *compiler) compile(n *node, plain bool, t reflect.Type) (copier, error) {
	switch n.kind {
	case kindScalar:
		return compileScalar(n.scalar, plain, t)
	case kindRange:
		return compileRange(n, plain, t)
	case kindList:
		list, err := compileTarget(t, func(t reflect.Type) (target[reflect.Value], error) { return c.list(n, t) })
		if err != nil {
			return nil, err
		}
		return func(dst, src reflect.Value) error {
			if !src.IsNil() {
				return list.set(dst, src)
			}
			return list.none(dst) // an array: a set that is empty is no nil
		}, nil
	default:
		object, err := compileTarget(t, func(t reflect.Type) (target[reflect.Value], error) { return c.fields(n, t) })
		return copier(object.set), err
	}
}

// compileScalar finds how a scalar's values go into t.
func compileScalar(s scalar, plain bool, t reflect.Type) (copier, error) {
	switch s {
	case scalarStr:
		return scalarCopier[string, edgedb.OptionalStr](strs(), plain, t)
	case scalarBool:
		return scalarCopier[bool, edgedb.OptionalBool](bools(), plain, t)
	case scalarInt16:
		return scalarCopier[int16, edgedb.OptionalInt16](integers[int16](s), plain, t)
	case scalarInt32:
		return scalarCopier[int32, edgedb.OptionalInt32](integers[int32](s), plain, t)
	case scalarInt64:
		return scalarCopier[int64, edgedb.OptionalInt64](integers[int64](s), plain, t)
	case scalarFloat32:
		return scalarCopier[float32, edgedb.OptionalFloat32](floats[float32](s), plain, t)
	case scalarFloat64:
		return scalarCopier[float64, edgedb.OptionalFloat64](floats[float64](s), plain, t)
	case scalarBigInt:
		return scalarCopier[*big.Int, edgedb.OptionalBigInt](bigInts(), plain, t)
	case scalarDecimal:
		return scalarCopier[string, decimal](decimals(), false, t)
	case scalarBytes:
		return scalarCopier[[]byte, edgedb.OptionalBytes](bytesClass(), plain, t)
	case scalarUUID:
		return scalarCopier[edgedb.UUID, edgedb.OptionalUUID](uuids(), plain, t)
	case scalarJSON:
		return scalarCopier[[]byte, edgedb.OptionalBytes](jsonClass(), plain, t)
	case scalarMemory:
		return scalarCopier[edgedb.Memory, edgedb.OptionalMemory](memories(), plain, t)
	case scalarUnknown:
		return cellCopier(t)
	default:
		return compileTime(s, plain, t)
	}
}

func compileTime(s scalar, plain bool, t reflect.Type) (copier, error) {
	switch s {
	case scalarDateTime:
		return scalarCopier[time.Time, edgedb.OptionalDateTime](dateTimes(), plain, t)
	case scalarLocalDateTime:
		return scalarCopier[edgedb.LocalDateTime, edgedb.OptionalLocalDateTime](localDateTimes(), plain, t)
	case scalarLocalDate:
		return scalarCopier[edgedb.LocalDate, edgedb.OptionalLocalDate](localDates(), plain, t)
	case scalarLocalTime:
		return scalarCopier[edgedb.LocalTime, edgedb.OptionalLocalTime](localTimes(), plain, t)
	case scalarDuration:
		return scalarCopier[edgedb.Duration, edgedb.OptionalDuration](durations(), plain, t)
	case scalarRelativeDuration:
		return scalarCopier[edgedb.RelativeDuration, edgedb.OptionalRelativeDuration](relativeDurations(), plain, t)
	default:
		return scalarCopier[edgedb.DateDuration, edgedb.OptionalDateDuration](dateDurations(), plain, t)
	}
}

// scalarCopier compiles for values that edgedb-go gives as an N, or where they may
// be missing as an O.
func scalarCopier[N, O any, P interface {
	*O
	Get() (N, bool)
}](class *class[N], plain bool, t reflect.Type) (copier, error) {
	out, err := class.target(t)
	if err != nil {
		return nil, err
	}
	if plain {
		return func(dst, src reflect.Value) error { return out.set(dst, *src.Addr().Interface().(*N)) }, nil
	}
	return func(dst, src reflect.Value) error {
		v, ok := P(src.Addr().Interface().(*O)).Get()
		if !ok {
			return out.none(dst)
		}
		return out.set(dst, v)
	}, nil
}

// cellCopier compiles for values that bring their types with them.
func cellCopier(t reflect.Type) (copier, error) {
	out, err := compileTarget(t, cellTarget)
	if err != nil {
		return nil, err
	}
	return func(dst, src reflect.Value) error {
		state := &src.Addr().Interface().(*cell)[0]
		if state.scalar == scalarUnknown {
			return out.none(dst)
		}
		return out.set(dst, state)
	}, nil
}

func cellTarget(t reflect.Type) (target[*cellState], error) {
	var compiled [scalarCount]atomic.Pointer[copier]
	out := target[*cellState]{set: func(dst reflect.Value, v *cellState) error {
		known := compiled[v.scalar].Load()
		if known == nil {
			c, err := compileScalar(v.scalar, true, t)
			if err != nil {
				return err
			}
			known = &c
			compiled[v.scalar].Store(known)
		}
		value, err := fromWire(v.scalar, v.raw)
		if err != nil {
			return err
		}
		return (*known)(dst, value)
	}}
	switch {
	case t == anyType:
		out.missing = setZero
	case implements(t, scannerType) && !isEdgeDB(t):
		out.missing = scannerTarget("", t, func(any) any { return nil }).missing
	default:
		out.missing = ownMissing(t)
	}
	return out, nil
}
