package main

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/duetdb/duet/internal/faultproxy"
)

// soakPoint is a message at which faults strike.
type soakPoint struct {
	name   string
	from   faultproxy.Side
	typ    byte
	text   string
	weight int
	skip   int // how many of them are let pass at most: the more there are, the more
}

// The messages of PostgreSQL's protocol that a transaction, a single statement, a
// login and a cancellation are made of.
var soakPoints = []soakPoint{
	{"BEGIN", faultproxy.Client, 'E', "begin", 4, 30},
	{"BEGIN's answer", faultproxy.Server, 'C', "begin", 4, 30},
	{"a statement's Parse", faultproxy.Client, 'P', "", 2, 10},
	{"a statement's Bind", faultproxy.Client, 'B', "", 2, 60},
	{"a select", faultproxy.Client, 'E', "select", 3, 40},
	{"an insert", faultproxy.Client, 'E', "insert", 4, 30},
	{"an update", faultproxy.Client, 'E', "with", 3, 30},
	{"Sync", faultproxy.Client, 'S', "", 4, 100},
	{"DataRow", faultproxy.Server, 'D', "", 4, 200},
	{"a select's answer", faultproxy.Server, 'C', "select", 3, 40},
	{"an insert's answer", faultproxy.Server, 'C', "insert", 5, 60},
	{"ErrorResponse", faultproxy.Server, 'E', "", 2, 10},
	{"ReadyForQuery, idle", faultproxy.Server, 'Z', "i", 5, 60},
	{"ReadyForQuery, in transaction", faultproxy.Server, 'Z', "t", 4, 60},
	{"a token's insert", faultproxy.Client, 'E', "insert into duet.commit_token", 3, 15},
	{"COMMIT", faultproxy.Client, 'E', "commit", 10, 20},
	{"COMMIT's answer", faultproxy.Server, 'C', "commit", 12, 20},
	{"ROLLBACK", faultproxy.Client, 'E', "rollback", 2, 4},
	{"ROLLBACK's answer", faultproxy.Server, 'C', "rollback", 2, 4},
	{"CancelRequest", faultproxy.Client, faultproxy.CancelRequest, "", 4, 4},
	{"Startup", faultproxy.Client, faultproxy.Startup, "", 2, 3},
	{"login", faultproxy.Server, 'R', "", 2, 3},
	{"BackendKeyData", faultproxy.Server, 'K', "", 2, 3},
}

// soakHarm is what is done there. The harms that end a connection come first.
type soakHarm uint8

const (
	harmCut soakHarm = iota
	harmReset
	harmHalfClose
	harmCutClient
	harmSilence // nothing passes for a while, and then the connection is cut
	harmStall
	harmDelay
	harmSplit
	soakHarms
)

var soakHarmNames = [soakHarms]string{"cut", "reset", "half-close", "client gone", "silence, cut", "stall", "delay", "split"}

var soakHarmWeights = [soakHarms]int{30, 14, 8, 8, 8, 12, 12, 8}

// Faults that are no proxy's.
const (
	faultTerminated = "session ended by the server"
	faultAllCut     = "all connections cut at once"
	faultRestart    = "server restarted, "
	faultKilled     = "all sessions killed at the server"
	faultStruck     = "cut at a statement, by the server"
	faultRaw        = "a connection's bytes"
)

// soakFault is one planned fault.
type soakFault struct {
	wait  time.Duration // after the one before
	kind  string        // of those above, or "" for rules
	pick  uint64        // whom it strikes, of those that are there
	point string
	harm  soakHarm
	rules []faultproxy.Rule
}

// soakPlan draws faults, one after the other, from a seed alone.
type soakPlan struct {
	rng   *rand.Rand
	every time.Duration
	raw   bool
}

func newSoakPlan(seed uint64, every time.Duration, raw bool) *soakPlan {
	return &soakPlan{rand.New(rand.NewPCG(seed, 0xfa017)), every, raw}
}

func (p *soakPlan) next() soakFault {
	f := soakFault{wait: p.every/2 + time.Duration(p.rng.Int64N(int64(p.every)+1)), pick: p.rng.Uint64()}
	switch d := p.rng.IntN(400); {
	case d < 2:
		f.kind = faultAllCut
	case d < 50 && !p.raw:
		f.kind = faultTerminated
	case d < 3 && p.raw:
		f.kind = faultKilled
	case d < 100 && p.raw:
		f.kind = faultStruck
	case p.raw:
		p.bytes(&f)
	default:
		p.message(&f)
	}
	return f
}

// message plans a fault at a message.
func (p *soakPlan) message(f *soakFault) {
	all := 0
	for _, point := range soakPoints {
		all += point.weight
	}
	pick, i := p.rng.IntN(all), 0
	for ; pick >= soakPoints[i].weight; i++ {
		pick -= soakPoints[i].weight
	}
	point := soakPoints[i]
	f.point = point.name
	rule := faultproxy.Rule{
		From: point.from, Type: point.typ, Text: point.text, At: faultproxy.Point(p.rng.IntN(3)), Skip: p.rng.IntN(point.skip + 1),
	}
	if rule.At == faultproxy.Inside {
		rule.N = p.rng.Int64N(12) // 0 is half of it
	}
	p.harm(f, rule)
}

// bytes plans a fault on a connection whose messages are not seen.
func (p *soakPlan) bytes(f *soakFault) {
	f.point = faultRaw
	p.harm(f, faultproxy.Rule{
		From: faultproxy.Side(p.rng.IntN(2)), Bytes: 1 + int64(p.rng.ExpFloat64()*30_000), Chance: 0.4,
	})
}

// harm draws what is done.
func (p *soakPlan) harm(f *soakFault, rule faultproxy.Rule) {
	all := 0
	for _, weight := range soakHarmWeights {
		all += weight
	}
	pick := p.rng.IntN(all)
	for ; pick >= soakHarmWeights[f.harm]; f.harm++ {
		pick -= soakHarmWeights[f.harm]
	}
	rule.Name = f.point + "\x00" + soakHarmNames[f.harm]
	rule.For = time.Duration(5+p.rng.IntN(300)) * time.Millisecond
	switch f.harm {
	case harmCut:
		rule.Do = faultproxy.Cut
	case harmReset:
		rule.Do, rule.Reset = faultproxy.Cut, true
	case harmHalfClose:
		rule.Do = faultproxy.HalfClose
	case harmCutClient:
		rule.Do = faultproxy.CutClient
	case harmSilence:
		cut := rule
		cut.Name, cut.Do, cut.For = "", faultproxy.Cut, 0
		rule.Do = faultproxy.Stall
		f.rules = []faultproxy.Rule{rule, cut}
		return
	case harmStall:
		rule.Do = faultproxy.Stall
	case harmDelay:
		rule.Do, rule.For = faultproxy.Delay, rule.For/3
		rule.Jitter = rule.For / 2
	case harmSplit:
		rule.Do, rule.For = faultproxy.Split, time.Duration(p.rng.IntN(300))*time.Microsecond
		if p.raw {
			rule.N = 2000 // not all that ever comes
		}
	}
	f.rules = []faultproxy.Rule{rule}
}

// planted is a fault that waits for its message.
type plantedFault struct {
	rules []*faultproxy.Planted
	at    time.Time
}

// A rule that has not found its message after this time is taken away; one that
// has is, too, when what it does is over.
const plantedFor = 4 * time.Second

// faultCount is a row of the table of faults: how often each harm fired at a
// point, or alone the sum, for faults that are no rules.
type faultCount struct {
	Point string
	Harms [soakHarms]int64
	Total int64
}

// injector strikes.
type injector struct {
	plan    *soakPlan
	proxy   *faultproxy.Proxy
	clock   func() time.Duration
	others  map[string]int64 // faults that are no rules
	cuts    []window         // of all connections at once
	pending []plantedFault
	// terminate ends one session, the pick'th of those there are; kill ends all;
	// strike plants a fault at the server. They say how many faults that was, and
	// are nil where the backend has none of them.
	terminate func(ctx context.Context, pick uint64) (int64, error)
	kill      func() int64
	strike    func(pick uint64) int64
}

// run strikes until ctx ends.
func (i *injector) run(ctx context.Context) {
	defer i.proxy.Clear()
	for {
		f := i.plan.next()
		select {
		case <-time.After(f.wait):
		case <-ctx.Done():
			return
		}
		i.sweep()
		switch f.kind {
		case "":
			i.add(f)
		case faultAllCut:
			from := i.clock()
			if i.proxy.Cut() > 0 {
				i.others[f.kind]++
				i.cuts = append(i.cuts, window{from, i.clock()})
			}
		case faultTerminated:
			if n, err := i.terminate(ctx, f.pick); err == nil { // else the server is away just now
				i.others[f.kind] += n
			}
		case faultKilled:
			i.others[f.kind] += i.kill()
		case faultStruck:
			i.others[f.kind] += i.strike(f.pick)
		}
	}
}

func (i *injector) add(f soakFault) {
	planted := plantedFault{at: time.Now()}
	for _, rule := range f.rules {
		planted.rules = append(planted.rules, i.proxy.Add(rule))
	}
	i.pending = append(i.pending, planted)
}

// sweep takes old rules away.
func (i *injector) sweep() {
	n := 0
	for n < len(i.pending) && time.Since(i.pending[n].at) > plantedFor {
		for _, rule := range i.pending[n].rules {
			rule.Remove()
		}
		n++
	}
	i.pending = slices.Delete(i.pending, 0, n)
}

// counts gives what has fired.
func (i *injector) counts() []faultCount {
	byPoint := map[string]*faultCount{}
	for name, n := range i.proxy.Fired() {
		point, harm, ok := strings.Cut(name, "\x00")
		if !ok || n == 0 {
			continue
		}
		c := byPoint[point]
		if c == nil {
			c = &faultCount{Point: point}
			byPoint[point] = c
		}
		c.Harms[slices.Index(soakHarmNames[:], harm)] = n
		c.Total += n
	}
	order := map[string]int{}
	for n, point := range soakPoints {
		order[point.name] = n
	}
	all := slices.SortedFunc(maps.Keys(byPoint), func(a, b string) int { return cmp.Compare(order[a], order[b]) })
	var counts []faultCount
	for _, point := range all {
		counts = append(counts, *byPoint[point])
	}
	for _, kind := range slices.Sorted(maps.Keys(i.others)) {
		if i.others[kind] > 0 {
			counts = append(counts, faultCount{Point: kind, Total: i.others[kind]})
		}
	}
	return counts
}
