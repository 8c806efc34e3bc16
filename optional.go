package duet

import "encoding/json"

// Optional is a value that may be missing: NULL on PostgreSQL, the empty set on
// EdgeDB. The zero value is missing. It works as a destination, as an argument
// and in encoding/json, where a missing value is null.
type Optional[T any] struct {
	// Value is the value; the zero value of T when it is missing.
	Value T
	// Valid says that there is a value.
	Valid bool
}

// Some makes an Optional that has a value.
func Some[T any](v T) Optional[T] { return Optional[T]{Value: v, Valid: true} }

// None makes an Optional without a value.
func None[T any]() Optional[T] { return Optional[T]{} }

// Get gives the value and whether there is one.
func (o Optional[T]) Get() (T, bool) { return o.Value, o.Valid }

// Or gives the value, or other if it is missing.
func (o Optional[T]) Or(other T) T {
	if o.Valid {
		return o.Value
	}
	return other
}

// Set stores a value.
func (o *Optional[T]) Set(v T) { *o = Some(v) }

// Unset removes the value.
func (o *Optional[T]) Unset() { *o = Optional[T]{} }

// MarshalJSON writes the value, or null.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if !o.Valid {
		return []byte("null"), nil
	}
	return json.Marshal(o.Value)
}

// UnmarshalJSON reads a value; null makes it missing.
func (o *Optional[T]) UnmarshalJSON(data []byte) error {
	o.Unset()
	if string(data) == "null" {
		return nil
	}
	if err := json.Unmarshal(data, &o.Value); err != nil {
		return err
	}
	o.Valid = true
	return nil
}
