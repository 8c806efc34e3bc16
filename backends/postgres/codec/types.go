package codec

import (
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"
)

// The format codes of the protocol (PostgreSQL documentation, chapter
// "Frontend/Backend Protocol", section "Formats and Format Codes").
const (
	TextFormat   int16 = 0
	BinaryFormat int16 = 1
)

// Column is a column of a result as far as decoding needs it.
type Column struct {
	// Name is the column's name or alias; names may repeat.
	Name string
	// OID is the type's object id.
	OID uint32
	// TypeMod is the type modifier, -1 if there is none.
	TypeMod int32
}

// Types knows the types of one database: the built-in ones from the start, and
// those that were registered. It is shared by all connections of a pool and safe
// for concurrent use.
type Types struct {
	// maps holds *typeMap values: a pgtype.Map memoizes plans and is for one
	// goroutine at a time.
	maps sync.Pool

	mu         sync.RWMutex
	registered []*pgtype.Type
}

// typeMap is a pgtype.Map and how many of the registered types it has seen.
type typeMap struct {
	*pgtype.Map
	seen int
}

// NewTypes gives the built-in types.
func NewTypes() *Types {
	t := &Types{}
	t.maps.New = func() any { return &typeMap{Map: pgtype.NewMap()} }
	return t
}

// Register makes types known that are not built in: enums, domains, composites,
// ranges, and arrays of them. What a type is made of comes before it. A type
// must be registered before its first value is asked for: what was compiled
// without it stays as it is.
func (t *Types) Register(types ...*pgtype.Type) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.registered = append(t.registered, types...)
}

// withMap lends a pgtype.Map for the length of f.
func (t *Types) withMap(f func(m *pgtype.Map)) {
	m := t.maps.Get().(*typeMap)
	defer t.maps.Put(m)
	t.mu.RLock()
	missing := t.registered[m.seen:]
	t.mu.RUnlock()
	for _, typ := range missing {
		m.RegisterType(typ)
	}
	m.seen += len(missing)
	f(m.Map)
}

// lookup finds what pgtype knows of an oid.
func (t *Types) lookup(oid uint32) (typ *pgtype.Type) {
	t.withMap(func(m *pgtype.Map) { typ, _ = m.TypeForOID(oid) })
	return typ
}

// Name gives the type's name as the catalogue spells it ("int4", "_text"), or
// "oid N" for one that is not known.
func (t *Types) Name(oid uint32) string {
	if typ := t.lookup(oid); typ != nil {
		return typ.Name
	}
	return fmt.Sprintf("oid %d", oid)
}

// Format is the format in which results of a type are asked for and decoded:
// binary where the type is known and its binary form is, else text.
func (t *Types) Format(oid uint32) int16 {
	if typ := t.lookup(oid); typ != nil && typ.Codec.FormatSupported(pgtype.BinaryFormatCode) {
		return BinaryFormat
	}
	return TextFormat
}
