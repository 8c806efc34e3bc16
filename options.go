package duet

import (
	"time"

	"github.com/duetdb/duet/retry"
)

// Options are what can vary between calls of one client; Client.With, Tx.With
// and Conn.With take them. The zero value of each field is "unset": it inherits
// from the view that With was called on, and at last from the default named
// here. Reading a view's options concurrently is safe; maps given to With must
// not be changed afterwards.
type Options struct {
	// Isolation of transactions. Default: serializable in RetryingTx, the
	// server's own elsewhere. On EdgeDB there is serializable alone; other levels
	// are ErrUnsupported.
	Isolation Isolation

	// Access is whether transactions, and single statements where the backend
	// allows it, may write. Default: the server's own, usually read-write.
	Access Access

	// Deferrable lets a serializable read-only transaction wait until it can
	// run without ever conflicting. Default: the server's own, usually off.
	Deferrable Toggle

	// Timeout bounds each single call on the view (a statement, a commit, not a
	// whole transaction), from waiting for a connection to the last row. It ends
	// as ctx does, with context.DeadlineExceeded. Default 0: only ctx bounds;
	// NoTimeout undoes an inherited one.
	Timeout time.Duration

	// Retry says how often and with which waits RetryingTx tries again. nil
	// inherits. Default: the zero [retry.Policy].
	Retry *retry.Policy

	// Idempotent declares that statements outside a transaction may run twice
	// without harm. It lets a single statement whose answer was lost with its
	// connection run again. Default off.
	Idempotent Toggle

	// ExactlyOnce has each transaction that may write leave a token beside its
	// work, in a table (PostgreSQL) or type (EdgeDB) that `duet init` makes. Where
	// the answer to its commit is lost, the token tells whether it was applied,
	// also after a crash, a failover, or behind a pooler, so that RetryingTx runs
	// it again only where it was not, and ErrCommitUnknown remains for a database
	// that cannot be asked in time. It costs one row for each transaction; old
	// ones are deleted by the way. Default off. On EdgeDB, and on PostgreSQL where
	// TransactionID cannot tell, nothing else can.
	ExactlyOnce Toggle

	// TransactionID has a transaction's id fetched along with the statements that
	// may write, at no round trip, so that a lost commit's outcome can be looked
	// up. That is believed only over another connection of the pool which has been
	// open since before: a pool of one, a server that crashed, and poolers leave
	// ErrCommitUnknown. Default on, where ExactlyOnce is not. EdgeDB: On is
	// ErrUnsupported.
	TransactionID Toggle

	// CommitGrace is how much longer than its ctx a commit may take to learn its
	// own outcome, once it was sent. Default one second; a negative one allows
	// none. Where ctx goes on, a lost answer is looked for up to 30 seconds.
	CommitGrace time.Duration

	// Columns says what a column without a field to go into means. Default
	// ColumnsStrict.
	Columns ColumnsMode

	// Globals are EdgeDB's global variables. PostgreSQL: ErrUnsupported. The
	// maps of nested views are merged.
	Globals map[string]any

	// ModuleAliases are EdgeDB's module aliases. PostgreSQL: ErrUnsupported. The
	// maps of nested views are merged.
	ModuleAliases map[string]string

	// Settings are session settings that hold for the view's calls: run-time
	// parameters on PostgreSQL ("search_path", "statement_timeout"), config on
	// EdgeDB. They cost no round trip of their own and are undone for the
	// connection's next user. The maps of nested views are merged.
	Settings map[string]string

	// Name labels the view's calls in hooks, traces and in the error of an
	// exhausted pool. It should be a constant, such as "billing".
	Name string
}

// NoTimeout as [Options].Timeout undoes an inherited timeout.
const NoTimeout time.Duration = -1

// Merge gives the options that hold where over is applied to o: set fields of
// over win, maps are merged key by key.
func (o Options) Merge(over Options) Options {
	if over.Isolation != IsolationUnset {
		o.Isolation = over.Isolation
	}
	if over.Access != AccessUnset {
		o.Access = over.Access
	}
	if over.Deferrable != Unset {
		o.Deferrable = over.Deferrable
	}
	if over.Timeout != 0 {
		o.Timeout = over.Timeout
	}
	if over.Retry != nil {
		o.Retry = over.Retry
	}
	if over.Idempotent != Unset {
		o.Idempotent = over.Idempotent
	}
	if over.ExactlyOnce != Unset {
		o.ExactlyOnce = over.ExactlyOnce
	}
	if over.TransactionID != Unset {
		o.TransactionID = over.TransactionID
	}
	if over.CommitGrace != 0 {
		o.CommitGrace = over.CommitGrace
	}
	if over.Columns != ColumnsUnset {
		o.Columns = over.Columns
	}
	o.Globals = mergeMaps(o.Globals, over.Globals)
	o.ModuleAliases = mergeMaps(o.ModuleAliases, over.ModuleAliases)
	o.Settings = mergeMaps(o.Settings, over.Settings)
	if over.Name != "" {
		o.Name = over.Name
	}
	return o
}

func mergeMaps[V any](under, over map[string]V) map[string]V {
	if len(over) == 0 {
		return under
	}
	if len(under) == 0 {
		return over
	}
	merged := make(map[string]V, len(under)+len(over))
	for k, v := range under {
		merged[k] = v
	}
	for k, v := range over {
		merged[k] = v
	}
	return merged
}

// Toggle is a switch that can be left alone.
type Toggle uint8

// The states of a Toggle; the zero value inherits.
const (
	Unset Toggle = iota
	On
	Off
)

// Isolation is a transaction's isolation level (PostgreSQL documentation,
// chapter "Transaction Isolation").
type Isolation uint8

// The isolation levels; the zero value inherits.
const (
	IsolationUnset Isolation = iota
	// IsolationDefault undoes an inherited level: the server's own default.
	IsolationDefault
	ReadUncommitted
	ReadCommitted
	RepeatableRead
	Serializable
)

// String gives the level as SQL spells it, "" for unset and default.
func (i Isolation) String() string {
	switch i {
	case ReadUncommitted:
		return "READ UNCOMMITTED"
	case ReadCommitted:
		return "READ COMMITTED"
	case RepeatableRead:
		return "REPEATABLE READ"
	case Serializable:
		return "SERIALIZABLE"
	default:
		return ""
	}
}

// Access is whether a transaction may write.
type Access uint8

// The access modes; the zero value inherits.
const (
	AccessUnset Access = iota
	ReadWrite
	ReadOnly
)

// String gives the mode as SQL spells it, "" for unset.
func (a Access) String() string {
	switch a {
	case ReadWrite:
		return "READ WRITE"
	case ReadOnly:
		return "READ ONLY"
	default:
		return ""
	}
}

// ColumnsMode says what a column without a field means.
type ColumnsMode uint8

// The modes; the zero value inherits.
const (
	ColumnsUnset ColumnsMode = iota
	// ColumnsStrict makes a column without a field an error.
	ColumnsStrict
	// ColumnsLax ignores columns without a field. A field without a column
	// stays an error.
	ColumnsLax
)
