package queries

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/duetdb/duet"
)

// header is a file taken apart.
type header struct {
	values map[string]string
	body   string
}

// keys of a header, and whether both twins must agree on them.
var keys = map[string]bool{"name": true, "args": true, "named": true, "result": true, "none": false, "unproven": false}

// parseHeader takes the leading comment lines "-- key: value" (SQL) or
// "# key: value" (EdgeQL) off a text.
func parseHeader(text string, d duet.Dialect) (header, error) {
	mark := "-- "
	if d == duet.EdgeQL {
		mark = "# "
	}
	h := header{values: map[string]string{}}
	rest := text
	for strings.HasPrefix(rest, mark) {
		line, after, _ := strings.Cut(rest, "\n")
		key, value, ok := strings.Cut(strings.TrimPrefix(line, mark), ": ")
		if _, known := keys[key]; !ok || !known {
			return h, fmt.Errorf("the header line %q is not understood", line)
		}
		if _, twice := h.values[key]; twice {
			return h, fmt.Errorf("the header says %q twice", key)
		}
		h.values[key] = strings.TrimSpace(value)
		rest = after
	}
	h.body = strings.TrimSuffix(rest, "\n")
	return h, h.check(d)
}

func (h header) check(d duet.Dialect) error {
	has := func(key string) bool { return h.values[key] != "" }
	switch {
	case !has("name"), !has("result"):
		return errors.New("the header lacks a name or a result")
	case has("args") && has("named"):
		return errors.New("arguments are either positional or named")
	case has("none") && h.body != "":
		return errors.New("it says that there is no text, and has one")
	case !has("none") && strings.TrimSpace(h.body) == "":
		return errors.New("it has no text")
	case has("unproven") && d != duet.EdgeQL:
		return errors.New("only EdgeQL can be unproven")
	}
	return nil
}

// shared is what both twins must have in common.
func (h header) shared() string {
	var lines []string
	for key, value := range h.values {
		if keys[key] {
			lines = append(lines, key+": "+value)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}
