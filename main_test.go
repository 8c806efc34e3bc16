package duet_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// example stands in for a test where there is none: what would skip or fail one
// stops an example, which has no other way to fail.
type example struct{ cleanups []func() }

func (e *example) Helper()                   {}
func (e *example) Name() string              { return "example" }
func (e *example) Cleanup(f func())          { e.cleanups = append(e.cleanups, f) }
func (e *example) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (e *example) Skipf(f string, a ...any)  { panic(fmt.Sprintf(f, a...)) }
func (e *example) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// connect gives a client for a new database with a few rows in it, and a function
// that closes it.
func connect(ctx context.Context) (client duet.Client, done func()) {
	e := &example{}
	client, err := postgres.Connect(ctx, pgtest.Shared(e).NewDatabase(e), postgres.Config{})
	if err != nil {
		panic(err)
	}
	_, err = client.Execute(ctx, `
		create table book (id int primary key, title text not null, author text, price numeric(6,2) not null);
		insert into book values
			(1, 'The Left Hand of Darkness', 'Ursula K. Le Guin', 12.50),
			(2, 'Solaris', 'Stanisław Lem', 9.90),
			(3, 'Beowulf', null, 7.00);
		create table account (owner text primary key, balance int not null check (balance >= 0));
		insert into account values ('ada', 100), ('bob', 20)`)
	if err != nil {
		panic(err)
	}
	return client, func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer stop()
		if err := client.Close(ctx); err != nil {
			panic(err)
		}
		for _, f := range e.cleanups {
			f()
		}
	}
}
