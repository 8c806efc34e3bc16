package decode

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"time"
	"unicode/utf8"
)

var (
	errNUL  = errors.New("text cannot contain NUL")
	errUTF8 = errors.New("text is not valid UTF-8")
)

// checkText refuses what the server would refuse in a text of any type.
func checkText(text []byte) error {
	switch {
	case bytes.IndexByte(text, 0) >= 0:
		return errNUL
	case !utf8.Valid(text):
		return errUTF8
	default:
		return nil
	}
}

// argText is the text of a value for a type that has a form as text: strings of
// any type, and what marshals itself as one. The text of some Go types is none.
func argText(v any) (text string, ok bool, err error) {
	if isNative(v) {
		return "", false, nil
	}
	return anyText(v)
}

// isNative says whether v is of the standard library's types that have rules of
// their own.
func isNative(v any) bool {
	switch v.(type) {
	case time.Time, time.Duration, netip.Addr, netip.Prefix, net.IP, *big.Int, *big.Rat, *big.Float, big.Int, big.Rat, big.Float:
		return true
	default:
		return false
	}
}

// anyText is the text of whatever has one.
func anyText(v any) (text string, ok bool, err error) {
	b, ok, err := textBytes(v)
	if err == nil {
		err = checkText(b)
	}
	if err != nil {
		return "", false, err
	}
	return string(b), ok, nil
}

func textBytes(v any) (text []byte, ok bool, err error) {
	rv := reflect.ValueOf(v)
	if m, is := v.(encoding.TextMarshaler); is {
		b, err := m.MarshalText()
		if err != nil {
			return nil, false, fmt.Errorf("the MarshalText method of %T: %w", v, err)
		}
		return b, true, nil
	}
	switch {
	case rv.Kind() == reflect.String:
		return []byte(rv.String()), true, nil
	case isBytes(rv.Type()):
		return rv.Bytes(), true, nil
	default:
		return nil, false, nil
	}
}

// checkPlainText checks strings and, where they are taken for one, bytes.
func checkPlainText(s scalar, v any) error {
	rv := reflect.ValueOf(v)
	if _, own := v.(encoding.TextMarshaler); own && s == scalarStr || s == scalarJSON {
		return nil // what it marshals to is checked
	}
	switch {
	case rv.Kind() == reflect.String:
		return checkText([]byte(rv.String()))
	case isBytes(rv.Type()) && s != scalarBytes && (s != scalarUUID || rv.Len() != 16):
		return checkText(rv.Bytes())
	default:
		return nil
	}
}
