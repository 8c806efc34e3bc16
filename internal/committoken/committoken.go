// Package committoken makes the tokens that transactions leave beside their
// work, so that a commit whose answer was lost can be looked up, the same on both
// backends.
//
// Whoever looks inserts the token's twin and the token, in one transaction and in
// this order:
//
//   - both go in: the token was not there, and as it is taken now, the lost
//     transaction can never be applied any more;
//   - the twin is there already: somebody looked before, with that outcome, and
//     the answer was lost;
//   - the token is there and its twin is not: the transaction was applied.
//
// Where the lost transaction is still deciding, the insertion waits for it.
package committoken

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
	"time"
)

// Token names one transaction. As a UUID it is of version 7 (RFC 9562): tokens
// made one after the other are neighbours in an index.
type Token [16]byte

// New makes a token that is like no other.
func New() Token {
	var t Token
	binary.BigEndian.PutUint64(t[:8], uint64(time.Now().UnixMilli())<<16)
	_, _ = rand.Read(t[6:]) // never fails
	t[6] = t[6]&0x0f | 0x70
	t[8] = t[8]&0x3f | 0x80
	t[15] &^= 1
	return t
}

// Twin is the token that whoever looks t up leaves beside it.
func (t Token) Twin() Token {
	t[15] |= 1
	return t
}

// String is the token as a UUID is written.
func (t Token) String() string {
	h := hex.EncodeToString(t[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Grace is how much longer than its ctx a commit may take where
// Options.CommitGrace is set: one second if it is not, none if it is negative.
func Grace(set time.Duration) time.Duration {
	if set == 0 {
		return time.Second
	}
	return max(set, 0)
}

const (
	// Kept is how old a token must be, by the database's clock, to be deleted. It
	// is far more than a transaction's outcome is ever looked for.
	Kept = time.Hour
	// Patience is how long that may be.
	Patience = 30 * time.Second
	// PruneBatch is how many old tokens are worth deleting at once, where the
	// database can be told.
	PruneBatch = 2000

	// pruneEvery and pruneAfter are how often one client deletes old tokens: often
	// enough to keep up with the tokens that it makes.
	pruneEvery = 10 * time.Minute
	pruneAfter = PruneBatch / 2
)

// Pruner says when it is a client's turn to delete old tokens. It is safe for
// concurrent use; the zero value is due at once.
type Pruner struct {
	made atomic.Int64 // tokens since the last time
	next atomic.Int64
}

// Due counts a token that was made, and says, once, that old ones should be
// deleted now.
func (p *Pruner) Due() bool {
	made := p.made.Add(1)
	now := time.Now().UnixNano()
	next := p.next.Load()
	if now < next && made < pruneAfter || !p.next.CompareAndSwap(next, now+int64(pruneEvery)) {
		return false
	}
	p.made.Store(0)
	return true
}
