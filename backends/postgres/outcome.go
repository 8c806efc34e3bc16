package postgres

import (
	"regexp"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/sqltext"
)

// refusedOutcome is what an error of the server's says of the command's effect.
// Usually all of it is undone; a script may have committed before, and so may a
// procedure, of which nobody can tell.
func (r *run) refusedOutcome(early bool) duet.Outcome {
	if !early && (r.committed || r.k.st.mayCommit && !r.inTx) {
		return duet.OutcomeUnknown
	}
	return duet.OutcomeNone
}

// commits says that a command of a script ended a transaction well.
func commits(tag string) bool {
	return strings.HasPrefix(tag, "COMMIT") || tag == "PREPARE TRANSACTION"
}

// misfitOutcome is what is known of the effect of a command that was run to its
// end, where only its result does not fit. What ReadyForQuery says is asked, since
// CommandComplete comes before the commit (PostgreSQL documentation, "Message
// Flow", "Extended Query").
func (r *run) misfitOutcome() duet.Outcome {
	st, tag := r.k.st, r.k.result
	if r.s.wc.Status() != 'I' || r.inTx && !(st.ends && commits(tag.Status)) || !st.mayWrite() {
		return duet.OutcomeNone
	}
	says := modifies.MatchString(st.cmd)
	switch {
	case tag.Status == "", tag.Status == "SHOW", tag.Status == "EXPLAIN" && !analyzes.MatchString(st.cmd):
		return duet.OutcomeNone
	case tag.RowsAffected == 0 && st.kind == sqltext.With && says: // the tag tells of its last part alone
		return duet.OutcomeUnknown
	case tag.RowsAffected == 0:
		return duet.OutcomeNone
	case strings.HasPrefix(tag.Status, "SELECT") && !says: // it calls functions
		return duet.OutcomeUnknown
	}
	return duet.OutcomeApplied
}

// readingOutcome is what is known of the effect of a command whose rows are being
// read: it goes on, unless it is cancelled.
func (r *run) readingOutcome() duet.Outcome {
	if r.inTx || !r.k.st.mayWrite() {
		return duet.OutcomeNone
	}
	return duet.OutcomeUnknown
}

var (
	modifies = regexp.MustCompile(`(?i)\b(?:insert|update|delete|merge|into)\b`)
	analyzes = regexp.MustCompile(`(?i)\banaly[sz]e\b`)
)

// mayWrite says whether a statement may have an effect beside giving rows. It is
// for errors, and reads the text each time.
func (st *statement) mayWrite() bool {
	return !st.quiet && (st.kind != sqltext.With || len(st.calls) > 0 || modifies.MatchString(st.cmd))
}
