package fields

import (
	"reflect"
	"strings"
)

// rootPath is the package that declares Optional. It is compared by name, as
// that package may come to import this one.
const rootPath = "github.com/duetdb/duet"

// IsOptional says whether t is a duet.Optional[T], and where in it the value and
// the bool that says whether there is one lie.
func IsOptional(t reflect.Type) (value reflect.Type, valueOffset, validOffset uintptr, ok bool) {
	if t.Kind() != reflect.Struct || t.PkgPath() != rootPath || !strings.HasPrefix(t.Name(), "Optional[") {
		return nil, 0, 0, false
	}
	v, okValue := t.FieldByName("Value")
	valid, okValid := t.FieldByName("Valid")
	if !okValue || !okValid || valid.Type.Kind() != reflect.Bool {
		return nil, 0, 0, false
	}
	return v.Type, v.Offset, valid.Offset, true
}
