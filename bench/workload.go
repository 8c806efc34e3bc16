package main

import (
	"strings"
	"time"
)

// Shape is the kind of result that a workload reads. A driver knows shapes, not
// workloads: a workload of a known shape is data alone.
type Shape int

// The shapes.
const (
	ShapeInt     Shape = iota // one row with one int4, which is 2
	ShapeAccount              // one row into an Account, found by its key
	ShapeTypes                // rows into []PgType
	ShapeInts                 // 1,000 rows into []int32
	ShapeEvents               // rows into Events, one at a time
	ShapeDeposit              // a transaction that reads a purse and writes it, see deposit.go
)

// Workload is one thing that every driver does.
type Workload struct {
	Name  string
	Title string
	SQL   string
	Shape Shape
	// Args are the statement's arguments where they are the same each time.
	Args []any
	// Keys above 0 makes a random int8 of 1 to Keys the only argument.
	Keys int64
	// Isolation is the level that each transaction names in its BEGIN, and Update
	// the statement that follows SQL in it, with the key and the new balance. For
	// ShapeDeposit.
	Isolation, Update string
	// Workers above 1 is for as many goroutines, each with a connection and a
	// range of the keys of its own. For ShapeDeposit.
	Workers int
	// Cancellable runs the operations under a context that can be cancelled, as
	// a service's are, instead of context.Background.
	Cancellable bool
	// Whole makes a slice one operation, however long that takes, and the
	// figures those of a row. Memory is watched.
	Whole bool
}

func (w Workload) name() string { return w.Name }

// Unit is what the figures count.
func (w Workload) Unit() string {
	if w.Whole {
		return "row"
	}
	return "op"
}

// workers is how many goroutines, and connections, there are.
func (w Workload) workers() int { return max(w.Workers, 1) }

// keysOf gives the first of a worker's keys, and their number. Where there are
// several workers, as many keys lie between theirs, so that they share no page of
// the index: serializable transactions on different rows can conflict there.
func (w Workload) keysOf(worker int) (first, span int64) {
	if w.workers() == 1 {
		return 1, w.Keys
	}
	span = w.Keys / int64(w.workers()) / 2
	return 1 + int64(worker)*2*span, span
}

// statement is what an operation sends.
func (w Workload) statement() string {
	if w.Shape != ShapeDeposit {
		return w.SQL
	}
	return strings.Join([]string{w.begin(), w.SQL, w.Update, "commit"}, "; ")
}

// begin is the BEGIN of an operation, for the drivers that have to be told.
func (w Workload) begin() string { return "begin isolation level " + w.Isolation }

// Scale is the number of rows in the tables.
type Scale struct {
	Accounts int64 `json:"accounts"`
	Events   int64 `json:"events"`
}

// workloads are the workloads in the order of the report.
func workloads(s Scale) []Workload {
	return append([]Workload{
		{
			Name: "select1", Title: "`select 1+1`, a round trip",
			SQL: "select 1+1", Shape: ShapeInt,
		},
		{
			Name: "select1_cancel", Title: "`select 1+1` under a context that can be cancelled",
			SQL: "select 1+1", Shape: ShapeInt, Cancellable: true,
		},
		{
			Name: "lookup", Title: "one row by a random primary key",
			SQL:   "select id, name, balance from duet_bench.account where id = $1",
			Shape: ShapeAccount, Keys: s.Accounts,
		},
		{
			Name: "pg_type", Title: "12 columns of pg_type into structs",
			SQL: "select typname, typnamespace, typowner, typlen, typbyval, typcategory, typispreferred, " +
				"typisdefined, typdelim, typrelid, typelem, typarray " +
				"from pg_type where typtypmod = $1 and typisdefined = $2",
			Shape: ShapeTypes, Args: []any{int32(-1), true},
		},
		{
			Name: "ints", Title: "1,000 ints into a slice",
			SQL: "select i from generate_series(1, 1000) i", Shape: ShapeInts,
		},
		{
			Name: "stream", Title: "rows of 5 columns, streamed",
			SQL:   "select id, label, value, happened, flag from duet_bench.event",
			Shape: ShapeEvents, Whole: true,
		},
	}, deposits()...)
}

// schema makes the tables; $accounts and $events are replaced by the scale,
// $purses by its number. The pages of purse begin half empty, and are pruned when
// a fifth is left: an update nearly always finds room beside the row, and does
// not touch the index, whose pages are what serializable transactions on
// different rows can share.
const schema = `
create schema duet_bench;
create table duet_bench.account (id int8 primary key, name text not null, balance int8 not null);
insert into duet_bench.account
	select i, 'account ' || i, i * 37 % 10000 from generate_series(1, $accounts) i;
create table duet_bench.event (
	id int8 not null, label text not null, value float8 not null, happened timestamptz not null, flag bool not null);
insert into duet_bench.event
	select i, 'event number ' || i, i / 8.0, timestamptz '2024-01-01 00:00:00Z' + i * interval '1.5 seconds', i % 3 = 0
	from generate_series(1, $events) i;
create table duet_bench.purse (id int8 primary key, balance int8 not null) with (fillfactor = 50);
insert into duet_bench.purse select i, 0 from generate_series(1, $purses) i;
alter table duet_bench.purse set (fillfactor = 80)`

// Account is a row of duet_bench.account.
type Account struct {
	ID      int64  `db:"id"`
	Name    string `db:"name"`
	Balance int64  `db:"balance"`
}

// PgType is a row of pg_type.
type PgType struct {
	Name        string `db:"typname"`
	Namespace   uint32 `db:"typnamespace"`
	Owner       uint32 `db:"typowner"`
	Len         int16  `db:"typlen"`
	ByVal       bool   `db:"typbyval"`
	Category    string `db:"typcategory"`
	IsPreferred bool   `db:"typispreferred"`
	IsDefined   bool   `db:"typisdefined"`
	Delim       string `db:"typdelim"`
	RelID       uint32 `db:"typrelid"`
	Elem        uint32 `db:"typelem"`
	Array       uint32 `db:"typarray"`
}

// fields are pointers to the fields, in the order of the columns.
func (t *PgType) fields() []any {
	return []any{&t.Name, &t.Namespace, &t.Owner, &t.Len, &t.ByVal, &t.Category,
		&t.IsPreferred, &t.IsDefined, &t.Delim, &t.RelID, &t.Elem, &t.Array}
}

// Event is a row of duet_bench.event.
type Event struct {
	ID       int64     `db:"id"`
	Label    string    `db:"label"`
	Value    float64   `db:"value"`
	Happened time.Time `db:"happened"`
	Flag     bool      `db:"flag"`
}

// fields are pointers to the fields, in the order of the columns.
func (e *Event) fields() []any {
	return []any{&e.ID, &e.Label, &e.Value, &e.Happened, &e.Flag}
}
