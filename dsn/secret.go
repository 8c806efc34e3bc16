package dsn

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// mask stands for every secret that is not empty. Its length says nothing.
const mask = "********"

// Secret is a text that does not print itself: fmt with any verb, encoding/json,
// encoding.TextMarshaler and log/slog all give a mask, or nothing for an empty
// secret. [Secret.Reveal] gives the text. The zero value is the empty secret.
// A Secret is immutable and safe for concurrent use.
type Secret struct {
	// A pointer, because fmt prints the fields of other people's unexported
	// fields without calling their methods: it then shows an address.
	text *string
}

// NewSecret wraps text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal gives the secret's text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal reports whether both secrets have the same text.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String gives the mask, or "" for the empty secret.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return mask
}

// GoString gives the mask for %#v.
func (s Secret) GoString() string { return fmt.Sprintf("dsn.Secret(%q)", s.String()) }

// Format prints the mask, whatever the verb: %x of a secret is a secret too.
func (s Secret) Format(state fmt.State, verb rune) {
	switch {
	case verb == 'v' && state.Flag('#'):
		io.WriteString(state, s.GoString())
	case verb == 'q':
		fmt.Fprintf(state, "%q", s.String())
	default:
		io.WriteString(state, s.String())
	}
}

// MarshalText gives the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue gives the mask to log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
