package pool_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/duetdb/duet/pool"
)

// After an outage the pool is filled as soon as anybody's attempt shows that the
// server is back, not when the upkeep's own next one comes.
func TestMinSizeIsBackAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := open(t, 4, func(c *pool.Config[*thing]) { c.MinSize = 3 })
		synctest.Wait()
		f.fail.Store(true)
		p.Expire()
		time.Sleep(10 * time.Minute) // it tries ever more rarely
		synctest.Wait()
		if s := p.Stat(); s.Total != 0 || s.ConnectFailures > 25 {
			t.Errorf("%+v", s)
		}
		f.fail.Store(false)
		time.Sleep(time.Second) // so that the next attempt is not due
		acquire(t, p).Release()
		synctest.Wait()
		if s := p.Stat(); s.Idle != 3 {
			t.Errorf("%d are idle, want 3: %+v", s.Idle, s)
		}
	})
}
