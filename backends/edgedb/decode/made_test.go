package decode_test

import (
	"encoding/binary"
	"slices"
)

// made is a type of a made-up reply, in the words of EdgeDB's documentation, "Type
// descriptors", for protocol 2.0.
type made struct {
	tag    byte // 0 set, 1 object, 3 scalar, 4 tuple, 5 named tuple, 6 array, 9 range, 12 multirange
	scalar byte // the last byte of a scalar's id
	elem   *made
	fields []madeField
}

type madeField struct {
	name string
	card byte // 'A' required, 'o' optional, 'm' many
	typ  made
}

// The scalars, by the last byte of their ids.
var scalarIDs = map[string]byte{
	"uuid": 0, "str": 1, "bytes": 2, "int16": 3, "int32": 4, "int64": 5, "float32": 6, "float64": 7, "decimal": 8, "bool": 9, "datetime": 10,
	"local_datetime": 11, "local_date": 12, "local_time": 13, "duration": 14, "json": 15, "bigint": 16, "relative_duration": 17, "date_duration": 18,
	"memory": 0x30, "vector": 0xee,
}

func scalarOf(name string) made {
	id, ok := scalarIDs[name]
	if !ok {
		panic(name)
	}
	return made{tag: 3, scalar: id}
}

func object(fields ...madeField) made          { return made{tag: 1, fields: fields} }
func tuple(fields ...madeField) made           { return made{tag: 4, fields: fields} }
func namedTuple(fields ...madeField) made      { return made{tag: 5, fields: fields} }
func setOf(elem made) made                     { return made{tag: 0, elem: &elem} }
func arrayOf(elem made) made                   { return made{tag: 6, elem: &elem} }
func rangeOf(elem made) made                   { return made{tag: 9, elem: &elem} }
func multirangeOf(elem made) made              { return made{tag: 12, elem: &elem} }
func required(name string, typ made) madeField { return madeField{name, 'A', typ} }
func optional(name string, typ made) madeField { return madeField{name, 'o', typ} }
func multi(name string, typ made) madeField    { return madeField{name, 'm', setOf(typ)} }
func element(typ made) madeField               { return madeField{"", 'A', typ} }

// descriptors writes types one after the other.
type descriptors struct {
	out   []byte
	count uint16
	ids   uint32
}

// id makes a type's id: the documented one for scalars, which differ in the last
// byte.
func (d *descriptors) id(m made) [16]byte {
	if m.tag == 3 {
		return [16]byte{14: 1, 15: m.scalar}
	}
	d.ids++
	id := [16]byte{0: 0xd0}
	binary.BigEndian.PutUint32(id[1:], d.ids)
	return id
}

func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func u16(b []byte, n int) []byte { return binary.BigEndian.AppendUint16(b, uint16(n)) }

// add writes m after what it is made of, and gives its position and its id.
func (d *descriptors) add(m made) (int, [16]byte) {
	var positions []int
	if m.elem != nil {
		at, _ := d.add(*m.elem)
		positions = append(positions, at)
	}
	for _, f := range m.fields {
		at, _ := d.add(f.typ)
		positions = append(positions, at)
	}
	id := d.id(m)
	b := append([]byte{m.tag}, id[:]...)
	switch m.tag {
	case 0:
		b = u16(b, positions[0])
	case 1:
		b = u16(append(b, 1, 0, 0), len(m.fields))
		for i, f := range m.fields {
			b = text(append(b, 0, 0, 0, 0, f.card), f.name)
			b = u16(u16(b, positions[i]), 0)
		}
	case 3:
		b = u16(append(text(b, "std::x"), 1), 0)
	case 4, 5:
		b = u16(u16(append(text(b, "tuple"), 1), 0), len(m.fields))
		for i, f := range m.fields {
			if m.tag == 5 {
				b = text(b, f.name)
			}
			b = u16(b, positions[i])
		}
	case 6:
		b = u16(u16(append(text(b, "array"), 1), 0), positions[0])
		b = append(b, 0, 1, 0xff, 0xff, 0xff, 0xff)
	default:
		b = u16(u16(append(text(b, "range"), 1), 0), positions[0])
	}
	d.out = append(binary.BigEndian.AppendUint32(d.out, uint32(len(b))), b...)
	d.out = slices.Clip(d.out)
	at := int(d.count)
	d.count++
	return at, id
}

// describe makes a reply's description; args is an object, or the zero made.
func (m made) describe(args made, salt uint32, card byte) []byte {
	d := &descriptors{ids: salt << 8}
	_, id := d.add(m)
	out := make([]byte, 8, 200)
	out = append(out, card)
	in := &descriptors{ids: salt<<8 + 128}
	var inID [16]byte
	if args.tag != 0 {
		_, inID = in.add(args)
	}
	out = append(out, inID[:]...)
	out = append(binary.BigEndian.AppendUint32(out, uint32(len(in.out))), in.out...)
	out = append(out, id[:]...)
	return append(binary.BigEndian.AppendUint32(out, uint32(len(d.out))), d.out...)
}

// statement is a made-up command: rows are the values of its rows, json its result
// as JSON.
type statement struct {
	cmd  string
	typ  made
	args made
	rows [][]byte
	json string
	// one says that the command gives at most one row.
	one bool
}

// makeReplies makes the replies of commands.
func makeReplies(list ...statement) map[replyKey]reply {
	replies := map[replyKey]reply{}
	for i, s := range list {
		card := byte('m')
		if s.one {
			card = 'o'
		}
		r := reply{describe: s.typ.describe(s.args, uint32(2*i+1), card)}
		for _, row := range s.rows {
			r.data = append(r.data, dataOf(row))
		}
		replies[replyKey{'b', s.cmd}] = r
		replies[replyKey{'j', s.cmd}] = reply{describe: scalarOf("str").describe(s.args, uint32(2*i+2), card), data: [][]byte{dataOf([]byte(s.json))}}
	}
	return replies
}

func dataOf(row []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0, 1}, uint32(len(row))), row...)
}

// fieldsOf is the value of an object or a tuple; nil is a missing field.
func fieldsOf(values ...[]byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(values)))
	for _, v := range values {
		b = sized(append(b, 0, 0, 0, 0), v)
	}
	return b
}

func sized(b, v []byte) []byte {
	if v == nil {
		return append(b, 0xff, 0xff, 0xff, 0xff)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}

// listOf is the value of an array or a set.
func listOf(values ...[]byte) []byte {
	if len(values) == 0 {
		return make([]byte, 12)
	}
	b := append([]byte{0, 0, 0, 1}, make([]byte, 8)...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(values)))
	b = append(b, 0, 0, 0, 1)
	for _, v := range values {
		b = sized(b, v)
	}
	return b
}

func int64Of(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

func int32Of(v int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

// bytesOf is a value's bytes; what is empty is not missing.
func bytesOf(s string) []byte { return append([]byte{}, s...) }
