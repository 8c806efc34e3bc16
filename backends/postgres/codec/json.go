package codec

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
)

// JSONEncoder writes the rows of one statement as JSON, straight from their
// columns. Types.JSON makes it. It is safe for concurrent use.
type JSONEncoder struct {
	columns []jsonColumn
	formats []int16
	bare    bool // the only column's value instead of an object
}

type jsonColumn struct {
	name   string
	lead   []byte // what precedes the value: {"name": or ,"name":
	encode jsonFunc
}

// jsonFunc appends the JSON of a value that is not NULL. It must not keep src.
type jsonFunc func(dst, src []byte) ([]byte, error)

// JSON compiles the encoder for the columns of a statement.
//
// A row is an object with the columns in order; columns of the same name are
// all written. A result whose only column is json or jsonb is that value, and
// one whose only column is named "?column?" is the plain value. NULL is null.
// The values are what the server's to_json gives, except:
//
//   - bytea is base64 (RFC 4648, standard alphabet, padded).
//   - timestamptz is in UTC with Z. timestamp has no zone, so it is RFC 3339
//     without one: "2020-01-02T03:04:05.678". Years before 1 have the server's
//     suffix " BC", years after 9999 have more digits; neither is RFC 3339.
//   - interval is an ISO 8601 duration as with intervalstyle iso_8601:
//     "P1Y2M3DT4H5M6.7S", fields with their own signs.
//   - oid, xid, cid and xid8 are numbers.
//   - Composite values are strings, in their text form, and so are all other
//     types; within them timestamptz is in UTC. Where pgtype writes the text
//     (geometric types, tsvector) its spelling may differ from the server's.
//
// Numbers keep all their digits. NaN and the infinities of numbers are the
// strings "NaN", "Infinity" and "-Infinity", those of dates and timestamps
// "infinity" and "-infinity". Floats are the shortest decimal that reads back as
// the same float. json and jsonb are embedded as they came, checked to be JSON;
// text that is not valid UTF-8 gets replacement characters. Types that nobody
// described, and arrays of types without a binary form, are strings in the
// server's text form.
func (t *Types) JSON(cols []Column) (*JSONEncoder, error) {
	e := &JSONEncoder{
		columns: make([]jsonColumn, len(cols)),
		formats: make([]int16, len(cols)),
	}
	for i, col := range cols {
		lead := byte(',')
		if i == 0 {
			lead = '{'
		}
		key := appendJSONString([]byte{lead}, []byte(col.Name))
		e.columns[i] = jsonColumn{name: col.Name, lead: append(key, ':'), encode: t.jsonFunc(col.OID)}
		e.formats[i] = t.Format(col.OID)
	}
	if len(cols) == 1 {
		base, _ := t.baseOID(cols[0].OID)
		e.bare = isJSONOID(base) || cols[0].Name == "?column?"
	}
	return e, nil
}

// Formats gives the format codes in which AppendRow expects the columns, in
// their order.
func (e *JSONEncoder) Formats() []int16 { return slices.Clone(e.formats) }

// AppendRow appends a row. row is the body of a DataRow message (PostgreSQL
// documentation, "Message Formats"), which is not kept; n is the row's number,
// from 1, for errors, which are *DecodeError. After an error dst has its old
// length. It allocates only for dst, and for types outside the common ones.
func (e *JSONEncoder) AppendRow(dst, row []byte, n int) ([]byte, error) {
	if len(row) < 2 || int(binary.BigEndian.Uint16(row)) != len(e.columns) {
		return dst, wrongCount(row, len(e.columns), n)
	}
	rest := row[2:]
	out := dst
	if len(e.columns) == 0 {
		out = append(out, '{')
	}
	for i := range e.columns {
		if len(rest) < 4 {
			return dst, malformed(n, "it ends before column %d", i+1)
		}
		size := int(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		if size > len(rest) || size < -1 {
			return dst, malformed(n, "column %d has %d bytes where %d are left", i+1, size, len(rest))
		}
		col := &e.columns[i]
		if !e.bare {
			out = append(out, col.lead...)
		}
		if size < 0 {
			out = append(out, "null"...)
			continue
		}
		var err error
		if out, err = col.encode(out, rest[:size:size]); err != nil {
			return dst, inColumn(n, col.name, err)
		}
		rest = rest[size:]
	}
	if len(rest) > 0 {
		return dst, malformed(n, "%d bytes follow its last column", len(rest))
	}
	if !e.bare {
		out = append(out, '}')
	}
	return out, nil
}

// jsonFunc chooses the encoder of a type, for the format that Format gives it.
func (t *Types) jsonFunc(oid uint32) jsonFunc {
	base, known := t.baseOID(oid)
	if !known || t.Format(oid) == TextFormat {
		return jsonString
	}
	switch base {
	case pgtype.TextOID, pgtype.XMLOID:
		return jsonString
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		return jsonIntFunc(base)
	case pgtype.OIDOID, pgtype.XIDOID, pgtype.CIDOID:
		return jsonUint32
	case pgtype.XID8OID, pgtype.OID8OID:
		return jsonUint64
	case pgtype.BoolOID:
		return jsonBool
	case pgtype.Float8OID:
		return jsonFloat8
	case pgtype.Float4OID:
		return jsonFloat4
	case pgtype.NumericOID:
		return jsonNumeric
	case pgtype.ByteaOID:
		return jsonBytea
	case pgtype.UUIDOID:
		return jsonUUID
	case pgtype.JSONOID:
		return jsonJSON
	case pgtype.JSONBOID:
		return jsonJSONB
	case pgtype.QCharOID:
		return jsonChar
	case pgtype.InetOID, pgtype.CIDROID:
		return jsonInet
	case pgtype.MacaddrOID, pgtype.Macaddr8OID:
		return jsonMacaddr
	default:
		return t.jsonFuncRare(oid, base)
	}
}

func (t *Types) jsonFuncRare(oid, base uint32) jsonFunc {
	switch base {
	case pgtype.DateOID:
		return jsonDate
	case pgtype.TimeOID:
		return jsonTime
	case pgtype.TimestampOID:
		return jsonTimestamp
	case pgtype.TimestamptzOID:
		return jsonTimestamptz
	case pgtype.IntervalOID:
		return jsonInterval
	}
	if elem, ok := t.arrayElement(oid); ok {
		return jsonArrayFunc(elem, t.jsonFunc(elem))
	}
	return t.jsonTextForm(oid)
}
