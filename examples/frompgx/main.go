// Frompgx shows what code that uses pgx's pool becomes. Above each step stands
// how it is done there.
//
//	go run ./examples/frompgx   # the database: DATABASE_URL, or else the PG* variables
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// task is read by the names of its fields; the tag `db` is understood as well.
type task struct {
	ID       int64
	Title    string
	DoneAt   *time.Time `db:"done_at"`
	Priority int16
}

func run(ctx context.Context) error {
	// pgx: pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL")); defer pool.Close()
	client, err := postgres.Connect(ctx, os.Getenv("DATABASE_URL"), postgres.Config{MaxConns: 4})
	if err != nil {
		return err
	}
	defer client.Close(ctx)

	// pgx: conn, err := pool.Acquire(ctx); defer conn.Release()
	conn, err := client.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	// pgx: the same, without arguments in a script too
	if _, err := conn.Execute(ctx, `
		create temporary table task (id bigint generated always as identity primary key, title text unique, done_at timestamptz, priority int2);
		insert into task (title, priority) values ('write', 2), ('test', 1)`); err != nil {
		return err
	}
	return steps(ctx, conn)
}

// steps takes a duet.Conn; most functions are best with a duet.Querier, which
// clients, connections and transactions all are.
func steps(ctx context.Context, conn duet.Conn) error {
	// pgx: rows, err := pool.Query(ctx, sql, args...)
	//      tasks, err := pgx.CollectRows(rows, pgx.RowToStructByName[task])
	tasks, err := duet.QueryAll[task](ctx, conn, "select id, title, done_at, priority from task where priority >= $1 order by priority", 1)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		fmt.Println(t.Priority, t.Title, "done:", t.DoneAt != nil)
	}

	// pgx: err := pool.QueryRow(ctx, sql, pgx.NamedArgs{"title": "test"}).Scan(&id), with @title
	//      errors.Is(err, pgx.ErrNoRows)
	id, err := duet.QueryOne[int64](ctx, conn, "select id from task where title = $title", duet.Named{"title": "test"})
	if errors.Is(err, duet.ErrNoData) {
		return errors.New("there is nothing to test")
	}
	if err != nil {
		return err
	}

	// pgx: pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{}, func(tx pgx.Tx) error { … })
	// On a client, RetryingTx is this, serializable, and run again after conflicts.
	err = conn.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		// pgx: tag, err := tx.Exec(ctx, sql, args...); tag.RowsAffected()
		res, err := tx.Execute(ctx, "update task set done_at = now() where id = $1", id)
		if err == nil && res.RowsAffected != 1 {
			err = fmt.Errorf("%d tasks were done", res.RowsAffected)
		}
		return err
	})
	if err != nil {
		return err
	}

	// pgx: var pgErr *pgconn.PgError
	//      errors.As(err, &pgErr) && pgErr.Code == "23505"
	_, err = conn.Execute(ctx, "insert into task (title) values ($1)", "write")
	if errors.Is(err, duet.ErrUniqueViolation) {
		fmt.Println("there is such a task already")
		err = nil
	}
	return err
}
