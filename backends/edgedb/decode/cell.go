package decode

// cell takes a value of any scalar type. edgedb-go finds the method for the
// value's type by name and calls it with the value's bytes, so a cell learns the
// type that edgedb-go tells nobody. It is an array because a struct or a slice
// could be taken for an object's or a set's place. It is slow: where the type is
// known, edgedb-go's own types are used.
type cell [1]cellState

type cellState struct {
	scalar scalar
	// seen says that the field exists, also where it was missing in this row.
	seen bool
	// raw is the value in the format of the wire.
	raw []byte
}

func (c *cell) keep(s scalar, data []byte) error {
	c[0] = cellState{scalar: s, seen: true, raw: append([]byte{}, data...)}
	return nil
}

// SetMissing is called before a value with false, and with true where there is
// none.
func (c *cell) SetMissing(bool) { c[0].seen = true }

func (c *cell) UnmarshalEdgeDBStr(b []byte) error           { return c.keep(scalarStr, b) }
func (c *cell) UnmarshalEdgeDBBool(b []byte) error          { return c.keep(scalarBool, b) }
func (c *cell) UnmarshalEdgeDBInt16(b []byte) error         { return c.keep(scalarInt16, b) }
func (c *cell) UnmarshalEdgeDBInt32(b []byte) error         { return c.keep(scalarInt32, b) }
func (c *cell) UnmarshalEdgeDBInt64(b []byte) error         { return c.keep(scalarInt64, b) }
func (c *cell) UnmarshalEdgeDBFloat32(b []byte) error       { return c.keep(scalarFloat32, b) }
func (c *cell) UnmarshalEdgeDBFloat64(b []byte) error       { return c.keep(scalarFloat64, b) }
func (c *cell) UnmarshalEdgeDBBigInt(b []byte) error        { return c.keep(scalarBigInt, b) }
func (c *cell) UnmarshalEdgeDBDecimal(b []byte) error       { return c.keep(scalarDecimal, b) }
func (c *cell) UnmarshalEdgeDBBytes(b []byte) error         { return c.keep(scalarBytes, b) }
func (c *cell) UnmarshalEdgeDBUUID(b []byte) error          { return c.keep(scalarUUID, b) }
func (c *cell) UnmarshalEdgeDBJSON(b []byte) error          { return c.keep(scalarJSON, b) }
func (c *cell) UnmarshalEdgeDBDateTime(b []byte) error      { return c.keep(scalarDateTime, b) }
func (c *cell) UnmarshalEdgeDBLocalDateTime(b []byte) error { return c.keep(scalarLocalDateTime, b) }
func (c *cell) UnmarshalEdgeDBLocalDate(b []byte) error     { return c.keep(scalarLocalDate, b) }
func (c *cell) UnmarshalEdgeDBLocalTime(b []byte) error     { return c.keep(scalarLocalTime, b) }
func (c *cell) UnmarshalEdgeDBDuration(b []byte) error      { return c.keep(scalarDuration, b) }
func (c *cell) UnmarshalEdgeDBDateDuration(b []byte) error  { return c.keep(scalarDateDuration, b) }
func (c *cell) UnmarshalEdgeDBMemory(b []byte) error        { return c.keep(scalarMemory, b) }
func (c *cell) UnmarshalEdgeDBRelativeDuration(b []byte) error {
	return c.keep(scalarRelativeDuration, b)
}

// decimal is a decimal's text, every digit of it: edgedb-go has no type for
// decimals.
type decimal struct {
	text string
	set  bool
}

// Get gives the text, and whether there is one.
func (d decimal) Get() (string, bool) { return d.text, d.set }

// SetMissing is called as for a cell.
func (d *decimal) SetMissing(bool) { *d = decimal{} }

// UnmarshalEdgeDBDecimal reads the format of the wire.
func (d *decimal) UnmarshalEdgeDBDecimal(data []byte) error {
	text, err := numericText(data)
	if err != nil {
		return err
	}
	*d = decimal{text: text, set: true}
	return nil
}
