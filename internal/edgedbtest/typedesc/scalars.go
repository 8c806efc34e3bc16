package typedesc

// scalar is what is known of a scalar of the standard library.
type scalar struct {
	// id is the last two bytes of the type's id; the others are zero.
	id uint16
	// oid, array, rng and multirange are PostgreSQL's types for the scalar, its
	// array, its range and its multirange; 0 where there is none.
	oid, array, rng, multirange uint32
}

// scalars are the fundamental scalar types: the table of the page "Type
// descriptors", and pg_type.
var scalars = map[string]scalar{
	"std::uuid":              {id: 0x100, oid: 2950, array: 2951},
	"std::str":               {id: 0x101, oid: 25, array: 1009},
	"std::bytes":             {id: 0x102, oid: 17, array: 1001},
	"std::int16":             {id: 0x103, oid: 21, array: 1005},
	"std::int32":             {id: 0x104, oid: 23, array: 1007, rng: 3904, multirange: 4451},
	"std::int64":             {id: 0x105, oid: 20, array: 1016, rng: 3926, multirange: 4536},
	"std::float32":           {id: 0x106, oid: 700, array: 1021},
	"std::float64":           {id: 0x107, oid: 701, array: 1022},
	"std::decimal":           {id: 0x108, oid: 1700, array: 1231, rng: 3906, multirange: 4532},
	"std::bool":              {id: 0x109, oid: 16, array: 1000},
	"std::datetime":          {id: 0x10a, oid: 1184, array: 1185, rng: 3910, multirange: 4534},
	"cal::local_datetime":    {id: 0x10b, oid: 1114, array: 1115, rng: 3908, multirange: 4533},
	"cal::local_date":        {id: 0x10c, oid: 1082, array: 1182, rng: 3912, multirange: 4535},
	"cal::local_time":        {id: 0x10d, oid: 1083, array: 1183},
	"std::duration":          {id: 0x10e, oid: 1186, array: 1187},
	"std::json":              {id: 0x10f, oid: 3802, array: 3807},
	"std::bigint":            {id: 0x110, oid: 1700, array: 1231},
	"cal::relative_duration": {id: 0x111, oid: 1186, array: 1187},
	"cal::date_duration":     {id: 0x112, oid: 1186, array: 1187},
	"cfg::memory":            {id: 0x130, oid: 20, array: 1016},
}
