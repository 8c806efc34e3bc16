package pool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/duetdb/duet/pool"
)

// machine is what a pool must look like after any sequence of calls, one at a
// time, each left to settle.
type machine struct {
	p    *pool.Pool[*thing]
	f    *factory
	size int32

	lent     []*pool.Lease[*thing]
	idle     int32
	old      map[*thing]bool // lent before an Expire
	acquires int64
	connects int64
	closed   int64
	failed   int64
	starved  int64
}

func TestStateMachine(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int32Range(1, 5).Draw(rt, "size")
		synctest.Test(t, func(t *testing.T) {
			f := &factory{max: size}
			p, err := pool.New(pool.Config[*thing]{
				MaxSize: size, AcquireTimeout: time.Second, MaxLifetime: -1, MaxIdleTime: -1,
				Connect: f.connect, Close: f.close, Terminate: f.terminate,
				Healthy: func(v *thing) bool { return !v.sick.Load() },
			})
			if err != nil {
				t.Fatal(err)
			}
			m := &machine{p: p, f: f, size: size, old: map[*thing]bool{}}
			defer func() {
				p.Terminate()
				if err := p.Close(context.Background()); err != nil {
					t.Error(err)
				}
				f.check(t)
			}()
			rt.Repeat(map[string]func(*rapid.T){
				"":           m.check,
				"acquire":    m.acquire,
				"tryAcquire": m.tryAcquire,
				"release":    m.release,
				"destroy":    m.destroy,
				"expire":     m.expire,
				"sicken":     m.sicken,
				"outage":     func(*rapid.T) { f.fail.Store(!f.fail.Load()) },
			})
		})
	})
}

func (m *machine) check(rt *rapid.T) {
	synctest.Wait()
	s := m.p.Stat()
	want := pool.Stat{
		MaxSize: m.size, Total: m.idle + int32(len(m.lent)), Idle: m.idle, InUse: int32(len(m.lent)),
		Acquires: m.acquires, Connects: m.connects, Closed: m.closed, ConnectFailures: m.failed, Exhausted: m.starved,
	}
	want.Waited, want.WaitTime, want.ByReason = s.Waited, s.WaitTime, s.ByReason
	if s != want {
		rt.Fatalf("got  %+v\nwant %+v", s, want)
	}
	if n := m.f.open.Load(); n != s.Total {
		rt.Fatalf("%d are open, the pool knows %d", n, s.Total)
	}
}

func (m *machine) got(l *pool.Lease[*thing]) {
	m.acquires++
	m.lent = append(m.lent, l)
}

func (m *machine) acquire(rt *rapid.T) {
	l, err := m.p.Acquire(context.Background())
	switch {
	case m.idle > 0:
		m.idle--
	case int32(len(m.lent)) == m.size:
		if _, ok := err.(*pool.ExhaustedError); !ok {
			rt.Fatalf("full: %v", err)
		}
		m.starved++
		return
	case m.f.fail.Load():
		if err != errBroken {
			rt.Fatalf("outage: %v", err)
		}
		m.failed++
		return
	default:
		m.connects++
	}
	if err != nil {
		rt.Fatal(err)
	}
	m.got(l)
}

func (m *machine) tryAcquire(rt *rapid.T) {
	l, err := m.p.TryAcquire(context.Background())
	if m.idle > 0 {
		if err != nil {
			rt.Fatal(err)
		}
		m.idle--
		m.got(l)
		return
	}
	if err != pool.ErrNone {
		rt.Fatalf("none idle: %v", err)
	}
	if int32(len(m.lent)) < m.size { // one is made in the background
		if m.f.fail.Load() {
			m.failed++
		} else {
			m.connects++
			m.idle++
		}
	}
}

func (m *machine) pick(rt *rapid.T) *pool.Lease[*thing] {
	if len(m.lent) == 0 {
		rt.Skip("none is lent")
	}
	i := rapid.IntRange(0, len(m.lent)-1).Draw(rt, "lease")
	l := m.lent[i]
	m.lent = append(m.lent[:i:i], m.lent[i+1:]...)
	return l
}

func (m *machine) release(rt *rapid.T) {
	l := m.pick(rt)
	if m.old[l.Value()] {
		m.closed++
	} else {
		m.idle++
	}
	l.Release()
	l.Release()
}

func (m *machine) destroy(rt *rapid.T) {
	l := m.pick(rt)
	m.closed++
	l.Destroy()
	l.Release()
}

func (m *machine) expire(*rapid.T) {
	m.p.Expire()
	m.closed += int64(m.idle)
	m.idle = 0
	for _, l := range m.lent {
		m.old[l.Value()] = true
	}
}

// sicken has one released sick: the next acquire destroys it and takes another.
func (m *machine) sicken(rt *rapid.T) {
	if m.idle > 0 {
		rt.Skip("another one would be taken")
	}
	l := m.pick(rt)
	if m.old[l.Value()] {
		m.lent = append(m.lent, l)
		rt.Skip("it would not become idle")
	}
	l.Value().sick.Store(true)
	l.Release()
	m.closed++
	m.acquire(rt)
}
