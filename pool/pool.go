package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/puddle/v2"
)

// Pool lends connections of type T. It is made by [New] and safe for concurrent
// use; [Pool.Close] ends it.
//
// Who owns what: a connection is owned by puddle while idle, by its [Lease]
// while lent, and by the goroutine that closes it afterwards. The lease's state
// changes hands by compare-and-swap, so that a holder's Release and a forced
// shutdown cannot both have it.
type Pool[T any] struct {
	cfg    Config[T]
	puddle *puddle.Pool[*conn[T]]
	begun  time.Time
	vetted bool // Healthy or OnAcquire is set

	gen     atomic.Uint64 // raised by Expire
	closed  atomic.Bool   // before closeCtx ends
	forced  atomic.Bool   // Terminate was called, or Close ran out of time
	shut    sync.Once
	ended   chan struct{} // everything is closed
	kick    chan struct{} // MinSize may not be held, and can be
	upkeep  chan struct{} // closed by the goroutine that maintains the pool
	stop    context.CancelFunc
	closing context.Context // ends with Close and Terminate

	// free is how many idle connections may be taken without looking: never more
	// than there are, save for a moment. stray counts connections that were made
	// but not lent since, which puddle may hold idle without free telling so.
	free, stray atomic.Int64

	acquires, exhausted atomic.Int64
	waiting             atomic.Int32
	held                atomic.Int32 // what Hold asks for
	claimed             atomic.Int32 // how many claims there are

	mu         sync.Mutex // guards the following; held only for moments
	conns      map[*conn[T]]struct{}
	partings   uint64         // calls of ExpireWhere
	parted     []func(T) bool // the last of them, while there are connections in the making
	connecting int32
	connects   int64
	failures   int64
	lastErr    error // of the last attempt to connect
	closes     [reasons]int64
	claims     []*claim[T] // in their order
}

// New makes a pool. It connects to nothing by itself, except in the background
// to hold MinSize. The error names everything that is wrong with the
// configuration.
func New[T any](cfg Config[T]) (*Pool[T], error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool[T]{
		cfg:    cfg,
		begun:  time.Now(),
		vetted: cfg.Healthy != nil || cfg.OnAcquire != nil,
		ended:  make(chan struct{}),
		kick:   make(chan struct{}, 1),
		upkeep: make(chan struct{}),
		conns:  make(map[*conn[T]]struct{}),
	}
	p.closing, p.stop = context.WithCancel(context.Background())
	p.puddle, err = puddle.NewPool(&puddle.Config[*conn[T]]{
		Constructor: p.construct,
		// Only connections that are idle when the pool closes are destroyed by
		// puddle itself: see conn.destroy.
		Destructor: func(c *conn[T]) { c.finish() },
		MaxSize:    cfg.MaxSize,
	})
	if err != nil {
		p.stop()
		return nil, err
	}
	go p.maintain()
	return p, nil
}

// now is the time since the pool was made, in nanoseconds.
func (p *Pool[T]) now() int64 { return int64(time.Since(p.begun)) }
