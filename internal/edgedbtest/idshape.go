package edgedbtest

import (
	"crypto/sha1"

	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// An insert, update or delete that is not read back gives objects with nothing
// but their id. The catalogue declares that as no result at all.

// idType is the type of those objects.
func idType(object string) *typedesc.Type {
	return &typedesc.Type{Kind: typedesc.Object, Name: object, Fields: []typedesc.Field{
		{Name: "id", Type: &typedesc.Type{Name: "std::uuid"}, Cardinality: typedesc.ExactlyOne},
	}}
}

// idDescriptor is its descriptor (EdgeDB documentation, "Type descriptors").
func idDescriptor(object string, major int) (typedesc.UUID, []byte) {
	stdUUID := append(make([]byte, 14), 1, 0)
	objectID, shapeID := namedID(object), namedID("shape of the id of "+object)
	if major < 2 {
		d := append([]byte{2}, stdUUID...)
		d = append(append(append(d, 1), shapeID[:]...), 0, 1)
		return shapeID, append(appendText(append(d, 0, 0, 0, 1, 'A'), "id"), 0, 0)
	}
	d := sized(scalarDescriptor(stdUUID, "std::uuid"))
	d = append(d, sized(objectDescriptor(objectID[:], object))...)
	shape := append([]byte{1}, shapeID[:]...)
	shape = append(shape, 0, 0, 1, 0, 1) // not a free object; of the type at 1; one element
	shape = append(appendText(append(shape, 0, 0, 0, 1, 'A'), "id"), 0, 0, 0, 1)
	return shapeID, append(d, sized(shape)...)
}

func objectDescriptor(id []byte, name string) []byte {
	return append(appendText(append([]byte{10}, id...), name), 1) // defined by the schema
}

// namedID is an id that belongs to a name.
func namedID(name string) (id typedesc.UUID) {
	sum := sha1.Sum([]byte("edgedbtest " + name))
	copy(id[:], sum[:])
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	return id
}
