package codec

import "github.com/jackc/pgx/v5/pgtype"

// class groups the types whose values look alike on the wire.
type class uint8

const (
	// classOther is what pgtype decodes for us.
	classOther class = iota
	// classText is also every value that comes in text format.
	classText
	classBool
	classInt2
	classInt4
	classInt8
	// classUint4 is oid, xid and cid; classUint8 is xid8.
	classUint4
	classUint8
	// classChar is the one-byte type "char".
	classChar
	classFloat4
	classFloat8
	classNumeric
	classBytea
	classUUID
	classDate
	classTime
	classTimestamp
	classTimestamptz
	classInterval
	classJSON
	classJSONB
	classInet
	classArray
	// classComposite is a composite type whose fields are known.
	classComposite
)

// source is what a decoder decodes: a type and the format it comes in.
type source struct {
	types  *Types
	oid    uint32
	format int16
	class  class
	// elem is the element's source where class is classArray.
	elem *source
	// composite are the fields where class is classComposite.
	composite []pgtype.CompositeCodecField
}

// name is the type's name, for messages.
func (s *source) name() string { return s.types.Name(s.oid) }

// source describes what a column of type oid brings.
func (t *Types) source(oid uint32) *source {
	return t.sourceIn(oid, t.Format(oid))
}

func (t *Types) sourceIn(oid uint32, format int16) *source {
	s := &source{types: t, oid: oid, format: format}
	if format == TextFormat {
		s.class = classText
		return s
	}
	typ := t.lookup(oid)
	if typ == nil {
		return s
	}
	switch codec := typ.Codec.(type) {
	case *pgtype.ArrayCodec:
		if codec.ElementType != nil {
			s.class, s.elem = classArray, t.sourceIn(codec.ElementType.OID, BinaryFormat)
		}
	case *pgtype.CompositeCodec:
		s.class, s.composite = classComposite, codec.Fields
	default:
		s.class = classOfCodec(typ.Codec)
	}
	return s
}

// classOfCodec goes by the codec and not by the oid, as domains and the types of
// extensions have codecs of built-in types but oids of their own.
func classOfCodec(codec pgtype.Codec) class {
	switch codec.(type) {
	case pgtype.BoolCodec, *pgtype.BoolCodec:
		return classBool
	case pgtype.Int2Codec, *pgtype.Int2Codec:
		return classInt2
	case pgtype.Int4Codec, *pgtype.Int4Codec:
		return classInt4
	case pgtype.Int8Codec, *pgtype.Int8Codec:
		return classInt8
	case pgtype.Uint32Codec, *pgtype.Uint32Codec:
		return classUint4
	case pgtype.Uint64Codec, *pgtype.Uint64Codec:
		return classUint8
	case pgtype.QCharCodec, *pgtype.QCharCodec:
		return classChar
	case pgtype.Float4Codec, *pgtype.Float4Codec:
		return classFloat4
	case pgtype.Float8Codec, *pgtype.Float8Codec:
		return classFloat8
	case pgtype.NumericCodec, *pgtype.NumericCodec:
		return classNumeric
	case pgtype.ByteaCodec, *pgtype.ByteaCodec:
		return classBytea
	case pgtype.UUIDCodec, *pgtype.UUIDCodec:
		return classUUID
	case pgtype.TextCodec, *pgtype.TextCodec, *pgtype.EnumCodec, *pgtype.XMLCodec:
		return classText
	case *pgtype.JSONCodec:
		return classJSON
	case *pgtype.JSONBCodec:
		return classJSONB
	case pgtype.InetCodec, *pgtype.InetCodec:
		return classInet
	default:
		return classOfTime(codec)
	}
}

func classOfTime(codec pgtype.Codec) class {
	switch codec.(type) {
	case pgtype.DateCodec, *pgtype.DateCodec:
		return classDate
	case pgtype.TimeCodec, *pgtype.TimeCodec:
		return classTime
	case *pgtype.TimestampCodec:
		return classTimestamp
	case *pgtype.TimestamptzCodec:
		return classTimestamptz
	case pgtype.IntervalCodec, *pgtype.IntervalCodec:
		return classInterval
	default:
		return classOther
	}
}
