package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
)

// argMaxCount is the largest number of parameters that Bind can carry.
const argMaxCount = 65535

// argMaxSize is the longest value, and the longest Bind, that the server takes
// (PostgreSQL documentation, appendix "PostgreSQL Limits": field size).
const argMaxSize = 1<<30 - 1

// argForm is how one value was encoded: a format code, or NULL.
type argForm int16

const (
	argNull   argForm = -1
	argText   argForm = argForm(TextFormat)
	argBinary argForm = argForm(BinaryFormat)
)

// errArgUnfit says that an encoder has no rule for the pair of type and value;
// others may have one. It never leaves the package.
var errArgUnfit = errors.New("no encoding")

var (
	errArgNUL  = errors.New("text cannot contain NUL")
	errArgUTF8 = errors.New("text is not valid UTF-8")
	errArgSize = fmt.Errorf("the value is longer than %d bytes, the most that the server takes", argMaxSize)
)

// AppendArgs appends the parameter part of a Bind message (PostgreSQL
// documentation, "Message Formats"): the format codes and the values. oids are
// the types of the statement's parameters. After an error dst has its old
// length.
//
// What a Go value becomes:
//
//   - nil, a nil pointer, slice or map, a duet.Optional or sql.Null without a
//     value, a zero netip.Addr or netip.Prefix: NULL.
//   - A driver.Valuer: what its Value gives, under these same rules.
//   - Integers and floats: the integer and float types and numeric, where they
//     fit. A float goes into an integer type only without a fraction; into
//     numeric it goes as the shortest decimal that reads back as the same
//     float. *big.Int, *big.Rat (where a finite decimal exists) and *big.Float
//     go into numeric.
//   - string: the type's own text form, whatever the type ("2020-01-01" for a
//     date); for json and jsonb that is JSON. It must be UTF-8 without NUL.
//   - []byte: the bytes of a bytea, 16 bytes of a uuid; for any other type as a
//     string.
//   - time.Time: timestamptz, date and time of its own clock and zone, cut to
//     microseconds; timestamp takes the wall clock and drops the zone.
//   - time.Duration: interval, and time as the time since midnight.
//   - [16]byte: uuid. netip.Addr, netip.Prefix, net.IP, net.IPNet: inet, cidr.
//   - Slices and arrays: arrays of any dimension, which must be rectangular. An
//     empty slice is an empty array.
//   - Any value for json and jsonb that is none of string, []byte and
//     json.RawMessage: what encoding/json makes of it.
//   - encoding.TextMarshaler: its text. A type with a numeric kind uses it only
//     for text types.
//   - Everything else as pgtype encodes it.
//
// Named types follow their underlying type. Types that the database defines
// itself and that are not known here are sent as text. Errors name the argument
// and its type and never hold its value.
func (t *Types) AppendArgs(dst []byte, oids []uint32, args []any) ([]byte, error) {
	if len(oids) != len(args) {
		return dst, fmt.Errorf("the text has %d positional parameters, and there are %d arguments", len(oids), len(args))
	}
	if len(args) > argMaxCount {
		return dst, fmt.Errorf("%d arguments are more than the %d that one statement can have", len(args), argMaxCount)
	}
	start := len(dst)
	out := binary.BigEndian.AppendUint16(dst, uint16(len(args)))
	formats := len(out)
	for range args {
		out = append(out, 0, 0)
	}
	out = binary.BigEndian.AppendUint16(out, uint16(len(args)))
	for i, arg := range args {
		var form argForm
		var err error
		if out, form, err = t.appendSized(out, oids[i], arg); err != nil {
			return dst, fmt.Errorf("argument %d ($%d, %s): %w", i+1, i+1, t.Name(oids[i]), err)
		}
		if len(out)-start > argMaxSize {
			return dst, fmt.Errorf("the first %d arguments together are longer than %d bytes, the most that the server takes", i+1, argMaxSize)
		}
		if form == argBinary {
			out[formats+2*i+1] = byte(BinaryFormat)
		}
	}
	return out, nil
}

// appendSized appends a value with its length, -1 for NULL.
func (t *Types) appendSized(dst []byte, oid uint32, v any) ([]byte, argForm, error) {
	at := len(dst)
	dst = append(dst, 0xff, 0xff, 0xff, 0xff)
	out, form, err := t.appendArg(dst, oid, v, 0)
	if err != nil {
		return dst[:at], form, t.explain(err, oid, v)
	}
	if form == argNull {
		return out[:at+4], form, nil
	}
	size := len(out) - at - 4
	if size > argMaxSize {
		return dst[:at], form, errArgSize
	}
	binary.BigEndian.PutUint32(out[at:], uint32(size))
	return out, form, nil
}

// appendArg appends a value's bytes, without reflection where it can. depth
// counts the pointers and Valuers that were followed.
func (t *Types) appendArg(dst []byte, oid uint32, v any, depth int) ([]byte, argForm, error) {
	out, form, err := t.appendCommon(dst, oid, v)
	if err == errArgUnfit {
		out, form, err = t.appendKnown(dst, oid, v)
	}
	if err == errArgUnfit {
		out, form, err = t.appendRest(dst, oid, v, depth)
	}
	return out, form, err
}

// explain turns errArgUnfit into words: the Go type, never the value.
func (t *Types) explain(err error, oid uint32, v any) error {
	if err == errArgUnfit {
		return fmt.Errorf("a Go %T cannot be sent as %s", v, t.Name(oid))
	}
	return err
}

// appendCommon encodes the Go types that most arguments have.
func (t *Types) appendCommon(dst []byte, oid uint32, v any) ([]byte, argForm, error) {
	switch v := v.(type) {
	case nil:
		return dst, argNull, nil
	case string:
		return appendArgString(dst, oid, v)
	case int:
		return appendArgInt(dst, oid, int64(v))
	case int64:
		return appendArgInt(dst, oid, v)
	case int32:
		return appendArgInt(dst, oid, int64(v))
	case int16:
		return appendArgInt(dst, oid, int64(v))
	case int8:
		return appendArgInt(dst, oid, int64(v))
	case uint:
		return appendArgUint(dst, oid, uint64(v))
	case uint64:
		return appendArgUint(dst, oid, v)
	case uint32:
		return appendArgUint(dst, oid, uint64(v))
	case uint16:
		return appendArgUint(dst, oid, uint64(v))
	case uint8:
		return appendArgUint(dst, oid, uint64(v))
	case float64:
		return appendArgFloat(dst, oid, v, 64)
	case float32:
		return appendArgFloat(dst, oid, float64(v), 32)
	case bool:
		return appendArgBool(dst, oid, v)
	case []byte:
		return appendArgBytes(dst, oid, v)
	case time.Time:
		return appendArgTime(dst, oid, v)
	case [16]byte:
		return appendArgUUID(dst, oid, v)
	default:
		return dst, argNull, errArgUnfit
	}
}

// appendKnown encodes the Go types that are rarer and have rules of their own.
func (t *Types) appendKnown(dst []byte, oid uint32, v any) ([]byte, argForm, error) {
	switch v := v.(type) {
	case time.Duration:
		return appendArgDuration(dst, oid, v)
	case json.RawMessage:
		return appendArgBytes(dst, oid, v)
	case netip.Addr:
		return appendArgAddr(dst, oid, v)
	case netip.Prefix:
		return appendArgPrefix(dst, oid, v)
	case net.IP:
		return appendArgIP(dst, oid, v)
	case net.IPNet:
		return appendArgIPNet(dst, oid, &v)
	case *net.IPNet:
		return appendArgIPNet(dst, oid, v)
	case net.HardwareAddr:
		return appendArgHardware(dst, oid, v)
	case *big.Int:
		return appendArgBigInt(dst, oid, v)
	case *big.Rat:
		return appendArgBigRat(dst, oid, v)
	case *big.Float:
		return appendArgBigFloat(dst, oid, v)
	case big.Int:
		return appendArgBigInt(dst, oid, &v)
	case big.Rat:
		return appendArgBigRat(dst, oid, &v)
	case big.Float:
		return appendArgBigFloat(dst, oid, &v)
	default:
		return t.appendSlice(dst, oid, v)
	}
}

// isTextOID says whether the binary form of a type is its text.
func isTextOID(oid uint32) bool {
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.UnknownOID:
		return true
	default:
		return false
	}
}

func isJSONOID(oid uint32) bool { return oid == pgtype.JSONOID || oid == pgtype.JSONBOID }

// baseOID gives the built-in type whose encoding a type of the database shares:
// a domain's base type, text for an enum. Others are their own base; known is
// false for those that nobody described.
func (t *Types) baseOID(oid uint32) (base uint32, known bool) {
	typ := t.lookup(oid)
	if typ == nil {
		return oid, false
	}
	switch c := classOfCodec(typ.Codec); {
	case int(c) < len(classOIDs) && classOIDs[c] != 0 && oid != pgtype.XMLOID:
		return classOIDs[c], true
	default:
		return oid, true
	}
}

// classOIDs gives the type that stands for all types of a class. Classes whose
// types differ in more than their name are left out.
var classOIDs = [...]uint32{
	classText: pgtype.TextOID, classBool: pgtype.BoolOID,
	classInt2: pgtype.Int2OID, classInt4: pgtype.Int4OID, classInt8: pgtype.Int8OID,
	classFloat4: pgtype.Float4OID, classFloat8: pgtype.Float8OID, classNumeric: pgtype.NumericOID,
	classChar: pgtype.QCharOID, classBytea: pgtype.ByteaOID, classUUID: pgtype.UUIDOID,
	classDate: pgtype.DateOID, classTime: pgtype.TimeOID, classInterval: pgtype.IntervalOID,
	classTimestamp: pgtype.TimestampOID, classTimestamptz: pgtype.TimestamptzOID,
	classJSON: pgtype.JSONOID, classJSONB: pgtype.JSONBOID,
}

// arrayElement gives the type of an array type's elements.
func (t *Types) arrayElement(oid uint32) (elem uint32, ok bool) {
	switch oid {
	case pgtype.Int4ArrayOID:
		return pgtype.Int4OID, true
	case pgtype.Int8ArrayOID:
		return pgtype.Int8OID, true
	case pgtype.TextArrayOID:
		return pgtype.TextOID, true
	case pgtype.UUIDArrayOID:
		return pgtype.UUIDOID, true
	}
	typ := t.lookup(oid)
	if typ == nil {
		return 0, false
	}
	codec, ok := typ.Codec.(*pgtype.ArrayCodec)
	if !ok || codec.ElementType == nil {
		return 0, false
	}
	return codec.ElementType.OID, true
}

// checkArgText refuses what the server would refuse as text in any form, so
// that the error comes before anything is sent.
func checkArgText(s []byte) error {
	if bytes.IndexByte(s, 0) >= 0 {
		return errArgNUL
	}
	if !utf8.Valid(s) {
		return errArgUTF8
	}
	return nil
}
