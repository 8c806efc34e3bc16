package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/sqltext"
	"github.com/duetdb/duet/backends/postgres/wire"
)

// session is one connection with what duet knows of its state on the server. It
// is used by one goroutine at a time: whoever has borrowed it from the pool.
type session struct {
	wc *wire.Conn
	place

	prepared map[*statement]*preparedName
	clock    uint64   // orders the uses of prepared statements
	prefix   string   // of the names of prepared statements: no other session has it
	names    uint64   // names given so far: none is given twice
	closing  []string // names to be dropped with the next flight

	opened time.Time // when it was made, by the clock that only goes forward

	lookName, tokenName string // of lookText and tokenText, where they are prepared

	plainStrings string // what standard_conforming_strings is reset to

	applied map[string]string // settings made by Options
	setInTx bool              // some of them inside a transaction, which may have been rolled back since
	unsure  bool              // applied may no longer be true: a transaction that set something was rolled back
	dirty   bool              // the user's own text may have left something behind
	locks   bool              // and others may be waiting for that
}

type preparedName struct {
	name string
	desc *description // what it was prepared as
	used uint64
}

func newSession(wc *wire.Conn) *session {
	return &session{
		wc: wc, prefix: "duet_" + strconv.FormatUint(rand.Uint64(), 36) + "_", opened: time.Now(), prepared: map[*statement]*preparedName{}, plainStrings: wc.Parameter("standard_conforming_strings"),
	}
}

// standardStrings says how the server reads backslashes in strings, once the
// settings hold.
func (s *session) standardStrings(settings map[string]string) bool {
	const name = "standard_conforming_strings"
	value, set := settings[name]
	if !set {
		value = s.wc.Parameter(name)
		if _, undone := s.applied[name]; undone {
			value = s.plainStrings
		}
	}
	return value != "off"
}

// newName gives a name that no connection has ever had. An abandoned flight may
// or may not have made its statement, so names are not used again; and where a
// pooler puts another server's session under the connection, a name of ours must
// not be that of another text there.
func (s *session) newName() string {
	s.names++
	return s.prefix + strconv.FormatUint(s.names, 10)
}

// remember notes a statement that the server has prepared, and lets go of the
// least recently used one where there are too many.
func (s *session) remember(st *statement, name string, d *description, limit int) {
	if old := s.prepared[st]; old != nil {
		s.closing = append(s.closing, old.name)
		delete(s.prepared, st)
	}
	if len(s.prepared) >= limit {
		var oldest *statement
		for k, p := range s.prepared {
			if oldest == nil || p.used < s.prepared[oldest].used {
				oldest = k
			}
		}
		s.forget(oldest)
	}
	s.clock++
	s.prepared[st] = &preparedName{name: name, desc: d, used: s.clock}
}

// forget drops a prepared statement with the next flight.
func (s *session) forget(st *statement) {
	if p := s.prepared[st]; p != nil {
		s.closing = append(s.closing, p.name)
		delete(s.prepared, st)
	}
}

// ask runs a text of ours by the simple protocol and gives its first value.
func (s *session) ask(ctx context.Context, text string) (string, error) {
	f := wire.NewFlight()
	if err := f.Query(text); err != nil {
		return "", err
	}
	value := ""
	err := s.finish(ctx, f, func(body []byte) {
		if len(body) > 6 && value == "" {
			value = string(body[6:])
		}
	})
	return value, err
}

// finish sends a flight of ours and reads it to its end. The error is the server's
// last refusal, or the connection's.
func (s *session) finish(ctx context.Context, f *wire.Flight, row func([]byte)) error {
	var refusal *wire.ServerError
	err := s.converse(ctx, f, func(kind wire.Kind, body []byte) error {
		switch kind {
		case wire.DataRow:
			if row != nil {
				row(body)
			}
		case wire.ErrorResponse:
			err := wire.DecodeError(body)
			se, ok := errors.AsType[*wire.ServerError](err)
			if !ok {
				return err
			}
			refusal = se
		}
		return nil
	})
	if err == nil && refusal != nil {
		return fromServer(refusal, duet.PhaseRun, nil)
	}
	return err
}

// converse sends a flight of ours and hands each answer to hear. An error of
// hear's closes the connection.
func (s *session) converse(ctx context.Context, f *wire.Flight, hear func(wire.Kind, []byte) error) error {
	if err := s.wc.Send(ctx, f); err != nil {
		return lost(err, nil, duet.PhaseRun, false)
	}
	for {
		kind, body, err := f.Next()
		if err != nil {
			return lost(err, nil, duet.PhaseRun, false)
		}
		if err := hear(kind, body); err != nil {
			s.wc.Fail(err)
			return lost(err, nil, duet.PhaseRun, false)
		}
		if kind == wire.Ready && f.Step() == f.Steps() {
			f.Free()
			return nil
		}
	}
}

// adopt has settings hold in a session for what duet asks on its own, in a round
// trip where other ones did: they came from the options of whoever used it last.
func (s *session) adopt(ctx context.Context, settings map[string]string) error {
	commands, err := s.settingCommands(settings)
	if err != nil || len(commands) == 0 {
		return err
	}
	f := wire.NewFlight()
	for _, c := range commands {
		if err := f.Command(c); err != nil {
			return err
		}
	}
	f.Sync()
	before := s.applied
	s.applied = settings
	if err = s.finish(ctx, f, nil); err != nil {
		s.doubt(before)
	}
	return err
}

// resetText undoes what the user's own text may have done to a session.
// Prepared statements stay.
const resetText = "SET statement_timeout TO 0; SELECT pg_catalog.pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET SESSION AUTHORIZATION; RESET ALL; DISCARD TEMP"

// resetTimeout bounds the resets that are waited for.
const resetTimeout = 5 * time.Second

// clean writes what makes the session fit for its next user. Its answers are
// read by whoever reads next: nobody waits, except where locks are to be let go,
// so that whoever comes next finds them free. It says whether the session can be
// used again.
func (s *session) clean() bool {
	if s.wc.Err() != nil {
		return false
	}
	f := wire.NewFlight()
	if s.wc.Status() != 'I' {
		if f.Query("ROLLBACK") != nil {
			return false
		}
		s.dirty, s.locks = true, true
	}
	if s.dirty || s.unsure || s.setInTx {
		if f.Query(resetText) != nil {
			return false
		}
	}
	wait := s.locks
	s.dirty, s.locks = false, false
	if f.Len() == 0 {
		f.Free()
		return true
	}
	s.unsure, s.setInTx, s.applied, s.sets = false, false, nil, false
	if !wait {
		return s.wc.SendLazy(f) == nil
	}
	ctx, stop := context.WithTimeout(context.Background(), resetTimeout)
	defer stop()
	return s.finish(ctx, f, nil) == nil
}

// spoil notes that a text of the user may leave something behind.
func (s *session) spoil(st *statement) {
	if !st.tame && !s.sets {
		s.sets = readOnlyText.MatchString(st.cmd)
	}
	if !st.tame && st.kind != sqltext.TransactionControl {
		s.dirty = true
		s.locks = s.locks || st.locks
	}
}
