package decode

// The methods by which edgedb-go asks an argument for its bytes. Which one it calls
// is decided by the parameter's declared type.

func (a arg) MarshalEdgeDBStr() ([]byte, error)              { return a.wire(scalarStr) }
func (a arg) MarshalEdgeDBBool() ([]byte, error)             { return a.wire(scalarBool) }
func (a arg) MarshalEdgeDBInt16() ([]byte, error)            { return a.wire(scalarInt16) }
func (a arg) MarshalEdgeDBInt32() ([]byte, error)            { return a.wire(scalarInt32) }
func (a arg) MarshalEdgeDBInt64() ([]byte, error)            { return a.wire(scalarInt64) }
func (a arg) MarshalEdgeDBFloat32() ([]byte, error)          { return a.wire(scalarFloat32) }
func (a arg) MarshalEdgeDBFloat64() ([]byte, error)          { return a.wire(scalarFloat64) }
func (a arg) MarshalEdgeDBBigInt() ([]byte, error)           { return a.wire(scalarBigInt) }
func (a arg) MarshalEdgeDBDecimal() ([]byte, error)          { return a.wire(scalarDecimal) }
func (a arg) MarshalEdgeDBBytes() ([]byte, error)            { return a.wire(scalarBytes) }
func (a arg) MarshalEdgeDBUUID() ([]byte, error)             { return a.wire(scalarUUID) }
func (a arg) MarshalEdgeDBJSON() ([]byte, error)             { return a.wire(scalarJSON) }
func (a arg) MarshalEdgeDBDateTime() ([]byte, error)         { return a.wire(scalarDateTime) }
func (a arg) MarshalEdgeDBLocalDateTime() ([]byte, error)    { return a.wire(scalarLocalDateTime) }
func (a arg) MarshalEdgeDBLocalDate() ([]byte, error)        { return a.wire(scalarLocalDate) }
func (a arg) MarshalEdgeDBLocalTime() ([]byte, error)        { return a.wire(scalarLocalTime) }
func (a arg) MarshalEdgeDBDuration() ([]byte, error)         { return a.wire(scalarDuration) }
func (a arg) MarshalEdgeDBRelativeDuration() ([]byte, error) { return a.wire(scalarRelativeDuration) }
func (a arg) MarshalEdgeDBDateDuration() ([]byte, error)     { return a.wire(scalarDateDuration) }
func (a arg) MarshalEdgeDBMemory() ([]byte, error)           { return a.wire(scalarMemory) }

func (i *item) MarshalEdgeDBStr() ([]byte, error)              { return i.wire(scalarStr) }
func (i *item) MarshalEdgeDBBool() ([]byte, error)             { return i.wire(scalarBool) }
func (i *item) MarshalEdgeDBInt16() ([]byte, error)            { return i.wire(scalarInt16) }
func (i *item) MarshalEdgeDBInt32() ([]byte, error)            { return i.wire(scalarInt32) }
func (i *item) MarshalEdgeDBInt64() ([]byte, error)            { return i.wire(scalarInt64) }
func (i *item) MarshalEdgeDBFloat32() ([]byte, error)          { return i.wire(scalarFloat32) }
func (i *item) MarshalEdgeDBFloat64() ([]byte, error)          { return i.wire(scalarFloat64) }
func (i *item) MarshalEdgeDBBigInt() ([]byte, error)           { return i.wire(scalarBigInt) }
func (i *item) MarshalEdgeDBDecimal() ([]byte, error)          { return i.wire(scalarDecimal) }
func (i *item) MarshalEdgeDBBytes() ([]byte, error)            { return i.wire(scalarBytes) }
func (i *item) MarshalEdgeDBUUID() ([]byte, error)             { return i.wire(scalarUUID) }
func (i *item) MarshalEdgeDBJSON() ([]byte, error)             { return i.wire(scalarJSON) }
func (i *item) MarshalEdgeDBDateTime() ([]byte, error)         { return i.wire(scalarDateTime) }
func (i *item) MarshalEdgeDBLocalDateTime() ([]byte, error)    { return i.wire(scalarLocalDateTime) }
func (i *item) MarshalEdgeDBLocalDate() ([]byte, error)        { return i.wire(scalarLocalDate) }
func (i *item) MarshalEdgeDBLocalTime() ([]byte, error)        { return i.wire(scalarLocalTime) }
func (i *item) MarshalEdgeDBDuration() ([]byte, error)         { return i.wire(scalarDuration) }
func (i *item) MarshalEdgeDBRelativeDuration() ([]byte, error) { return i.wire(scalarRelativeDuration) }
func (i *item) MarshalEdgeDBDateDuration() ([]byte, error)     { return i.wire(scalarDateDuration) }
func (i *item) MarshalEdgeDBMemory() ([]byte, error)           { return i.wire(scalarMemory) }
