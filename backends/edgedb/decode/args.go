package decode

import (
	"strconv"

	"github.com/duetdb/duet/internal/fields"
)

// Args turns a user's arguments into what edgedb-go takes. named says that the
// text has parameters such as $name, and names lists them, each once; args must
// then be exactly one duet.Named, map with string keys or struct. Values are
// converted when edgedb-go encodes them, as only then the declared type is
// known; [ArgumentError] reads what comes of that.
//
// What a Go value becomes is in the package's documentation. An error names the
// argument and its Go type, never its value.
func Args(named bool, names []string, args []any) ([]any, error) {
	if !named {
		out := make([]any, len(args))
		for i, v := range args {
			wrapped, err := wrapArg("$"+strconv.Itoa(i), v)
			if err != nil {
				return nil, err
			}
			out[i] = wrapped
		}
		return out, nil
	}
	values, err := fields.NamedValues(names, args)
	if err != nil {
		return nil, err
	}
	m := make(map[string]any, len(names))
	for i, name := range names {
		if m[name], err = wrapArg("$"+name, values[i]); err != nil {
			return nil, err
		}
	}
	return []any{m}, nil
}
