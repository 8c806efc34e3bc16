package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
)

// testimony is what a connection says of a transaction that another one has lost.
type testimony struct {
	foreign    bool // it leads to another server, or through a pooler
	status     string
	replicated bool // the server has synchronous standbys
}

// testimony asks a session about the transaction (PostgreSQL documentation,
// pg_xact_status). Where it ran is asked in the same group.
func (l *lostCommit) testimony(ctx context.Context, s *session) (t testimony, err error) {
	f := wire.NewFlight()
	if err := s.addLook(f, l.db.cfg.StatementCache == CacheNamed); err != nil {
		return t, err
	}
	at := f.Steps()
	if err := f.Command(fmt.Sprintf("SELECT pg_catalog.pg_xact_status('%d'), pg_catalog.pg_is_in_recovery(), "+hasReplicas, l.trace.seen.id)); err != nil {
		return t, err
	}
	f.Sync()
	var seen sighting
	var unread error
	err = s.finish(ctx, f, func(body []byte) {
		if f.Step() < at {
			seen, unread = readSighting(body)
			return
		}
		values := textValues(body)
		if len(values) != 3 {
			unread = errSighting
			return
		}
		t.status, t.replicated = values[0], values[2] == "t"
		t.foreign = values[1] != "f"
	})
	if err != nil {
		s.disown(&s.lookName)
		return t, err
	}
	t.foreign = t.foreign || seen.server != l.trace.seen.server || seen.pid != s.wc.PID()
	return t, unread
}

// textValues reads a row in text format; NULL is "".
func textValues(body []byte) []string {
	if len(body) < 2 {
		return nil
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	var values []string
	for range n {
		if len(body) < 4 {
			return nil
		}
		size := int32(binary.BigEndian.Uint32(body))
		if body = body[4:]; size < 0 {
			values = append(values, "")
			continue
		}
		if len(body) < int(size) {
			return nil
		}
		values = append(values, string(body[:size]))
		body = body[size:]
	}
	return values
}

// hasReplicas says whether the server waits for standbys at each commit.
const hasReplicas = "pg_catalog.current_setting('synchronous_standby_names') <> ''"

// awaitReplicas makes sure that what was committed up to now is where a failover
// would look for it. A session that was ended while it waited for its standby
// has committed nevertheless, and everybody can see it. This commit waits for all
// that came before it.
func (s *session) awaitReplicas(ctx context.Context) error {
	f := wire.NewFlight()
	for _, c := range []string{
		"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", "SET LOCAL synchronous_commit TO on", "SET LOCAL statement_timeout TO 0",
		"SELECT pg_catalog.pg_logical_emit_message(true, 'duet', 'commit')", "COMMIT",
	} {
		if err := f.Command(c); err != nil {
			return err
		}
	}
	f.Sync()
	if err := s.finish(ctx, f, nil); err != nil {
		return err
	}
	if s.wc.TakeUnreplicated() {
		return simpleError(duet.KindUnavailable, duet.PhaseCommit, "", "the server's wait for its synchronous standbys was cancelled")
	}
	return nil
}

// awaitReplicasIfAny is awaitReplicas where the server has some.
func (s *session) awaitReplicasIfAny(ctx context.Context) error {
	answer, err := s.ask(ctx, "SELECT "+hasReplicas)
	if err != nil || answer != "t" {
		return err
	}
	return s.awaitReplicas(ctx)
}

// endZombie ends the session of a transaction whose client is gone, if it waits
// for a COMMIT, or the rest of one, that will never come. It is told by the
// transaction's id: its process may be another session's by now.
func (s *session) endZombie(ctx context.Context, pid uint32, id uint64) error {
	_, err := s.ask(ctx, fmt.Sprintf("SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"+
		" WHERE pid = %d AND backend_xid = '%d'::pg_catalog.xid AND wait_event = 'ClientRead'", pid, uint32(id)))
	if e, ok := errors.AsType[*duet.Error](err); ok && e.Kind == duet.KindPermission {
		return nil // then its end is waited for
	}
	return err
}
