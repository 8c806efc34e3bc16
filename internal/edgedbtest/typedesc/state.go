package typedesc

import (
	"slices"
	"strings"
)

// Global is a global variable of the schema that has no default.
type Global struct {
	// Name is qualified.
	Name string
	Type *Type
}

// Tenant is the suite's global. It is not to be changed.
var Tenant = Global{Name: "default::tenant", Type: &Type{Name: "std::str"}}

// State is a session's state that a client sent. Nil maps and "" stand for what
// was not sent.
type State struct {
	// Module is the default module.
	Module string
	// Aliases are modules by alias.
	Aliases map[string]string
	// Config are settings by name: string (strings and enumerations), bool,
	// time.Duration, []string (sets), or nil for one that is set to nothing.
	Config map[string]any
	// Globals are the globals' values by qualified name: a string for a str,
	// else EdgeDB's binary value as []byte; nil for one that is set to nothing.
	Globals map[string]any
}

// configFields are the settings of a session that EdgeDB 5.8 has.
func configFields() []Field {
	str, boolean, duration := &Type{Name: "std::str"}, &Type{Name: "std::bool"}, &Type{Name: "std::duration"}
	bareDDL := &Type{Kind: Enum, Name: "cfg::AllowBareDDL", Labels: []string{"AlwaysAllow", "NeverAllow"}}
	cacheMode := &Type{Kind: Enum, Name: "cfg::QueryCacheMode", Labels: []string{"InMemory", "RegInline", "PgFunc", "Default"}}
	return []Field{
		{Name: "allow_bare_ddl", Type: bareDDL, Cardinality: AtMostOne},
		{Name: "allow_dml_in_functions", Type: boolean, Cardinality: AtMostOne},
		{Name: "allow_user_specified_id", Type: boolean, Cardinality: AtMostOne},
		{Name: "apply_access_policies", Type: boolean, Cardinality: AtMostOne},
		{Name: "auto_rebuild_query_cache", Type: boolean, Cardinality: AtMostOne},
		{Name: "auto_rebuild_query_cache_timeout", Type: duration, Cardinality: AtMostOne},
		{Name: "cors_allow_origins", Type: str, Cardinality: Many},
		{Name: "force_database_error", Type: str, Cardinality: AtMostOne},
		{Name: "query_cache_mode", Type: cacheMode, Cardinality: AtMostOne},
		{Name: "query_execution_timeout", Type: duration, Cardinality: AtMostOne},
		{Name: "session_idle_transaction_timeout", Type: duration, Cardinality: AtMostOne},
	}
}

// globalFields are the globals as fields, sorted by name.
func globalFields(globals []Global) []Field {
	fields := make([]Field, 0, len(globals))
	for _, g := range globals {
		fields = append(fields, Field{Name: g.Name, Type: g.Type, Cardinality: AtMostOne})
	}
	slices.SortFunc(fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// aliasesType is that of pairs of an alias and a module.
func aliasesType() *Type {
	text := Field{Type: &Type{Name: "std::str"}, Cardinality: ExactlyOne}
	return &Type{Kind: Array, Elem: &Type{Kind: Tuple, Fields: []Field{text, text}}}
}

// stateFields are the parts of a state; the last two are sparse objects.
var stateFields = []string{"module", "aliases", "config", "globals"}

// DescribeState gives the descriptor of the state for StateDataDescription,
// with the globals of the schema as it is, for protocol 1 or 2 (major).
func DescribeState(globals []Global, major int) (UUID, []byte) {
	b := newBuilder(major)
	config, global := configFields(), globalFields(globals)
	ids := []UUID{b.describe(&Type{Name: "std::str"}), b.describe(aliasesType())}
	ids = append(ids, b.inputShape(config, b.fields(config)))
	ids = append(ids, b.inputShape(global, b.fields(global)))
	fields := make([]Field, len(stateFields))
	for i, name := range stateFields {
		fields[i] = Field{Name: name, Cardinality: AtMostOne}
	}
	return b.inputShape(fields, ids), b.out
}
