package codec

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

const (
	// textMaxDepth bounds composites within composites and arrays.
	textMaxDepth = 64

	// Each level of nesting doubles the quotes within, so a few bytes could
	// become a text of any length. A text is at most textMaxGrowth times as long
	// as its binary form, and may always have textMaxSmall bytes.
	textMaxGrowth = 256
	textMaxSmall  = 256 << 10
)

// jsonTextForm makes the encoder of a type that becomes a string in its text
// form.
func (t *Types) jsonTextForm(oid uint32) jsonFunc {
	return func(dst, src []byte) ([]byte, error) {
		text, err := t.textForm(nil, oid, src, 0)
		if err != nil {
			return dst, err
		}
		return appendJSONString(dst, text), nil
	}
}

// textForm appends the text form of a value in binary form, as the server
// writes it. What is made of other values is taken apart here.
func (t *Types) textForm(dst []byte, oid uint32, src []byte, depth int) ([]byte, error) {
	typ := t.lookup(oid)
	if typ == nil {
		return dst, reasonf("%s has no known binary form", t.Name(oid))
	}
	if depth > textMaxDepth {
		return dst, reasonf("values are nested more than %d deep", textMaxDepth)
	}
	start := len(dst)
	var err error
	switch codec := typ.Codec.(type) {
	case *pgtype.ArrayCodec:
		dst, err = t.textArray(dst, codec.ElementType.OID, src, depth)
	case *pgtype.RangeCodec:
		dst, err = t.textRange(dst, codec.ElementType.OID, src, depth)
	case *pgtype.MultirangeCodec:
		dst, err = t.textMultirange(dst, codec.ElementType.OID, src, depth)
	case pgtype.RecordCodec, *pgtype.CompositeCodec:
		dst, err = t.textComposite(dst, src, depth)
	default:
		var text string
		text, err = t.sourceIn(oid, BinaryFormat).textForm()(src)
		dst = append(dst, text...)
	}
	if err == nil && len(dst)-start > textMaxSmall+textMaxGrowth*len(src) {
		err = reasonf("the text of %d bytes is too long for a value of %d bytes", len(dst)-start, len(src))
	}
	return dst, err
}

// textArray writes an array literal (PostgreSQL documentation, "Array Input and
// Output Syntax"). Lower bounds other than 1 are not written.
func (t *Types) textArray(dst []byte, elem uint32, src []byte, depth int) ([]byte, error) {
	r, err := openArray(src, elem)
	if err != nil {
		return dst, err
	}
	if r.n == 0 {
		return append(dst, "{}"...), nil
	}
	delimiter := byte(',')
	if elem == pgtype.BoxOID {
		delimiter = ';'
	}
	for i := range r.count() {
		dst = r.appendOpening(dst, i, '{', delimiter)
		value, null, err := r.next()
		switch {
		case err != nil:
		case null:
			dst = append(dst, "NULL"...)
		default:
			dst, err = t.textElement(dst, elem, value, delimiter, depth)
		}
		if err != nil {
			return dst, inElement(i, err)
		}
		dst = r.appendClosing(dst, i, '}')
	}
	return dst, r.close()
}

func (t *Types) textElement(dst []byte, elem uint32, src []byte, delimiter byte, depth int) ([]byte, error) {
	text, err := t.textForm(nil, elem, src, depth+1)
	if err != nil {
		return dst, err
	}
	if len(text) == 0 || strings.EqualFold(string(text), "NULL") ||
		bytes.ContainsAny(text, "\"\\{} \t\n\r\v\f") || bytes.IndexByte(text, delimiter) >= 0 {
		return appendQuoted(dst, text), nil
	}
	return append(dst, text...), nil
}

// textComposite writes a row literal (PostgreSQL documentation, "Composite Type
// Input and Output Syntax"). The binary form is the number of fields, then type
// and value of each (PostgreSQL source, utils/adt/rowtypes.c, record_send).
func (t *Types) textComposite(dst, src []byte, depth int) ([]byte, error) {
	if len(src) < 4 {
		return dst, wrongSize(src, 4)
	}
	count := int64(binary.BigEndian.Uint32(src))
	fields := arrayReader{rest: src[4:]} // each field is a type and an element
	dst = append(dst, '(')
	for i := int64(0); i < count; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		if len(fields.rest) < 4 {
			return dst, reasonf("malformed composite: %d fields announced, %d found", count, i)
		}
		oid := binary.BigEndian.Uint32(fields.rest)
		fields.rest = fields.rest[4:]
		value, null, err := fields.next()
		if err != nil {
			return dst, err
		}
		if null {
			continue
		}
		text, err := t.textForm(nil, oid, value, depth+1)
		if err != nil {
			return dst, err
		}
		dst = appendDoubling(dst, text)
	}
	return append(dst, ')'), fields.close()
}

// The flags of a range's binary form (PostgreSQL source,
// utils/adt/rangetypes.c, range_send): the flags, then each finite bound.
const (
	rangeEmpty         = 0x01
	rangeLowerIncluded = 0x02
	rangeUpperIncluded = 0x04
	rangeLowerInfinite = 0x08
	rangeUpperInfinite = 0x10
)

func (t *Types) textRange(dst []byte, elem uint32, src []byte, depth int) ([]byte, error) {
	if len(src) == 0 {
		return dst, wrongSize(src, 1)
	}
	flags, bounds := src[0], arrayReader{rest: src[1:]}
	if flags&rangeEmpty != 0 {
		return append(dst, "empty"...), bounds.close()
	}
	bound := func(infinite byte) error {
		if flags&infinite != 0 {
			return nil
		}
		value, null, err := bounds.next()
		if err != nil || null {
			return reasonf("malformed range: a bound is missing")
		}
		text, err := t.textForm(nil, elem, value, depth+1)
		dst = appendDoubling(dst, text)
		return err
	}
	dst = append(dst, choose(flags&rangeLowerIncluded != 0, '[', '('))
	if err := bound(rangeLowerInfinite); err != nil {
		return dst, err
	}
	dst = append(dst, ',')
	if err := bound(rangeUpperInfinite); err != nil {
		return dst, err
	}
	return append(dst, choose(flags&rangeUpperIncluded != 0, ']', ')')), bounds.close()
}

func choose(yes bool, a, b byte) byte {
	if yes {
		return a
	}
	return b
}

// textMultirange writes a multirange: a number of ranges, each with its length
// (PostgreSQL source, utils/adt/multirangetypes.c, multirange_send). elem is the
// range's type.
func (t *Types) textMultirange(dst []byte, elem uint32, src []byte, depth int) ([]byte, error) {
	if len(src) < 4 {
		return dst, wrongSize(src, 4)
	}
	count := int64(binary.BigEndian.Uint32(src))
	ranges := arrayReader{rest: src[4:]}
	dst = append(dst, '{')
	for i := int64(0); i < count; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		value, null, err := ranges.next()
		if err != nil || null {
			return dst, reasonf("malformed multirange: %d ranges announced, %d found", count, i)
		}
		if dst, err = t.textForm(dst, elem, value, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), ranges.close()
}

// appendDoubling writes a field of a composite or a bound of a range, quoted
// where the server quotes; quotes and backslashes within are doubled.
func appendDoubling(dst, text []byte) []byte {
	if len(text) > 0 && !bytes.ContainsAny(text, "\"\\()[], \t\n\r\v\f") {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
