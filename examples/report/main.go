// Report writes a CSV file of all tables and indexes of a database, largest
// first, with one row in memory at a time, however many there are.
//
//	go run ./examples/report > sizes.csv   # the database: PG* variables
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

func main() {
	dsn := flag.String("dsn", "", "the database; default: the PG* environment")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, *dsn)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, dsn string) error {
	client, err := postgres.Connect(ctx, dsn, postgres.Config{MaxConns: 1})
	if err != nil {
		return err
	}
	err = write(ctx, out, client.With(duet.Options{Name: "report", Access: duet.ReadOnly, Isolation: duet.RepeatableRead}))
	return errors.Join(err, client.Close(context.WithoutCancel(ctx)))
}

// relation is a row of the report: the columns are found by the fields' names.
type relation struct {
	Schema, Name, Kind string
	Bytes              int64
	Analyzed           duet.Optional[time.Time] // never, where it is missing
}

const relations = `
select n.nspname as schema, c.relname as name, case c.relkind when 'i' then 'index' else 'table' end as kind,
	pg_relation_size(c.oid) as bytes, s.last_analyze as analyzed
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_user_tables s on s.relid = c.oid
where c.relkind in ('r', 'i')
order by bytes desc, schema, name`

// write makes the report. In its transaction, the total and the rows are of the
// same moment.
func write(ctx context.Context, out io.Writer, client duet.Client) error {
	w := csv.NewWriter(out)
	err := client.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		total, err := duet.QueryOne[int64](ctx, tx, "select pg_database_size(current_database())")
		if err != nil {
			return err
		}
		if err := w.Write([]string{"schema", "name", "kind", "bytes", "share", "analyzed"}); err != nil {
			return err
		}
		for r, err := range duet.Stream[relation](ctx, tx, relations) {
			if err != nil {
				return err
			}
			share := fmt.Sprintf("%.1f%%", 100*float64(r.Bytes)/float64(total))
			analyzed := ""
			if at, ok := r.Analyzed.Get(); ok {
				analyzed = at.Format(time.RFC3339)
			}
			if err := w.Write([]string{r.Schema, r.Name, r.Kind, strconv.FormatInt(r.Bytes, 10), share, analyzed}); err != nil {
				return err
			}
		}
		return nil
	})
	w.Flush()
	return errors.Join(err, w.Error())
}
