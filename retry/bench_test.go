package retry_test

import (
	"context"
	"testing"

	"github.com/duetdb/duet/retry"
)

func succeed(context.Context, int) error { return nil }

func BenchmarkSuccess(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var budget retry.Budget
	b.ReportAllocs()
	for b.Loop() {
		if err := retry.Run(ctx, retry.Policy{}, &budget, classify, nil, succeed); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSuccessAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	var budget retry.Budget
	notify := func(retry.Event) {}
	if n := testing.AllocsPerRun(1000, func() {
		if err := retry.Run(ctx, retry.Policy{}, &budget, classify, notify, succeed); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
