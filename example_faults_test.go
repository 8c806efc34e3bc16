package duet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/faultproxy"
	"github.com/duetdb/duet/internal/pgtest"
)

// The harms of the examples: the connection is cut when the server answers COMMIT
// or an INSERT, or when the client sends COMMIT.
var (
	commitAnswer = faultproxy.Rule{From: faultproxy.Server, Type: 'C', Text: "COMMIT"}
	commitItself = faultproxy.Rule{From: faultproxy.Client, Type: 'P', Text: "COMMIT"}
	insertAnswer = faultproxy.Rule{From: faultproxy.Server, Type: 'C', Text: "INSERT"}
)

// breakable gives a client whose connections can be harmed, for a new database
// with two accounts and the table of commit tokens.
func breakable(ctx context.Context, cfg postgres.Config) (client duet.Client, harm func(faultproxy.Rule), done func()) {
	e := &example{}
	var once sync.Once
	var proxy *faultproxy.Proxy
	var err error
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		once.Do(func() { proxy, err = faultproxy.Start(faultproxy.Config{Network: network, Address: address}) })
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, "tcp", proxy.Addr())
	}
	client, err = postgres.Connect(ctx, pgtest.Shared(e).NewDatabase(e), cfg)
	if err != nil {
		panic(err)
	}
	plain := client.With(duet.Options{ExactlyOnce: duet.Off})
	for _, script := range []string{
		postgres.CommitTokenSchema, // what `duet init` makes
		"create table account (owner text primary key, balance int not null); insert into account values ('ada', 100), ('bob', 20)",
	} {
		if _, err := plain.Execute(ctx, script); err != nil {
			panic(err)
		}
	}
	return client, func(r faultproxy.Rule) { proxy.Add(r) }, func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer stop()
		if err := errors.Join(client.Close(ctx), proxy.Close()); err != nil {
			panic(err)
		}
		for _, f := range e.cleanups {
			f()
		}
	}
}

// With a token beside its work, a transfer is applied once, whether the answer to
// its COMMIT was lost or the COMMIT itself. The table of tokens is made by
// `duet init`, or from postgres.CommitTokenSchema.
func ExampleOptions_exactlyOnce() {
	ctx := context.Background()
	client, cut, done := breakable(ctx, postgres.Config{}) // postgres.Connect, through a proxy that cuts connections
	defer done()

	attempts := 0
	exactly := client.With(duet.Options{ExactlyOnce: duet.On})
	transfer := func() error {
		return exactly.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			attempts++
			if _, err := tx.Execute(ctx, "update account set balance = balance - 10 where owner = 'ada'"); err != nil {
				return err
			}
			_, err := tx.Execute(ctx, "update account set balance = balance + 10 where owner = 'bob'")
			return err
		})
	}
	cut(commitAnswer)
	fmt.Println(transfer(), attempts) // it was applied, and is not run again
	cut(commitItself)
	fmt.Println(transfer(), attempts) // it was not, and is run again
	balances, err := duet.QueryAll[int](ctx, client, "select balance from account order by owner")
	fmt.Println(balances, err)
	// Output:
	// <nil> 1
	// <nil> 3
	// [80 40] <nil>
}

// The hook is called for each commit whose answer was lost, also where the caller
// never notices.
func ExampleHooks_commitResolved() {
	ctx := context.Background()
	client, cut, done := breakable(ctx, postgres.Config{
		Options: duet.Options{ExactlyOnce: duet.On, Name: "billing"},
		Hooks: duet.Hooks{CommitResolved: func(_ context.Context, i duet.CommitInfo) {
			if i.Err != nil {
				fmt.Println(i.Name, "does not know what became of a transaction:", i.Err)
				return
			}
			fmt.Println(i.Name, "committed:", i.Committed, "known by:", i.Proof)
		}},
	})
	defer done()

	pay := func() error {
		return client.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "update account set balance = balance - 1 where owner = 'ada'")
			return err
		})
	}
	cut(commitAnswer)
	fmt.Println(pay())
	cut(commitItself)
	fmt.Println(errors.Is(pay(), duet.ErrUnavailable)) // RetryingTx would have run it again
	// Output:
	// billing committed: true known by: commit token
	// <nil>
	// billing committed: false known by: commit token
	// true
}

// Every error says whether the work may have been done all the same.
func ExampleError_outcome() {
	ctx := context.Background()
	client, cut, done := breakable(ctx, postgres.Config{})
	defer done()

	tell := func(err error) {
		e, ok := errors.AsType[*duet.Error](err)
		switch {
		case err == nil:
			fmt.Println("done")
		case errors.Is(err, duet.ErrCommitUnknown): // of a transaction
			fmt.Println("committed or not")
		case ok && e.Outcome == duet.OutcomeUnknown: // of a single statement
			fmt.Println("done or not")
		case errors.Is(err, duet.ErrUnavailable):
			fmt.Println("not done: try again later")
		default:
			fmt.Println("not done:", err)
		}
	}
	insert := func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.Execute(ctx, "insert into account values ('eve', 0)")
		return err
	}
	cut(insertAnswer)
	_, err := client.Execute(ctx, "insert into account values ('dan', 0)")
	tell(err)

	cut(commitAnswer)
	tell(client.With(duet.Options{TransactionID: duet.Off}).RawTx(ctx, insert)) // nothing to look it up by

	cut(commitItself)
	tell(client.With(duet.Options{ExactlyOnce: duet.On}).RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.Execute(ctx, "delete from account")
		return err
	}))
	_, err = client.Execute(ctx, "insert into account values ('ada', 0)")
	tell(err)
	// Output:
	// done or not
	// committed or not
	// not done: try again later
	// not done: duet: duplicate key value violates unique constraint "account_pkey" (23505 unique_violation)
	// detail: Key (owner)=(ada) already exists.
}
