package main

import (
	"context"

	"github.com/duetdb/duet"
)

// mistakeSet says how a backend's mistakes are made: commands by kind, and what
// is asked of the client wrongly, which is the same on both.
type mistakeSet struct {
	unique, foreignKey, notNull, check, syntax, undefined string
	none                                                  string // no row
	many                                                  string // more than one
	echo                                                  string // a number, with one argument
	write                                                 string // a command that writes
}

// list makes mistakes of the set, in an order that is the same on both backends.
func (m mistakeSet) list(c duet.Client) []mistake {
	execute := func(text string, args ...any) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := c.Execute(ctx, text, args...)
			return err
		}
	}
	one := func(text string, args ...any) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := duet.QueryOne[int64](ctx, c, text, args...)
			return err
		}
	}
	return []mistake{
		{duet.KindUniqueViolation, duet.ErrUniqueViolation, execute(m.unique)},
		{duet.KindForeignKeyViolation, duet.ErrForeignKeyViolation, execute(m.foreignKey)},
		{duet.KindNotNullViolation, duet.ErrNotNullViolation, execute(m.notNull)},
		{duet.KindCheckViolation, duet.ErrCheckViolation, execute(m.check)},
		{duet.KindSyntax, duet.ErrSyntax, execute(m.syntax)},
		{duet.KindUndefined, duet.ErrUndefined, execute(m.undefined)},
		{duet.KindReadOnly, duet.ErrReadOnly, func(ctx context.Context) error {
			return c.With(duet.Options{Access: duet.ReadOnly}).RawTx(ctx, func(ctx context.Context, tx duet.Tx) error {
				_, err := tx.Execute(ctx, m.write)
				return err
			})
		}},
		{duet.KindNoData, duet.ErrNoData, one(m.none)},
		{duet.KindCardinality, duet.ErrCardinality, one(m.many)},
		{duet.KindInvalidArgument, duet.ErrInvalidArgument, one(m.echo, "no number")},
		{duet.KindInvalidResult, duet.ErrInvalidResult, func(ctx context.Context) error {
			_, err := duet.QueryOne[bool](ctx, c, m.echo, int64(1))
			return err
		}},
	}
}

// The sample has the constraints that the accounts do without.
const bankSample = `;
create table duet_demo.sample (
	name   text   primary key,
	amount bigint not null check (amount >= 0),
	source text   references duet_demo.sample
);
insert into duet_demo.sample values ('ada', 0, 'ada'), ('bob', 0, 'ada')`

func (b *bank) mistakes() []mistake {
	return mistakeSet{
		unique:     "insert into duet_demo.sample values ('ada', 1)",
		foreignKey: "delete from duet_demo.sample where name = 'ada'",
		notNull:    "insert into duet_demo.sample (name) values ('dora')",
		check:      "update duet_demo.sample set amount = -1 where name = 'ada'",
		syntax:     "select 1 +",
		undefined:  "select * from duet_demo.nothing",
		none:       "select 1::bigint where false",
		many:       "select n::bigint from (values (1), (2)) v (n)",
		echo:       "select $1::bigint",
		write:      "insert into duet_demo.sample values ('eve', 1)",
	}.list(b.client)
}

func (b *edgeBank) mistakes() []mistake {
	list := mistakeSet{
		unique: edgeUnique, foreignKey: edgeReferenced, notNull: edgeMissing, check: edgeNegative, syntax: "select 1 +", undefined: edgeNothing,
		none: edgeNone, many: edgeTwo, echo: edgeEcho, write: edgeUnique,
	}.list(b.client)
	// What is linked to cannot be deleted: there has to be a link first.
	referenced := list[1].make
	list[1].make = func(ctx context.Context) error {
		if _, err := b.client.Execute(ctx, edgeMove, edgeVictim, edgeName(1), 0); err != nil {
			return err
		}
		return referenced(ctx)
	}
	return list
}
