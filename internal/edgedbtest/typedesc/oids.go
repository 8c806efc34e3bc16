package typedesc

// PostgreSQL's types that have a meaning of their own here: pg_type.
const (
	oidText        = 25
	oidVarchar     = 1043
	oidBpchar      = 1042
	oidName        = 19
	oidJSON        = 114
	oidJSONB       = 3802
	oidRecord      = 2249
	oidRecordArray = 2287
	// oidFirstUser is the first type that is not PostgreSQL's own.
	oidFirstUser = 16384
)

// oid gives PostgreSQL's type for values of a type, 0 where it depends on the
// database.
func (t *Type) oid() uint32 {
	switch t.Kind {
	case Scalar:
		return scalars[t.Name].oid
	case Array:
		return t.Elem.arrayOID()
	case Tuple, NamedTuple, Object:
		return oidRecord
	case Range:
		return scalars[t.Elem.scalarName()].rng
	case Multirange:
		return scalars[t.Elem.scalarName()].multirange
	}
	return 0
}

// arrayOID gives PostgreSQL's type for arrays of values of a type, 0 where it
// depends on the database.
func (t *Type) arrayOID() uint32 {
	switch t.Kind {
	case Scalar:
		return scalars[t.Name].array
	case Tuple, NamedTuple, Object:
		return oidRecordArray
	}
	return 0
}

// scalarName is the name of a scalar, "" of other types.
func (t *Type) scalarName() string {
	if t.Kind == Scalar {
		return t.Name
	}
	return ""
}

// fieldOID is what stands before a field's value in a tuple or an object. The
// documentation calls it reserved; a real server writes PostgreSQL's type.
func fieldOID(f Field) uint32 {
	if f.Cardinality == Many || f.Cardinality == AtLeastOne {
		return f.Type.arrayOID()
	}
	return f.Type.oid()
}
