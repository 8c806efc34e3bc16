package duet

// Backend says what a client is connected to and what it can do.
type Backend struct {
	// Name is "postgres" or "edgedb".
	Name string
	// Dialect is the language of commands.
	Dialect Dialect
	// ServerVersion is the server's own word for its version, such as "15.18".
	// It is empty until the first connection was made.
	ServerVersion string
	// Abilities is the set of what the backend can do.
	Abilities AbilitySet
}

// Can says whether the backend can do a. What it cannot do returns
// [ErrUnsupported] when it is tried.
func (b Backend) Can(a Ability) bool { return b.Abilities.Has(a) }

// Dialect is the language of a backend's commands.
type Dialect uint8

// The dialects.
const (
	SQL Dialect = iota + 1
	EdgeQL
)

// String names the dialect: "sql" or "edgeql".
func (d Dialect) String() string {
	switch d {
	case SQL:
		return "sql"
	case EdgeQL:
		return "edgeql"
	default:
		return "unknown"
	}
}

// Ability is something that not every backend can do.
type Ability uint8

// The abilities.
const (
	// NestedTx is Tx.Nested.
	NestedTx Ability = iota
	// WeakIsolation is read-write transactions below serializable.
	WeakIsolation
	// DeferrableTx is Options.Deferrable.
	DeferrableTx
	// RowCounts is Result.RowsAffected.
	RowCounts
	// Streaming is Rows in flat memory, read as the caller asks.
	Streaming
	// SessionState is session state kept on a lent connection: settings,
	// temporary tables, advisory locks.
	SessionState
	// GlobalVariables is Options.Globals.
	GlobalVariables
	// ModuleAliasing is Options.ModuleAliases.
	ModuleAliasing
	// SessionSettings is Options.Settings.
	SessionSettings
	// ServerCancel is stopping the running statement on the server when ctx
	// ends, rather than only leaving it.
	ServerCancel
	// TxCommands is transaction commands inside a script given to Execute.
	TxCommands
	// Links is nested shapes computed from links.
	Links
	// TransactionIDs is Options.TransactionID: a lost commit can be looked up
	// without tokens.
	TransactionIDs
	abilityCount
)

var abilityNames = [abilityCount]string{
	NestedTx: "nested transactions", WeakIsolation: "isolation below serializable", DeferrableTx: "deferrable transactions",
	RowCounts: "row counts", Streaming: "streaming", SessionState: "session state", GlobalVariables: "globals",
	ModuleAliasing: "module aliases", SessionSettings: "session settings", ServerCancel: "cancelling on the server",
	TxCommands: "transaction commands in scripts", Links: "links", TransactionIDs: "transaction ids",
}

// String describes the ability in a few words.
func (a Ability) String() string {
	if a < abilityCount {
		return abilityNames[a]
	}
	return "unknown ability"
}

// AbilitySet is a set of abilities; the zero value is empty.
type AbilitySet uint64

// Abilities makes a set.
func Abilities(as ...Ability) AbilitySet {
	var s AbilitySet
	for _, a := range as {
		s |= 1 << a
	}
	return s
}

// Has says whether a is in the set.
func (s AbilitySet) Has(a Ability) bool { return a < abilityCount && s&(1<<a) != 0 }
