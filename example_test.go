package duet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

// Rows become structs; what may be NULL is a pointer or an Optional.
func ExampleQuerier_query() {
	ctx := context.Background()
	client, done := connect(ctx) // postgres.Connect(ctx, dsn, postgres.Config{})
	defer done()

	type Book struct {
		ID     int
		Title  string
		Author *string
	}
	var books []Book
	err := client.Query(ctx, "select id, title, author from book where id < $1 order by id", &books, 3)
	for _, b := range books {
		fmt.Println(b.ID, b.Title, "by", *b.Author)
	}
	fmt.Println(err)
	// Output:
	// 1 The Left Hand of Darkness by Ursula K. Le Guin
	// 2 Solaris by Stanisław Lem
	// <nil>
}

// Exactly one row is asked for; named arguments come from a struct or a Named.
func ExampleQuerier_queryOne() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	var title string
	err := client.QueryOne(ctx, "select title from book where author = $author", &title, duet.Named{"author": "Stanisław Lem"})
	fmt.Println(title, err)

	err = client.QueryOne(ctx, "select title from book where id = $1", &title, 99)
	fmt.Println(errors.Is(err, duet.ErrNoData))
	err = client.QueryOne(ctx, "select title from book", &title)
	fmt.Println(errors.Is(err, duet.ErrCardinality))
	// Output:
	// Solaris <nil>
	// true
	// true
}

func ExampleQuerier_queryJSON() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	var text []byte
	err := client.QueryJSON(ctx, "select id, author, price from book where price < $1 order by id", &text, 10)
	fmt.Println(string(text), err)
	err = client.QueryOneJSON(ctx, "select count(*) as books from book", &text)
	fmt.Println(string(text), err)
	// Output:
	// [{"id":2,"author":"Stanisław Lem","price":9.90},{"id":3,"author":null,"price":7.00}] <nil>
	// {"books":3} <nil>
}

func ExampleQuerier_execute() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	res, err := client.Execute(ctx, "update book set price = price * 2 where price < $1", 10)
	fmt.Println(res.RowsAffected, res.Status, err)
	// A script is one implicit transaction: both rows come, or none.
	res, err = client.Execute(ctx, "insert into book values (4, 'Roadside Picnic', null, 8); insert into book values (4, 'Twice', null, 8)")
	fmt.Println(res.RowsAffected, errors.Is(err, duet.ErrUniqueViolation))
	n, err := duet.QueryOne[int](ctx, client, "select count(*) from book")
	fmt.Println(n, err)
	// Output:
	// 2 UPDATE 2 <nil>
	// -1 true
	// 3 <nil>
}

func ExampleQuerier_rows() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	rows, err := client.Rows(ctx, "select id, title from book order by id desc")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rows.Close()
	for _, c := range rows.Columns() {
		fmt.Println(c.Name, c.Type)
	}
	for rows.Next() {
		var id int
		var title string
		if err := rows.Scan(&id, &title); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(id, title)
	}
	fmt.Println(rows.Result().RowsAffected, rows.Err())
	// Output:
	// id int4
	// title text
	// 3 Beowulf
	// 2 Solaris
	// 1 The Left Hand of Darkness
	// 3 <nil>
}

func ExampleQueryAll() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	titles, err := duet.QueryAll[string](ctx, client, "select title from book order by title")
	fmt.Println(strings.Join(titles, ", "), err)
	none, err := duet.QueryAll[string](ctx, client, "select title from book where false")
	fmt.Println(len(none), none == nil, err)
	// Output:
	// Beowulf, Solaris, The Left Hand of Darkness <nil>
	// 0 false <nil>
}

func ExampleQueryOne() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	published, err := duet.QueryOne[time.Time](ctx, client, "select date '1961-06-01'")
	fmt.Println(published.Format(time.DateOnly), err)
	// Output: 1961-06-01 <nil>
}

// One row is in memory at a time, and leaving the loop frees the connection.
func ExampleStream() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	sum := 0
	for n, err := range duet.Stream[int](ctx, client, "select generate_series(1, 1000000000)") {
		if err != nil {
			fmt.Println(err)
			return
		}
		if sum += n; sum > 1000 {
			break
		}
	}
	fmt.Println(sum)
	// Output: 1035
}

// The closure is run again where it lost against another transaction, so that it
// must do nothing outside of tx that may not happen twice.
func ExampleClient_retryingTx() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	transfer := func(from, to string, amount int) error {
		return client.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
			balance, err := duet.QueryOne[int](ctx, tx, "select balance from account where owner = $1", from)
			if err != nil {
				return err
			}
			if balance < amount {
				return errors.New("not enough money")
			}
			if _, err := tx.Execute(ctx, "update account set balance = balance - $2 where owner = $1", from, amount); err != nil {
				return err
			}
			_, err = tx.Execute(ctx, "update account set balance = balance + $2 where owner = $1", to, amount)
			return err
		})
	}
	fmt.Println(transfer("ada", "bob", 70))
	fmt.Println(transfer("ada", "bob", 70))
	balances, err := duet.QueryAll[int](ctx, client, "select balance from account order by owner")
	fmt.Println(balances, err)
	// Output:
	// <nil>
	// not enough money
	// [30 90] <nil>
}

func ExampleTxResult() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	left, err := duet.TxResult(ctx, client, func(ctx context.Context, tx duet.Tx) (int, error) {
		return duet.QueryOne[int](ctx, tx, "update account set balance = balance - 1 where owner = 'ada' returning balance")
	})
	fmt.Println(left, err)
	// Output: 99 <nil>
}

// Begin is for code that cannot be a closure.
func ExampleClient_begin() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	tx, err := client.Begin(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tx.Rollback(ctx) // after Commit it does nothing
	if _, err := tx.Execute(ctx, "delete from book"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tx.Rollback(ctx))
	n, err := duet.QueryOne[int](ctx, client, "select count(*) from book")
	fmt.Println(n, err)
	// Output:
	// <nil>
	// 3 <nil>
}

// What a savepoint's closure did is undone by its error; the rest stays.
func ExampleTx_nested() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	err := client.RetryingTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		if _, err := tx.Execute(ctx, "update account set balance = balance + 5 where owner = 'bob'"); err != nil {
			return err
		}
		err := tx.Nested(ctx, func(ctx context.Context, tx duet.Tx) error {
			_, err := tx.Execute(ctx, "insert into account values ('bob', 0)")
			return err
		})
		if errors.Is(err, duet.ErrUniqueViolation) {
			return nil // he has an account: go on
		}
		return err
	})
	fmt.Println(err)
	balance, err := duet.QueryOne[int](ctx, client, "select balance from account where owner = 'bob'")
	fmt.Println(balance, err)
	// Output:
	// <nil>
	// 25 <nil>
}

// A view has the same pool and other options.
func ExampleClient_with() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	reports := client.With(duet.Options{
		Name:     "reports",
		Access:   duet.ReadOnly,
		Timeout:  time.Minute,
		Settings: map[string]string{"work_mem": "64MB"},
		Retry:    &retry.Policy{},
	})
	setting, err := duet.QueryOne[string](ctx, reports, "show work_mem")
	fmt.Println(setting, err)
	err = reports.RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
		_, err := tx.Execute(ctx, "delete from book")
		return err
	})
	fmt.Println(errors.Is(err, duet.ErrReadOnly))
	setting, err = duet.QueryOne[string](ctx, client, "show work_mem")
	fmt.Println(setting != "64MB", err)
	// Output:
	// 64MB <nil>
	// true
	// true <nil>
}

// A lent connection keeps its session: settings, temporary tables, locks.
func ExampleClient_acquire() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	conn, err := client.Acquire(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Release()
	if _, err := conn.Execute(ctx, "create temporary table seen as select id from book"); err != nil {
		fmt.Println(err)
		return
	}
	n, err := duet.QueryOne[int](ctx, conn, "select count(*) from seen")
	fmt.Println(n, err)
	// Output: 3 <nil>
}

// An error of the server says what it is about; the caret shows where.
func ExampleError() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	_, err := client.Execute(ctx, "insert into account values ('ada', 1)")
	if e, ok := errors.AsType[*duet.Error](err); ok && errors.Is(err, duet.ErrUniqueViolation) {
		fmt.Println(e.Code, e.Name, e.Table, e.Constraint)
	}
	_, err = client.Execute(ctx, "select 1\nform book")
	fmt.Println(errors.Is(err, duet.ErrSyntax))
	_, err = client.Execute(ctx, "select titel from book")
	fmt.Println(duet.KindOf(err))
	fmt.Println(err)
	// Output:
	// 23505 unique_violation account account_pkey
	// true
	// undefined name
	// duet: column "titel" does not exist (42703 undefined_column)
	// LINE 1: select titel from book
	//                ^
	// hint: Perhaps you meant to reference the column "book.title".
}

func ExampleOptional() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	type Book struct {
		Title  string                `json:"title"`
		Author duet.Optional[string] `json:"author"`
	}
	books, err := duet.QueryAll[Book](ctx, client, "select title, author from book where id > 1 order by id")
	for _, b := range books {
		fmt.Println(b.Title, "by", b.Author.Or("nobody known"))
	}
	text, _ := json.Marshal(books)
	fmt.Println(string(text), err)
	// Output:
	// Solaris by Stanisław Lem
	// Beowulf by nobody known
	// [{"title":"Solaris","author":"Stanisław Lem"},{"title":"Beowulf","author":null}] <nil>
}

// A Record is a row of any shape.
func ExampleRecord() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	r, err := duet.QueryOne[duet.Record](ctx, client, "select * from book where id = 3")
	for name, value := range r.All() {
		fmt.Printf("%s=%v\n", name, value)
	}
	fmt.Println(err)
	// Output:
	// id=3
	// title=Beowulf
	// author=<nil>
	// price=7.00
	// <nil>
}

func ExampleBackend_Can() {
	ctx := context.Background()
	client, done := connect(ctx)
	defer done()

	b := client.Backend()
	fmt.Println(b.Name, b.Dialect, b.Can(duet.NestedTx), b.Can(duet.GlobalVariables))
	// Output: postgres sql true false
}
