package edgedb

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
)

// state is what EdgeDB calls a session's state: globals, config and module
// aliases, which travel with each command (documentation, "Protocol reference",
// chapter "Session State"). It is made once for a view and never changed. nil
// is the state without anything.
type state struct {
	globals map[string]any
	config  map[string]any
	aliases []edgedb.ModuleAlias
	scope   string // what the aliases do to the meaning of texts
}

// newState makes the state of a view's options, nil where there is none.
func newState(o *duet.Options) (*state, error) {
	if len(o.Globals) == 0 && len(o.Settings) == 0 && len(o.ModuleAliases) == 0 {
		return nil, nil
	}
	s := &state{}
	var err error
	if s.globals, err = globalsOf(o.Globals); err != nil {
		return nil, err
	}
	for name, text := range o.Settings {
		value, err := settingOf(text)
		if err != nil {
			return nil, fmt.Errorf("the setting %q %w", name, err)
		}
		if s.config == nil {
			s.config = make(map[string]any, len(o.Settings))
		}
		s.config[name] = value
	}
	for _, alias := range slices.Sorted(maps.Keys(o.ModuleAliases)) {
		module := o.ModuleAliases[alias]
		s.aliases = append(s.aliases, edgedb.ModuleAlias{Alias: alias, Module: module})
		s.scope += fmt.Sprintf("%q=%q;", alias, module)
	}
	return s, nil
}

// globalsOf converts globals. A name without a module is one of the module
// default: edgedb-go takes both spellings, but not beside each other.
func globalsOf(globals map[string]any) (map[string]any, error) {
	if len(globals) == 0 {
		return nil, nil
	}
	short := make(map[string]any, len(globals))
	for name, value := range globals {
		plain := strings.TrimPrefix(name, "default::")
		if _, twice := short[plain]; twice {
			return nil, fmt.Errorf("the global %q is given with its module, and without", plain)
		}
		short[plain] = value
	}
	names := slices.Sorted(maps.Keys(short))
	sent, err := decode.Args(true, names, []any{short})
	if err != nil {
		return nil, fmt.Errorf("globals: %w", err)
	}
	if len(sent) == 1 {
		if converted, ok := sent[0].(map[string]any); ok {
			return converted, nil
		}
	}
	return nil, fmt.Errorf("globals: %d arguments were made of %d", len(sent), len(names))
}

// apply derives a client.
func (s *state) apply(c *edgedb.Client) *edgedb.Client {
	if len(s.globals) > 0 {
		c = c.WithGlobals(s.globals)
	}
	if len(s.config) > 0 {
		c = c.WithConfig(s.config)
	}
	if len(s.aliases) > 0 {
		c = c.WithModuleAliases(s.aliases...)
	}
	return c
}

// scopeOf is decode.Request's Scope.
func scopeOf(s *state) string {
	if s == nil {
		return ""
	}
	return s.scope
}

// changesState says that options change what a transaction has fixed when it
// began.
func changesState(from, to *duet.Options) bool {
	return !reflect.DeepEqual(orEmpty(from.Globals), orEmpty(to.Globals)) ||
		!maps.Equal(from.Settings, to.Settings) || !maps.Equal(from.ModuleAliases, to.ModuleAliases)
}

// orEmpty makes maps comparable whether they are nil or empty.
func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
