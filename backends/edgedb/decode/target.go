package decode

import (
	"fmt"
	"reflect"
)

// RowsTarget checks out, a *[]T, and gives T. It does not touch what out points
// to.
func RowsTarget(out any) (reflect.Type, error) {
	v := reflect.ValueOf(out)
	if !v.IsValid() || v.Kind() != reflect.Pointer || v.Type().Elem().Kind() != reflect.Slice {
		return nil, fmt.Errorf("the destination must be a pointer to a slice, such as *[]T, and is %s", nameType(out))
	}
	if v.IsNil() {
		return nil, fmt.Errorf("the destination is a nil %T: pass the address of a slice", out)
	}
	return v.Type().Elem().Elem(), nil
}

// RowTarget checks out, a *T, and gives T. It does not touch what out points to.
func RowTarget(out any) (reflect.Type, error) {
	v := reflect.ValueOf(out)
	if !v.IsValid() || v.Kind() != reflect.Pointer {
		return nil, fmt.Errorf("the destination must be a pointer, and is %s", nameType(out))
	}
	if v.IsNil() {
		return nil, fmt.Errorf("the destination is a nil %T: pass the address of a value", out)
	}
	return v.Type().Elem(), nil
}

// nameType names what was passed where something else is wanted.
func nameType(out any) string {
	if out == nil {
		return "nil"
	}
	return reflect.TypeOf(out).String()
}

// ResetRows makes out, a target that [RowsTarget] took, an empty slice that is not
// nil and shares nothing with what it held.
func ResetRows(out any) {
	v := reflect.ValueOf(out).Elem()
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
}

// Reset sets what out, a target that [RowTarget] took, points to to its zero value.
func Reset(out any) { reflect.ValueOf(out).Elem().SetZero() }
