package duet

import (
	"context"
	"time"

	"github.com/duetdb/duet/retry"
)

// Hooks are called by a client as it works: for logs, tracing and metrics. Any
// of them may be nil. They run in the calling goroutine, from many goroutines at
// once; they must be quick, must not panic and must not use the client they
// watch. Command texts are given, argument values never are.
type Hooks struct {
	// Query is called before a command is run, and the function it returns (nil
	// is fine) once it has ended. The ctx it returns (nil keeps the caller's) is
	// the one that the command runs under. For Rows the end is the last row.
	Query func(ctx context.Context, q QueryInfo) (context.Context, func(QueryEnd))

	// Tx is called before each attempt of a transaction, and the function it
	// returns once the attempt has ended.
	Tx func(ctx context.Context, t TxInfo) (context.Context, func(err error))

	// Retry is called when a transaction will be tried again, before the wait.
	Retry func(ctx context.Context, r RetryInfo)

	// PoolWait is called after a call had to wait for a connection.
	PoolWait func(ctx context.Context, w PoolWaitInfo)

	// Connect is called after a connection was made, or could not be made.
	Connect func(ctx context.Context, c ConnectInfo)

	// CommitResolved is called for each commit whose answer was lost, with what
	// is known of its outcome.
	CommitResolved func(ctx context.Context, r CommitInfo)

	// Notice is called for each notice or warning that the server sends.
	Notice func(ctx context.Context, n Notice)
}

// QueryInfo describes a command that is about to run.
type QueryInfo struct {
	// Backend is the backend's name.
	Backend string
	// Name is Options.Name.
	Name string
	// Command is the text as the caller gave it.
	Command string
	// Args counts the arguments.
	Args int
	// InTx says that it runs in a transaction.
	InTx bool
}

// QueryEnd describes a command that has ended.
type QueryEnd struct {
	// Result is the command's; RowsAffected is -1 where it is not known.
	Result Result
	// Err is nil on success.
	Err error
	// Took is the time from the call to its end.
	Took time.Duration
}

// TxInfo describes one attempt of a transaction.
type TxInfo struct {
	// Backend is the backend's name.
	Backend string
	// Name is Options.Name.
	Name string
	// Attempt counts from 1.
	Attempt int
}

// RetryInfo describes a failed attempt that will be followed by another.
type RetryInfo struct {
	// Backend is the backend's name.
	Backend string
	// Name is Options.Name.
	Name string
	// Attempt is the number of the attempt that failed, from 1.
	Attempt int
	// Class is why another attempt may succeed.
	Class retry.Class
	// Err is what the attempt failed with.
	Err error
	// Wait is how long the client will wait before the next attempt.
	Wait time.Duration
}

// PoolWaitInfo describes a wait for a connection.
type PoolWaitInfo struct {
	// Name is Options.Name.
	Name string
	// Waited is how long it took.
	Waited time.Duration
	// Err is nil when a connection was got.
	Err error
}

// ConnectInfo describes an attempt to connect.
type ConnectInfo struct {
	// Host is the host and port, or the socket's path, that was tried.
	Host string
	// Took is how long it took.
	Took time.Duration
	// Err is nil when the connection was made.
	Err error
}

// CommitInfo says what is known of a commit whose answer was lost.
type CommitInfo struct {
	// Backend is the backend's name.
	Backend string
	// Name is Options.Name.
	Name string
	// Committed is the outcome, where Err is nil.
	Committed bool
	// Proof is how it is known.
	Proof CommitProof
	// Took is the time from when the answer was missed.
	Took time.Duration
	// Err says why the outcome stayed unknown.
	Err error
}

// CommitProof is how the outcome of a commit without an answer is known.
type CommitProof string

// The proofs; the empty one is none.
const (
	// ProofToken: its token was found, or can never be left any more.
	ProofToken CommitProof = "commit token"
	// ProofTransactionID: the server knows what became of its id.
	ProofTransactionID CommitProof = "transaction id"
	// ProofNoWrites: it had written nothing, so that nothing was applied.
	ProofNoWrites CommitProof = "no writes"
	// ProofRefused: the server ended the session before it looked at the commit.
	ProofRefused CommitProof = "session ended before"
)

// Notice is a message of the server that is not an error.
type Notice struct {
	// Severity is NOTICE, WARNING, INFO, LOG or DEBUG.
	Severity string
	// Code is the SQLSTATE or EdgeDB's code.
	Code string
	// Message, Detail and Hint are the server's texts.
	Message, Detail, Hint string
}
