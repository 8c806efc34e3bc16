package codec

import (
	"reflect"
	"unsafe"
)

// This is the only file of the package that imports unsafe. A decoder is
// compiled for one Go type and is only ever given addresses of values of that
// type, so a store here is the store that the compiler would have written. What
// it pays is measured by BenchmarkStore.

// ptr is the address of a value whose type the decoder knows.
type ptr = unsafe.Pointer

// at is the address of what lies offset bytes into the value at p.
func at(p ptr, offset uintptr) ptr { return unsafe.Add(p, offset) }

// store writes v at p, where a value of T or of a type of the same layout lies.
func store[T any](p ptr, v T) { *(*T)(p) = v }

// ref gives a typed pointer.
func ref[T any](p ptr) *T { return (*T)(p) }

// addressOf is the address of v.
func addressOf[T any](v *T) ptr { return ptr(v) }

// valueAt is the value of type t at p, addressable and settable.
func valueAt(p ptr, t reflect.Type) reflect.Value { return reflect.NewAt(t, p).Elem() }

// pointerOf is the address that v, a pointer, holds.
func pointerOf(v reflect.Value) ptr { return v.UnsafePointer() }

// allocate makes a zero value of type t.
func allocate(t reflect.Type) ptr { return reflect.New(t).UnsafePointer() }

// sliceHeader is how Go lays out a slice.
type sliceHeader struct {
	data     ptr
	len, cap int
}

// anySize is the size of an interface value.
const anySize = unsafe.Sizeof(any(nil))
