package postgres

import (
	"fmt"
	"maps"
	"sort"
	"strings"

	"github.com/duetdb/duet"
)

// readOnlySetting is what Options.Access means for single statements. It holds
// from the next transaction on.
const readOnlySetting = "default_transaction_read_only"

// effective gives the options of a view with Access among its settings.
func effective(o duet.Options) duet.Options {
	value := ""
	switch o.Access {
	case duet.ReadOnly:
		value = "on"
	case duet.ReadWrite:
		value = "off"
	default:
		return o
	}
	settings := make(map[string]string, len(o.Settings)+1)
	for k, v := range o.Settings {
		settings[k] = v
	}
	settings[readOnlySetting] = value
	o.Settings = settings
	return o
}

// needsOwnFlight says that the difference between two maps takes effect with the
// next transaction only.
func needsOwnFlight(from, to map[string]string) bool {
	return from[readOnlySetting] != to[readOnlySetting]
}

// settingCommands are the SET and RESET that make to hold in the session.
func (s *session) settingCommands(to map[string]string) ([]string, error) {
	from := s.applied
	if s.unsure && len(from) > 0 { // all of to is set again, and all else reset
		from = map[string]string{}
		for name, value := range s.applied {
			if _, stays := to[name]; !stays {
				from[name] = value
			}
		}
	}
	return settingCommands(from, to)
}

// doubt notes that the settings of a failed flight may hold, or may not, and so
// may those that held before.
func (s *session) doubt(before map[string]string) {
	both := make(map[string]string, len(before)+len(s.applied))
	maps.Copy(both, before)
	maps.Copy(both, s.applied)
	s.applied, s.unsure = both, true
}

// settingCommands are the SET and RESET that lead from one map to the other.
func settingCommands(from, to map[string]string) ([]string, error) {
	if len(from) == 0 && len(to) == 0 {
		return nil, nil
	}
	var commands []string
	for name := range from {
		if _, stays := to[name]; !stays {
			commands = append(commands, "RESET "+settingName(name))
		}
	}
	for name, value := range to {
		if err := checkSetting(name, value); err != nil {
			return nil, err
		}
		if old, same := from[name]; same && old == value {
			continue
		}
		commands = append(commands, fmt.Sprintf("SELECT set_config(%s, %s, false)", quote(name), quote(value)))
	}
	sort.Strings(commands)
	return commands, nil
}

func checkSetting(name, value string) error {
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || strings.ContainsAny(part, "\"'\\\x00 ;") {
			return fmt.Errorf("the setting %q has no valid name", name)
		}
	}
	if strings.IndexByte(value, 0) >= 0 {
		return fmt.Errorf("the value of the setting %q has a NUL byte", name)
	}
	return nil
}

// settingName quotes each part of a name such as "myapp.user".
func settingName(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = `"` + strings.ToLower(p) + `"`
	}
	return strings.Join(parts, ".")
}

// quote makes a string constant that reads the same whatever
// standard_conforming_strings says.
func quote(s string) string {
	s = strings.ReplaceAll(s, "'", "''")
	if strings.Contains(s, `\`) {
		return ` E'` + strings.ReplaceAll(s, `\`, `\\`) + `'`
	}
	return "'" + s + "'"
}

// settingsKey tells apart statements whose text means different things under
// different settings.
func settingsKey(settings map[string]string) string {
	if len(settings) == 0 {
		return ""
	}
	var key []string
	for name, value := range settings {
		switch strings.ToLower(name) {
		case "search_path", "role", "session_authorization":
			key = append(key, strings.ToLower(name)+"="+value)
		}
	}
	sort.Strings(key)
	return strings.Join(key, "\x00")
}

// unsupportedOptions reports options that PostgreSQL has no meaning for.
func unsupportedOptions(o *duet.Options) error {
	switch {
	case len(o.Globals) > 0:
		return simpleError(duet.KindUnsupported, duet.PhasePrepare, "", "PostgreSQL has no globals: use Options.Settings with a name such as \"myapp.user\"")
	case len(o.ModuleAliases) > 0:
		return simpleError(duet.KindUnsupported, duet.PhasePrepare, "", "PostgreSQL has no modules: set search_path in Options.Settings")
	}
	return nil
}
