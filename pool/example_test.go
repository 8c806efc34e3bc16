package pool_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/duetdb/duet/pool"
)

func Example() {
	ctx := context.Background()
	p, err := pool.New(pool.Config[string]{
		MaxSize: 2,
		Connect: func(context.Context) (string, error) { return "a connection", nil },
		Close:   func(_ context.Context, v string) { fmt.Println("closed", v) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	lease, err := p.Acquire(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("using", lease.Value())
	lease.Release()
	fmt.Println(p.Stat().Idle, "idle")
	if err := p.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// using a connection
	// 1 idle
	// closed a connection
}

func ExampleExhaustedError() {
	p, _ := pool.New(pool.Config[int]{
		MaxSize:        1,
		AcquireTimeout: time.Second / 2,
		Connect:        func(context.Context) (int, error) { return 1, nil },
	})
	defer p.Terminate()
	ctx := pool.WithHolder(context.Background(), "nightly report")
	lease, err := p.Acquire(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lease.Release()

	_, err = p.Acquire(context.Background())
	if e, ok := errors.AsType[*pool.ExhaustedError](err); ok {
		fmt.Printf("%d of %d in use, by %q\n", e.InUse, e.MaxSize, e.Holders[0].Name)
	}
	// Output: 1 of 1 in use, by "nightly report"
}

func ExampleMarkContext() {
	p, _ := pool.New(pool.Config[int]{
		MaxSize: 1,
		Connect: func(context.Context) (int, error) { return 1, nil },
	})
	defer p.Terminate()
	lease, _ := p.Acquire(context.Background())
	defer lease.Release()
	inside := pool.MarkContext(context.Background(), lease)

	_, err := p.Acquire(inside) // would wait for itself
	fmt.Println(pool.Holding(inside, p), errors.Is(err, pool.ErrExhausted))
	// Output: true true
}
