package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
)

// inject strikes until ctx ends.
func (st *soakStage) inject(ctx context.Context) {
	if st.edgedb != nil {
		st.injector.kill = func() int64 { return min(1, int64(st.edgedb.Kill(""))) }
		st.injector.strike = st.strike
		st.injector.run(ctx)
		st.planted.clear()
		st.injector.others[faultStruck] += st.edgedb.Struck() - st.struck
		return
	}
	var side *pgtest.Conn // of our own, past the proxy
	defer func() {
		if side != nil {
			side.Close()
		}
	}()
	st.injector.terminate = func(ctx context.Context, pick uint64) (int64, error) {
		var err error
		if side == nil {
			if side, err = st.pg.Connect(ctx, pgtest.Superuser); err != nil {
				side = nil
				return 0, err
			}
		}
		n, err := oneNumber(ctx, side, fmt.Sprintf(`with those as (select pid, row_number() over (order by backend_start) - 1 as n, count(*) over () as of
				from pg_stat_activity where application_name = '%s')
			select count(*) filter (where pg_terminate_backend(pid)) from those where n = %d %% of`, soakLabel, pick>>1))
		if err != nil {
			side.Close()
			side = nil
		}
		return n, err
	}
	st.injector.run(ctx)
}

// strike plants a cut at a statement's answer, or before its doing, where it is
// sure to be: the proxy sees nothing within TLS. It gives how many of those that
// were planted before have struck meanwhile.
func (st *soakStage) strike(pick uint64) int64 {
	texts := []string{"commit;", "commit;", "start transaction", "insert", "insert commitToken", "update", "select", ""}
	st.planted.push(st.edgedb.Inject(edgedbtest.Fault{
		At:   edgedbtest.Point(pick % 2),
		Text: texts[pick>>1%uint64(len(texts))],
		Skip: int(pick >> 4 % 8),
		Cut:  pick>>7%4 != 0, Torn: pick>>7%4 == 0,
	}))
	struck := st.edgedb.Struck()
	fired := struck - st.struck
	st.struck = struck
	return fired
}

// restart stops the server and starts it, about every minute, until ctx ends.
func (st *soakStage) restart(ctx context.Context) {
	rng := rand.New(rand.NewPCG(st.opt.seed, 0x2e57a27))
	for {
		every := min(50*time.Second, st.opt.duration/3)
		wait := every*3/4 + time.Duration(rng.Int64N(int64(every/2)))
		mode := []string{"fast", "immediate"}[rng.IntN(2)]
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		from := st.clock()
		// To its end, so that there is a server afterwards.
		err := st.pg.Restart(context.WithoutCancel(ctx), mode)
		st.mu.Lock()
		st.restarts = append(st.restarts, window{from, st.clock()})
		if err != nil {
			st.restartErr = err
		} else {
			st.restarted[mode]++
		}
		st.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (st *soakStage) circumstances() circumstances {
	st.mu.Lock()
	defer st.mu.Unlock()
	c := circumstances{restarts: st.restarts}
	if st.injector != nil {
		c.cuts = st.injector.cuts
	}
	return c
}

// sessions counts those of the clients under test at the server.
func (st *soakStage) sessions(ctx context.Context) (int64, error) {
	if st.edgedb != nil {
		return int64(st.edgedb.Connections("").Open) - int64(st.direct.Pool().Stat().Total), nil
	}
	c, err := st.pg.Connect(ctx, pgtest.Superuser)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return oneNumber(ctx, c, "select count(*) from pg_stat_activity where application_name = '"+soakLabel+"'")
}

// soakOldTokens is how many somebody left two hours ago. They are pruned, unless
// faults met each client's attempt.
const soakOldTokens = 100

// initTokens makes the tokens' table or type, with old tokens in it.
func (st *soakStage) initTokens(ctx context.Context) error {
	if st.edgedb != nil {
		_, err := edgeTokens{}.make(ctx, st.direct, initOptions{})
		return err
	}
	_, err := direct(ctx, st.pg, pgtest.Superuser, postgres.CommitTokenSchema+fmt.Sprintf(
		`; insert into duet.commit_token select (lpad(to_hex((extract(epoch from now()) * 1000)::bigint - 7200000), 12, '0')
			|| '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid, now() - interval '2 hours' from generate_series(1, %d)`, soakOldTokens))
	return err
}

// plantedCuts are the newest faults planted at a server: older ones that have not
// found their statement are taken away.
type plantedCuts struct{ removes []func() }

func (p *plantedCuts) push(remove func()) {
	const most = 20
	if p.removes = append(p.removes, remove); len(p.removes) > most {
		p.removes[0]()
		p.removes = p.removes[1:]
	}
}

func (p *plantedCuts) clear() {
	for _, remove := range p.removes {
		remove()
	}
	p.removes = nil
}

// resolvedCounts counts what became of commits whose answer was lost, as the
// clients' hook tells.
type resolvedCounts struct {
	mu sync.Mutex
	by map[string]*resolvedCount // by their proof
}

// resolvedCount is a row of the table of lost commits.
type resolvedCount struct {
	Proof      string        `json:"proof"`
	Applied    int64         `json:"applied"`
	NotApplied int64         `json:"not_applied"`
	Unknown    int64         `json:"unknown"`
	Longest    time.Duration `json:"longest_ns"`
}

func (r *resolvedCounts) add(_ context.Context, info duet.CommitInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string]*resolvedCount{}
	}
	proof := string(info.Proof)
	c := r.by[proof]
	if c == nil {
		c = &resolvedCount{Proof: proof}
		r.by[proof] = c
	}
	switch {
	case info.Err != nil:
		c.Unknown++
	case info.Committed:
		c.Applied++
	default:
		c.NotApplied++
	}
	c.Longest = max(c.Longest, info.Took)
}
