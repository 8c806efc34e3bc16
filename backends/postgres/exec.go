package postgres

import (
	"context"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
)

// run is one command being run on a session: the flight, what was put into it,
// and what has come back.
type run struct {
	db *db
	s  *session
	k  *call

	before []string // BEGIN and SAVEPOINT that travel ahead of the command
	inTx   bool     // a transaction is open, or before opens one
	ours   bool     // and it is duet's, not begun by hand
	lone   bool     // first use of the connection since it was idle
	first  bool     // the first statement of duet's own transaction
	script bool     // by the simple protocol

	f    *wire.Flight
	desc *description
	name string // what is bound; "" is the unnamed statement
	main int    // the first step that is the command's own
	does int    // the step that runs it

	trace    *trace // of duet's own transaction; nil without one
	lookAt   int    // the first step of the look behind the command, 0 without one
	unlooked bool   // the look failed, though the command had run

	setting bool // settings share the command's group, and its fate
	fresh   bool // the statement was described by this run
	misfit  bool // the arguments or the destination do not fit it
	old     bool // it failed, maybe because it was described long ago
	round   int  // how often it was prepared anew before

	running   bool // the command itself has been sent
	committed bool // a part of the script has been committed

	preparing bool // the flight prepares name
	dead      bool // the flight ended without ReadyForQuery
	unsent    bool // and the server cannot have run any of it
	params    []uint32
	prior     map[string]string // the settings before the flight
	failed    *wire.ServerError
	failedAt  int
	mismatch  error
}

// exec runs the call once. The error is a *duet.Error, and run keeps what the
// caller needs to know of it.
func (r *run) exec(ctx context.Context) error {
	if err := r.admit(); err != nil {
		return err
	}
	st := r.k.st
	r.script = r.k.into.kind == discardRows && len(r.k.args) == 0 && (!isData(st.kind) || st.several)
	if err := r.ahead(ctx); err != nil {
		return err
	}
	if r.script {
		return r.simple(ctx)
	}
	if err := r.launch(ctx); err != nil {
		return err
	}
	return r.read()
}

// admit resolves the call, unless it must not run here.
func (r *run) admit() error {
	if err := r.db.resolve(r.k, r.s); err != nil {
		return err
	}
	if err := r.refuse(); err != nil {
		return err
	}
	r.s.spoil(r.k.st)
	if r.k.st.drops {
		r.s.disownAll()
	}
	if r.trace != nil {
		r.trace.ran(r.k.st)
	}
	return nil
}

// refuse refuses what would end the transaction behind duet's back. What
// followed it in a script, or BEGIN in the same text, would otherwise run
// outside of the transaction before anybody could tell.
func (r *run) refuse() error {
	if !r.ours || !r.k.st.ends {
		return nil
	}
	return simpleError(duet.KindInvalidArgument, duet.PhasePrepare, r.k.cmd, "the command would end the transaction: the closure's return, Commit and Rollback decide that")
}

// launch sends the flight that runs the command. Where the arguments or the
// destination do not fit what was described in the past, the server is asked
// once more: a column may have got another type, or have been added.
func (r *run) launch(ctx context.Context) error {
	if r.desc = r.k.st.desc.Load(); r.desc == nil {
		if err := r.describe(ctx); err != nil {
			return err
		}
	}
	err := r.build()
	if err != nil && r.misfit && !r.fresh {
		r.stale()
		r.desc, r.misfit = nil, false
		if err := r.describe(ctx); err != nil {
			return err
		}
		err = r.build()
	}
	if err != nil {
		return err
	}
	r.running = true
	return r.send(ctx)
}

// ahead makes a round trip for what cannot share a group with the command:
// settings before a BEGIN, which must come before anything that takes a
// snapshot, and either of them before the simple protocol, which would run its
// text even if they failed.
func (r *run) ahead(ctx context.Context) error {
	settings, err := r.s.settingCommands(r.k.opt.Settings)
	if err != nil {
		return argumentError(r.k.cmd, err)
	}
	if len(settings) > 0 && (len(r.before) > 0 || r.script || needsOwnFlight(r.s.applied, r.k.opt.Settings)) {
		r.setting = true
		if err := r.roundTrip(ctx, settings); err != nil {
			return err
		}
		r.setting = false
	}
	if len(r.before) > 0 && r.script {
		before := r.before
		r.before = nil
		return r.roundTrip(ctx, before)
	}
	return nil
}

// roundTrip runs commands of duet's own by themselves.
func (r *run) roundTrip(ctx context.Context, commands []string) error {
	r.f = wire.NewFlight()
	r.f.Lone = r.lone
	for _, c := range commands {
		if err := r.f.Command(c); err != nil {
			return argumentError(r.k.cmd, err)
		}
	}
	r.f.Sync()
	r.main, r.lookAt = r.f.Steps(), 0
	if err := r.send(ctx); err != nil {
		return err
	}
	return r.readAll(nil)
}

// open starts a flight with what travels ahead of every command.
func (r *run) open() error {
	r.f = wire.NewFlight()
	r.lookAt = 0
	r.f.Lone = r.lone
	for _, name := range r.s.closing {
		if err := r.f.CloseStatement(name); err != nil {
			return err
		}
	}
	settings, err := r.s.settingCommands(r.k.opt.Settings)
	if err != nil {
		return argumentError(r.k.cmd, err)
	}
	for _, c := range settings {
		if err := r.f.Command(c); err != nil {
			return argumentError(r.k.cmd, err)
		}
	}
	r.setting = len(settings) > 0
	for _, c := range r.before {
		if err := r.f.Command(c); err != nil {
			return argumentError(r.k.cmd, err)
		}
	}
	r.main = r.f.Steps()
	return nil
}

// send hands the flight over.
func (r *run) send(ctx context.Context) error {
	if r.setting {
		r.prior = r.s.applied
		r.s.applied = r.k.opt.Settings
		r.s.setInTx = r.s.setInTx || r.inTx
	}
	if err := r.s.wc.Send(ctx, r.f); err != nil {
		return r.lost(err)
	}
	r.s.closing = r.s.closing[:0]
	r.lone = false
	return nil
}

// lost makes the error of a flight that ended without ReadyForQuery.
func (r *run) lost(err error) error {
	r.dead = true
	if r.lookAt > 0 {
		r.s.disown(&r.s.lookName)
	}
	r.unsent = !r.running || r.f.Unsent() || !r.script && refusedFirst(err, r.f) // a script may commit on its way
	r.unset()
	return lost(err, r.k.st, duet.PhaseRun, !r.unsent && (!r.inTx || r.k.st.ends))
}

// simple runs the text by the simple protocol.
func (r *run) simple(ctx context.Context) error {
	r.f = wire.NewFlight()
	r.f.Lone = r.lone
	r.main, r.does, r.lookAt = 0, 0, 0
	if err := r.f.Query(r.k.cmd); err != nil {
		return argumentError(r.k.cmd, err)
	}
	r.running = true
	if r.wantsLook() {
		if err := r.addLook(); err != nil {
			return err
		}
		r.f.Sync()
	}
	if err := r.send(ctx); err != nil {
		return err
	}
	return r.read()
}

// describe asks the server about a text that nobody has run yet, and prepares it
// on the way. It costs a round trip, once for all connections of the pool.
func (r *run) describe(ctx context.Context) error {
	if err := r.open(); err != nil {
		return err
	}
	name := ""
	if r.keeps() {
		name = r.s.newName()
	}
	if err := r.f.Parse(name, r.k.st.parsed.Text, nil); err != nil {
		return argumentError(r.k.cmd, err)
	}
	if err := r.f.Describe(name); err != nil {
		return err
	}
	r.f.Sync()
	r.name, r.preparing, r.does = name, true, r.f.Steps()
	if err := r.send(ctx); err != nil {
		return err
	}
	if err := r.readAll(nil); err != nil {
		return err
	}
	if r.desc == nil {
		return simpleError(duet.KindProtocol, duet.PhaseRun, r.k.cmd, "the server did not describe the statement")
	}
	r.before, r.setting, r.fresh = nil, false, true
	r.k.st.desc.Store(r.desc)
	if name != "" {
		r.s.remember(r.k.st, name, r.desc, r.db.cfg.StatementCacheSize)
	}
	return nil
}

// keeps says whether the statement is prepared under a name.
func (r *run) keeps() bool {
	return r.k.st.cached && r.db.cfg.StatementCache == CacheNamed && r.db.cfg.StatementCacheSize > 0
}

// build makes the flight that runs the command.
func (r *run) build() error {
	if err := r.k.into.prepare(r.db.types, r.desc); err != nil {
		r.misfit = true
		return resultError(r.k.cmd, duet.PhasePrepare, err)
	}
	if err := r.open(); err != nil {
		return err
	}
	st := r.k.st
	r.preparing = false
	if p := r.s.prepared[st]; p != nil && r.keeps() {
		r.s.clock++
		p.used = r.s.clock
		r.name = p.name
		if p.desc != r.desc { // what another connection was told since does not hold here
			r.desc = p.desc
			if err := r.k.into.prepare(r.db.types, r.desc); err != nil {
				r.misfit = true
				return resultError(r.k.cmd, duet.PhasePrepare, err)
			}
		}
	} else {
		r.preparing, r.name = true, ""
		if r.keeps() {
			r.name = r.s.newName()
		}
		if err := r.f.Parse(r.name, st.parsed.Text, r.desc.params); err != nil {
			return argumentError(r.k.cmd, err)
		}
		if err := r.f.Describe(r.name); err != nil {
			return err
		}
	}
	buf, mark, err := r.f.BeginBind(r.name)
	if err != nil {
		return err
	}
	if buf, err = r.db.types.AppendArgs(buf, r.desc.params, r.k.values); err != nil {
		r.misfit = true
		return argumentError(r.k.cmd, err)
	}
	if err := r.f.EndBind(buf, mark, r.desc.formats); err != nil {
		return argumentError(r.k.cmd, err)
	}
	r.does = r.f.Steps()
	r.f.Execute()
	if r.wantsLook() {
		if err := r.addLook(); err != nil {
			return err
		}
	}
	r.f.Sync()
	return nil
}
