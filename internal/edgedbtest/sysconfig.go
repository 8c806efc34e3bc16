package edgedbtest

import (
	"encoding/binary"
	"time"
)

// idleTimeout is the session_idle_timeout that the server tells of. It is not
// enforced.
const idleTimeout = time.Minute

// systemConfig is the value of the parameter system_config: the descriptor of
// cfg::Config { id, session_idle_timeout } in the protocol's major version, and
// an object (EdgeDB documentation, "Message Formats", ParameterStatus).
func systemConfig(major int) []byte {
	shape := []byte{0x27, 0x1b, 0x1c, 0x53, 0xdf, 0x6f, 0x51, 0x88, 0xac, 0xbf, 0x79, 0xfd, 0x6d, 0xd4, 0xee, 0x60}
	objectType := []byte{0x36, 0x31, 0x33, 0xb1, 0xe9, 0x93, 0x50, 0xa0, 0x94, 0xd3, 0xaa, 0x04, 0x72, 0xb1, 0xa0, 0xa7}
	stdUUID, stdDuration := append(make([]byte, 14), 1, 0), append(make([]byte, 14), 1, 0x0e)
	descriptor := append([]byte{}, shape...)
	if major > 1 {
		descriptor = append(descriptor, sized(scalarDescriptor(stdUUID, "std::uuid"))...)
		descriptor = append(descriptor, sized(scalarDescriptor(stdDuration, "std::duration"))...)
		descriptor = append(descriptor, sized(objectDescriptor(objectType, "cfg::Config"))...)
		fields := append([]byte{1}, shape...)
		fields = append(fields, 0, 0, 2, 0, 2) // not a free object; of the type at 2; two elements
		fields = append(appendText(append(fields, 0, 0, 0, 1, 'A'), "id"), 0, 0, 0, 2)
		fields = append(appendText(append(fields, 0, 0, 0, 0, 'A'), "session_idle_timeout"), 0, 1, 0, 2)
		descriptor = append(descriptor, sized(fields)...)
	} else {
		descriptor = append(append(descriptor, 2), stdUUID...)
		descriptor = append(append(descriptor, 2), stdDuration...)
		descriptor = append(append(descriptor, 1), shape...)
		descriptor = append(descriptor, 0, 2)
		descriptor = append(appendText(append(descriptor, 0, 0, 0, 1, 'A'), "id"), 0, 0)
		descriptor = append(appendText(append(descriptor, 0, 0, 0, 0, 'A'), "session_idle_timeout"), 0, 1)
	}
	object := binary.BigEndian.AppendUint32(nil, 2)
	id := []byte{0x17, 0x20, 0x97, 0xa4, 0x39, 0xf4, 0x11, 0xe9, 0xb1, 0x89, 0x93, 0x21, 0xeb, 0x2f, 0x4b, 0x97}
	object = appendElement(object, 0x0b86, id)
	interval := binary.BigEndian.AppendUint64(nil, uint64(idleTimeout.Microseconds()))
	object = appendElement(object, 0x4076, append(interval, make([]byte, 8)...))
	return append(sized(descriptor), sized(object)...)
}

func scalarDescriptor(id []byte, name string) []byte {
	d := append([]byte{3}, id...)
	return append(appendText(d, name), 1, 0, 0) // of the schema, without ancestors
}

// sized puts the length in front.
func sized(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// appendElement appends an element of an object: four bytes that mean nothing,
// and the value.
func appendElement(b []byte, reserved uint32, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, reserved), sized(value)...)
}
