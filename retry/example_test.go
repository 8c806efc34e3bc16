package retry_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet/retry"
)

func ExampleRun() {
	errSerialization := errors.New("could not serialize access")
	classify := func(err error) retry.Class {
		if errors.Is(err, errSerialization) {
			return retry.Conflict
		}
		return retry.Permanent
	}
	var budget retry.Budget // one per client

	err := retry.Run(context.Background(), retry.Policy{}, &budget, classify, nil,
		func(_ context.Context, n int) error {
			if n < 3 {
				return errSerialization
			}
			fmt.Println("committed at attempt", n)
			return nil
		})
	fmt.Println(err)
	// Output:
	// committed at attempt 3
	// <nil>
}

func ExampleError() {
	errDown := errors.New("connection refused")
	policy := retry.Policy{Unavailable: retry.Rule{MaxAttempts: 2}}

	err := retry.Run(context.Background(), policy, nil, func(error) retry.Class { return retry.Unavailable }, nil,
		func(context.Context, int) error { return errDown })
	if e, ok := errors.AsType[*retry.Error](err); ok {
		fmt.Printf("%d attempts, %v: %v\n", e.Attempts, e.Reason, e.Last)
	}
	fmt.Println(errors.Is(err, errDown))
	// Output:
	// 2 attempts, attempts exhausted: connection refused
	// true
}

func ExampleBudget() {
	budget := retry.NewBudget(0.1, 2) // a tenth of the load, two at once
	policy := retry.Policy{Unavailable: retry.Rule{Initial: 1, Max: 1}}

	err := retry.Run(context.Background(), policy, budget, func(error) retry.Class { return retry.Unavailable }, nil,
		func(context.Context, int) error { return errors.New("connection refused") })
	if e, ok := errors.AsType[*retry.Error](err); ok {
		fmt.Printf("%d attempts, %v\n", e.Attempts, e.Reason)
	}
	// Output: 3 attempts, retry budget empty
}
