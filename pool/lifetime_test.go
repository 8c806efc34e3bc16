package pool_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/duetdb/duet/pool"
)

func TestMinSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 3, func(c *pool.Config[*thing]) { c.MinSize = 3 })
		synctest.Wait()
		if s := p.Stat(); s.Idle != 3 {
			t.Fatalf("not filled: %+v", s)
		}
		// MinSize is MaxSize: the next one can only be made once the slot is free.
		acquire(t, p).Destroy()
		synctest.Wait()
		if s := p.Stat(); s.Idle != 3 || s.Connects != 4 {
			t.Errorf("not filled again: %+v", s)
		}
		time.Sleep(3 * time.Hour) // lifetimes end
		synctest.Wait()
		if s := p.Stat(); s.Idle != 3 || s.ByReason[pool.ReasonLifetime] < 3 || s.ByReason[pool.ReasonIdle] != 0 {
			t.Errorf("after hours: %+v", s)
		}
		// A server that is away is asked less and less often, down to once each
		// period.
		f.fail.Store(true)
		before := p.Stat().ConnectFailures
		acquire(t, p).Destroy()
		acquire(t, p).Destroy()
		synctest.Wait()
		time.Sleep(10*time.Minute + time.Second)
		if n := p.Stat().ConnectFailures - before; n < 17 || n > 22 {
			t.Errorf("%d attempts in 10 periods", n)
		}
	})
}

func TestIdleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := open(t, 4, func(c *pool.Config[*thing]) {
			c.MinSize, c.MaxIdleTime, c.MaxLifetime = 1, 10*time.Minute, -1
		})
		synctest.Wait()
		ls := []*pool.Lease[*thing]{acquire(t, p), acquire(t, p), acquire(t, p), acquire(t, p)}
		hot := ls[3].Value() // released last, so lent first
		for _, l := range ls {
			l.Release()
		}
		// One is used all the time: it must stay, and the others go but for MinSize.
		time.Sleep(7 * time.Second) // never at the moment when the pool looks
		for range 60 {
			l := acquire(t, p)
			if l.Value() != hot {
				t.Fatal("connections take turns: none would ever be idle for long")
			}
			l.Release()
			time.Sleep(30 * time.Second) // idle whenever the pool looks
		}
		if s := p.Stat(); s.Idle != 1 || s.ByReason[pool.ReasonIdle] != 3 || s.Closed != 3 {
			t.Errorf("got %+v", s)
		}
		time.Sleep(time.Hour)
		if s := p.Stat(); s.Idle != 1 || s.Closed != 3 {
			t.Errorf("MinSize was not held: %+v", s)
		}
	})
}

func TestLifetimeJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ages []time.Duration
		p, _ := open(t, 1, func(c *pool.Config[*thing]) {
			c.MaxLifetime, c.MaxLifetimeJitter, c.HealthCheckPeriod = time.Hour, 30*time.Minute, time.Second
			c.MaxIdleTime = -1
			c.OnClose = func(r pool.Reason, age time.Duration, _ error) {
				if r == pool.ReasonLifetime {
					ages = append(ages, age)
				}
			}
		})
		for range 20 {
			acquire(t, p).Release()
			time.Sleep(2 * time.Hour)
		}
		synctest.Wait()
		distinct := map[time.Duration]bool{}
		for _, a := range ages {
			distinct[a] = true
			if a < time.Hour || a > 90*time.Minute+time.Second {
				t.Errorf("lived for %v", a)
			}
		}
		if len(ages) != 20 || len(distinct) < 10 {
			t.Errorf("%d lifetimes, %d different", len(ages), len(distinct))
		}
	})
}

func TestLifetimeAtRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 1, func(c *pool.Config[*thing]) { c.MaxLifetime, c.MaxLifetimeJitter = time.Minute, -1 })
		l := acquire(t, p)
		time.Sleep(time.Minute)
		v := l.Value()
		if l.Age() != time.Minute || l.Held() != time.Minute {
			t.Errorf("Age %v, Held %v", l.Age(), l.Held())
		}
		l.Release()
		synctest.Wait()
		if !v.closed.Load() || v.terminated.Load() != 0 || p.Stat().ByReason[pool.ReasonLifetime] != 1 {
			t.Errorf("not closed in good order: %+v", p.Stat())
		}
		acquire(t, p).Release()
		if f.made.Load() != 2 {
			t.Errorf("made %d", f.made.Load())
		}
	})
}

func TestMaxUses(t *testing.T) {
	p, f := open(t, 1, func(c *pool.Config[*thing]) { c.MaxUses = 3 })
	for range 10 {
		acquire(t, p).Release()
	}
	if n := f.made.Load(); n != 4 {
		t.Errorf("10 acquires of 3 uses made %d connections, want 4", n)
	}
}

func TestExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := false
		p, f := open(t, 3, func(c *pool.Config[*thing]) {
			dial := c.Connect
			c.Connect = func(ctx context.Context) (*thing, error) {
				if slow {
					time.Sleep(time.Second)
				}
				return dial(ctx)
			}
		})
		lent, idle := acquire(t, p), acquire(t, p)
		idle.Release()
		p.Control().Expire()
		synctest.Wait()
		if s := p.Stat(); s.InUse != 1 || s.Idle != 0 || s.ByReason[pool.ReasonExpired] != 1 {
			t.Errorf("idle ones are still there: %+v", s)
		}
		lent.Release()
		synctest.Wait()
		if s := p.Stat(); s.Total != 0 || s.ByReason[pool.ReasonExpired] != 2 {
			t.Errorf("the lent one came back: %+v", s)
		}
		// One in the making was begun with what is now out of date.
		slow = true
		time.AfterFunc(time.Second/2, p.Expire)
		l := acquire(t, p)
		if l.Value().id != 4 || f.made.Load() != 4 {
			t.Errorf("got thing %d of %d", l.Value().id, f.made.Load())
		}
		l.Release()
	})
}

// A slot is free only when Close or Terminate has returned.
func TestSlotIsFreeAfterClosing(t *testing.T) {
	ends := map[string]func(*pool.Pool[*thing], *pool.Lease[*thing]){
		"destroy":        func(_ *pool.Pool[*thing], l *pool.Lease[*thing]) { l.Destroy() },
		"expire, lent":   func(p *pool.Pool[*thing], l *pool.Lease[*thing]) { p.Expire(); l.Release() },
		"expire, idle":   func(p *pool.Pool[*thing], l *pool.Lease[*thing]) { l.Release(); p.Expire() },
		"sick when idle": func(_ *pool.Pool[*thing], l *pool.Lease[*thing]) { l.Value().sick.Store(true); l.Release() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := open(t, 1, func(c *pool.Config[*thing]) {
					cl, term := c.Close, c.Terminate
					c.Close = func(ctx context.Context, v *thing) { time.Sleep(time.Second); cl(ctx, v) }
					c.Terminate = func(v *thing) { time.Sleep(time.Second); term(v) }
					c.Healthy = func(v *thing) bool { return !v.sick.Load() }
				})
				end(p, acquire(t, p))
				begun := time.Now()
				acquire(t, p).Release()
				if took := time.Since(begun); took != time.Second {
					t.Errorf("got the slot after %v, closing takes 1s", took)
				}
			})
		})
	}
}

func TestConfigErrors(t *testing.T) {
	_, err := pool.New(pool.Config[int]{
		MinSize: 5, MaxSize: 3, AcquireTimeout: -1, HealthCheckPeriod: -1, CloseTimeout: -1, MaxUses: -1,
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Connect", "MinSize 5 is above MaxSize 3", "AcquireTimeout", "HealthCheckPeriod", "CloseTimeout", "MaxUses"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in %q", want, err)
		}
	}
	if _, err := pool.New(pool.Config[int]{MinSize: -1, MaxSize: -1}); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v", err)
	}
}

func TestConfigDefaults(t *testing.T) {
	p, err := pool.New(pool.Config[int]{MinSize: 0, Connect: func(context.Context) (int, error) { return 7, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Terminate()
	if s := p.Control().Stat(); s.MaxSize < 4 || s.MinSize != 0 {
		t.Errorf("got %+v", s)
	}
	l, err := p.Acquire(context.Background()) // nothing to close with
	if err != nil || l.Value() != 7 {
		t.Fatal(l, err)
	}
	l.Destroy()
	if l.Value() != 0 {
		t.Error("a destroyed lease still gives the connection")
	}
	var none *pool.Control
	none.Expire()
	none.Terminate()
	if none.Stat() != (pool.Stat{}) || pool.Reason(200).String() != "reason(200)" || pool.ReasonIdle.String() != "idle" {
		t.Error("zero values are wrong")
	}
}
