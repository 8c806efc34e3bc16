package wire_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
)

// TestPipeline: many goroutines on one connection, each gets its own answers.
func TestPipeline(t *testing.T) {
	checkLeaks(t)
	c := open(t, sharedConfig(t))
	if _, err := exchange(bounded(t), c, flightOf(doParse("s", "SELECT $1 || i FROM generate_series(1, $2::int) i", 25, 23), doSync)); err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	for g := range 16 {
		done.Go(func() {
			for i := range 150 {
				name, rows := fmt.Sprintf("%d-%d-", g, i), 1+(g+i)%40
				var f *wire.Flight
				switch i % 5 {
				case 4: // an error in between is one's own
					a, err := exchange(bounded(t), c, flightOf(doWhole("SELECT 1 / (length($1) - length($1))", name)))
					if serverCode(err) != "22012" {
						t.Errorf("%s: %v, %+v", name, err, a)
						return
					}
					continue
				case 3:
					f = flightOf(doQuery(fmt.Sprintf("SELECT '%s' || i FROM generate_series(1, %d) i", name, rows)))
				default:
					f = flightOf(doBind("s", name, fmt.Sprint(rows)), doExecute, doSync)
				}
				a, err := exchange(bounded(t), c, f)
				if err != nil || !slices.Equal(a.rows, numbered(name, rows)) {
					t.Errorf("%s: %q, %v", name, a.rows, err)
					return
				}
			}
		})
	}
	done.Wait()
	checkUsable(t, c)
}

func numbered(name string, n int) (rows []string) {
	for i := range n {
		rows = append(rows, fmt.Sprint(name, i+1))
	}
	return rows
}

// TestPipelineRandomly mixes everything on one connection: callers that leave at
// random, lazy flights, flights that nobody waits for. Each caller gets its own
// answer, its ctx's error, the cancellation that was meant for the flight before
// it, or the error of a dead connection; never another's rows.
func TestPipelineRandomly(t *testing.T) {
	checkLeaks(t)
	server := startServer(t)
	for name, mode := range map[string]wire.TLSMode{"plain": wire.TLSDisable, "TLS": wire.TLSRequire} {
		t.Run(name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			cfg := configFor(server, "trust_user")
			cfg.TLS = mode
			m := &mixer{t: t, cfg: cfg}
			m.replace(nil)
			var done sync.WaitGroup
			for g := range 8 {
				done.Go(func() {
					random := rand.New(rand.NewPCG(seed, uint64(g)))
					for i := range 250 {
						m.step(random, fmt.Sprintf("%d-%d", g, i))
					}
				})
			}
			done.Wait()
			t.Logf("%d answered, %d left, %d cancelled by a neighbour's, %d lost with %d connections",
				m.answered.Load(), m.left.Load(), m.neighbour.Load(), m.lost.Load(), m.conns)
			if m.answered.Load() < 500 || m.left.Load() < 20 {
				t.Error("the mixture is not one")
			}
			c := m.current()
			idle := make(chan struct{})
			c.WhenIdle(func() { close(idle) })
			<-idle
			if c.Err() == nil {
				checkUsable(t, c)
			}
		})
	}
}

type mixer struct {
	t                               *testing.T
	cfg                             *wire.Config
	answered, left, neighbour, lost atomic.Int32

	mu    sync.Mutex
	c     *wire.Conn
	conns int
}

func (m *mixer) current() *wire.Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.c
}

// replace opens another connection where old is still the current one.
func (m *mixer) replace(old *wire.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.c == old {
		m.c = open(m.t, m.cfg)
		m.conns++
	}
}

func (m *mixer) step(random *rand.Rand, name string) {
	c := m.current()
	switch random.IntN(12) {
	case 0:
		_ = c.SendLazy(flightOf(doCommand("SELECT 'lazy "+name+"'"), doSync))
		return
	case 1:
		_ = c.SendAbandoned(flightOf(doWhole("SELECT 'nobody' || i FROM generate_series(1, 100) i")))
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	text, rows := "SELECT $1 || i FROM generate_series(1, $2::int) i", 1+random.IntN(300)
	switch random.IntN(6) {
	case 0:
		time.AfterFunc(time.Duration(random.IntN(2000))*time.Microsecond, cancel)
	case 1:
		text = "SELECT $1 || i FROM generate_series(1, $2::int) i, pg_sleep(0.01)"
		time.AfterFunc(time.Duration(random.IntN(12))*time.Millisecond, cancel)
	}
	f := flightOf(doWhole(text, name+":", fmt.Sprint(rows)))
	f.NoCancel = random.IntN(4) == 0
	if random.IntN(10) == 0 {
		if c.Send(ctx, f) == nil {
			if random.IntN(2) == 0 {
				_, _, _ = f.Next()
			}
			f.Abandon()
		}
		return
	}
	a, err := answerOf{}, c.Send(ctx, f)
	if err == nil {
		if a, err = read(f); err == nil {
			err = a.server
		}
	}
	switch {
	case err == nil:
		m.answered.Add(1)
		if !slices.Equal(a.rows, numbered(name+":", rows)) {
			m.t.Errorf("%s: %d rows of %d: %.200q", name, len(a.rows), rows, a.rows)
		}
	case errors.Is(err, context.Canceled):
		m.left.Add(1)
	case serverCode(err) == "57014":
		if m.neighbour.Add(1); !f.Disturbed() || f.NoCancel || errors.Is(err, wire.ErrClosed) {
			m.t.Errorf("%s: disturbed %t, NoCancel %t: %v", name, f.Disturbed(), f.NoCancel, err)
		}
	case errors.Is(err, wire.ErrClosed):
		m.lost.Add(1)
		m.replace(c)
	default:
		m.t.Errorf("%s: %v", name, err)
	}
}

// TestPipelineHuge: both sides write more than any buffer holds, several times
// over. Nobody may wait for the other.
func TestPipelineHuge(t *testing.T) {
	checkLeaks(t)
	server := startServer(t)
	for name, mode := range map[string]wire.TLSMode{"plain": wire.TLSDisable, "TLS": wire.TLSRequire} {
		t.Run(name, func(t *testing.T) {
			cfg := configFor(server, "trust_user")
			cfg.TLS = mode
			c := open(t, cfg)
			var done sync.WaitGroup
			for g := range 4 {
				done.Go(func() {
					for i := range 3 {
						arg := strings.Repeat(string(rune('a'+4*i+g)), 4<<20)
						if got, err := value(bounded(t), c, "SELECT $1::text", arg); err != nil || got != arg {
							t.Errorf("%d bytes, %v", len(got), err)
							return
						}
					}
				})
				done.Go(func() {
					for i := range 30 {
						want := fmt.Sprint(g, i)
						if got, err := value(bounded(t), c, "SELECT $1::text", want); err != nil || got != want {
							t.Errorf("%.100q, want %q, %v", got, want, err)
							return
						}
					}
				})
			}
			done.Wait()
			// One flight whose answers come while it is still being written.
			f := wire.NewFlight()
			arg := strings.Repeat("z", 1<<20)
			for range 8 {
				if err := doWhole("SELECT $1::text", arg)(f); err != nil {
					t.Fatal(err)
				}
			}
			if a, err := exchange(bounded(t), c, f); err != nil || len(a.rows) != 8 || a.rows[7] != arg {
				t.Errorf("%d rows, %v", len(a.rows), err)
			}
			checkUsable(t, c)
		})
	}
}

// TestPipelineHugeAbandoned: the drainer reads while a helper writes.
func TestPipelineHugeAbandoned(t *testing.T) {
	checkLeaks(t)
	c := open(t, sharedConfig(t))
	arg := strings.Repeat("z", 4<<20)
	for i := range 12 {
		ctx, cancel := context.WithCancel(t.Context())
		f := flightOf(doWhole("SELECT $1::text", arg))
		if err := c.Send(ctx, f); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * time.Millisecond / 2)
		cancel()
		for {
			if _, _, err := f.Next(); errors.Is(err, context.Canceled) {
				break
			} else if err != nil || f.Step() == f.Steps() {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		checkUsable(t, c)
	}
}
