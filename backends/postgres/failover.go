package postgres

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/dsn"
)

const (
	// hostTimeout bounds connecting to one of several hosts, and loneTimeout
	// connecting to the only one, where the DSN has no connect_timeout. libpq has
	// no bound: a host that vanished without a word would hold everything up for
	// minutes, or for ever.
	hostTimeout = 2 * time.Second
	loneTimeout = 30 * time.Second

	// silentFor is how long a host that did not answer in time is asked after all
	// the others.
	silentFor = 10 * time.Second
)

// server is one of the DSN's hosts, as the client has come to know it.
type server struct {
	host   dsn.Host
	epoch  atomic.Uint64 // raised when the connections to it are given up
	silent atomic.Int64  // until when it is asked last, in Unix nanoseconds
}

// place is where a session is, and what it was taken for.
type place struct {
	server *server
	epoch  uint64                 // the server's when connecting began
	attrs  dsn.TargetSessionAttrs // what the server was found to be
	sets   bool                   // a text of its user may have made it read-only
	own    bool                   // so that what it reports when it is idle may not be the server's
	meek   bool                   // its BEGIN was made read-only since the server was a standby
}

// order gives the hosts as they are to be tried: as written or shuffled, those
// that lately did not answer in time at the end.
func (d *dialer) order() []*server {
	hosts := slices.Clone(d.servers)
	if d.target.LoadBalanceHosts == dsn.BalanceRandom {
		rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	}
	now := time.Now().UnixNano()
	rank := func(s *server) int {
		if s.silent.Load() > now {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(hosts, func(a, b *server) int { return rank(a) - rank(b) })
	return hosts
}

// timeout bounds the attempt for one host.
func (d *dialer) timeout() time.Duration {
	switch {
	case d.target.ConnectTimeout > 0:
		return d.target.ConnectTimeout
	case len(d.servers) > 1:
		return hostTimeout
	default:
		return loneTimeout
	}
}

// disproved are the hosts that a connection to s, made after those in failed
// had failed, shows not to be the primary: those that could not be reached or
// were no primary, and, where hosts are not tried in a random order, those
// behind it, too. A host that is only full may well be one.
func (d *dialer) disproved(s *session, failed map[*server]error) []*server {
	if !wantsPrimary(s.attrs) {
		return nil
	}
	var gone []*server
	for _, h := range d.servers {
		err, tried := failed[h]
		switch {
		case h == s.server:
		case tried && !isFull(err), !tried && d.target.LoadBalanceHosts != dsn.BalanceRandom:
			gone = append(gone, h)
		}
	}
	return gone
}

func wantsPrimary(attrs dsn.TargetSessionAttrs) bool {
	return attrs == dsn.TargetReadWrite || attrs == dsn.TargetPrimary
}

// isFull says that a server works and has no room.
func isFull(err error) bool {
	se, ok := errors.AsType[*duet.Error](err)
	return ok && se.Code == "53300"
}

// giveUp has the connections to a server that began before now replaced: idle
// ones at once, lent ones when they come back.
func (d *db) giveUp(h *server, epoch uint64) {
	if h.epoch.CompareAndSwap(epoch, epoch+1) { // otherwise another one has done it
		d.pool.ExpireWhere(func(s *session) bool { return s.server == h && s.epoch <= epoch })
	}
}

// fallen says that the server reports not to be any more what it was taken for
// (PostgreSQL documentation, section "Asynchronous Operations": in_hot_standby
// and default_transaction_read_only, from 14 on). It reports that with the
// answer to whatever comes next, not before.
func (s *session) fallen() bool {
	if s.attrs == dsn.TargetAny || s.attrs == "" {
		return false
	}
	standby := s.wc.Parameter("in_hot_standby")
	readOnly := func() string {
		if s.own {
			return ""
		}
		return s.wc.Parameter(readOnlySetting)
	}
	switch s.attrs {
	case dsn.TargetReadWrite:
		return standby == "on" || readOnly() == "on"
	case dsn.TargetReadOnly:
		return standby == "off" && readOnly() == "off"
	case dsn.TargetPrimary:
		return standby == "on"
	default:
		return standby == "off"
	}
}

// judge gives up the connections to a server that is not any more what is
// wanted. It is called when a session comes back, before it is reset.
func (d *db) judge(s *session) {
	if s.attrs == dsn.TargetAny || s.attrs == "" {
		return
	}
	// What a reset undoes is reported with its answer only: maybe not by the next
	// lend, nor by its end where nothing was asked.
	s.own = s.maySet() || s.own && s.wc.Unread()
	if s.fallen() {
		d.giveUp(s.server, s.epoch)
	}
}

// maySet says whether the session's user may have made it, or its transaction,
// read-only.
func (s *session) maySet() bool {
	_, applied := s.applied[readOnlySetting]
	return s.sets || applied
}

// readOnlyText finds the texts by which a session or a transaction is made
// read-only: SET default_transaction_read_only, BEGIN READ ONLY and so on.
var readOnlyText = regexp.MustCompile(`(?i)read[_\s]+only`)

// refused judges an error of the class "read only" (25006) and changes it where
// another server, or another attempt, would not refuse: where target_session_attrs
// wants a server that takes writes, and where the transaction was read-only
// because of a standby that has been promoted since. It is the server's doing,
// unless the caller asked for a read-only transaction, and where the server
// says that it is a standby, or read-only by default though the session has set
// nothing, or does not tell such things at all.
func (d *db) refused(s *session, opt *duet.Options, e *duet.Error) {
	if e.Code != "25006" || opt.Access == duet.ReadOnly {
		return
	}
	standby, readOnly := s.wc.Parameter("in_hot_standby"), s.wc.Parameter(readOnlySetting)
	switch {
	case s.meek && standby != "on":
		e.Kind, e.Err = duet.KindUnavailable, errPromoted
		return
	case !wantsPrimary(s.attrs):
		return
	case standby == "on":
	case s.maySet():
		return
	case readOnly == "on" && s.attrs == dsn.TargetReadWrite:
	case standby == "":
	default:
		return
	}
	e.Kind, e.Err = duet.KindUnavailable, errDemoted
	d.giveUp(s.server, s.epoch)
}

// readOnlyError is why a server's refusal to write is not the last word.
type readOnlyError string

func (e readOnlyError) Error() string { return string(e) }

// Unwrap keeps the error one of writing where nothing may be written.
func (e readOnlyError) Unwrap() error { return duet.ErrReadOnly }

const (
	errDemoted  readOnlyError = "the server takes no writes any more: its connections are given up"
	errPromoted readOnlyError = "the server was a standby when the transaction began, and has been promoted since"
)

// tooLate words the end of the time that a host was given, which must not look
// like the end of the caller's ctx.
func (d *dialer) tooLate(err error) error {
	e := duet.Error{Kind: duet.KindUnavailable, Backend: backendName, Phase: duet.PhaseConnect}
	if known, ok := errors.AsType[*duet.Error](err); ok {
		e = *known
	}
	if d.target.ConnectTimeout > 0 {
		e.Err = &timeoutError{fmt.Sprintf("no answer within the connect_timeout of %v", d.timeout())}
	} else {
		e.Err = &timeoutError{fmt.Sprintf("no answer within %v; connect_timeout sets another time", d.timeout())}
	}
	return &e
}

// timeoutError is the end of the time that a host was given.
type timeoutError struct{ text string }

func (e *timeoutError) Error() string { return e.text }

// Timeout is as net.Error has it.
func (e *timeoutError) Timeout() bool { return true }

// isNetwork says that it was the network, or time, that ended a dialogue.
func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || contextEnded(err)
}
