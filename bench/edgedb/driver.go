package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet"
	duetedgedb "github.com/duetdb/duet/backends/edgedb"
	"github.com/edgedb/edgedb-go"
)

// connections is how many each driver may have.
const connections = 8

// The texts are of the suite's catalogue: the test double knows no others.
const (
	oneText     = "select 1"
	accountText = "select Account { id, name, balance, note, color, tags } filter .name = <str>$0"
	accountName = "ada"
)

// driver is one way of talking to EdgeDB.
type driver struct {
	name, title string
	open        func(ctx context.Context, dsn string) (session, error)
}

// session is a pool of connections, for many goroutines.
type session interface {
	// one reads one scalar, which is 1.
	one(ctx context.Context) error
	// account reads one object by its name.
	account(ctx context.Context) error
	close(ctx context.Context) error
}

// baseDriver is the driver that the ratios are taken to.
const baseDriver = "edgedb-go"

func drivers() []driver {
	return []driver{
		{baseDriver, "edgedb-go, Concurrency 8", openClient},
		{"bare", "8 edgedb-go clients of Concurrency 1 behind a channel", openBare},
		{"duet", "duet, MaxConns 8", openDuet},
	}
}

var errWrong = errors.New("the result is wrong")

// client is edgedb-go as its documentation shows it.
type client struct{ c *edgedb.Client }

func openClient(ctx context.Context, dsn string) (session, error) {
	c, err := newClient(ctx, dsn, connections)
	return client{c}, err
}

func newClient(ctx context.Context, dsn string, concurrency uint) (*edgedb.Client, error) {
	c, err := edgedb.CreateClientDSN(ctx, dsn, edgedb.Options{Concurrency: concurrency})
	if err != nil {
		return nil, err
	}
	return c, c.EnsureConnected(ctx)
}

// nativeAccount is an Account as edgedb-go wants it.
type nativeAccount struct {
	ID      edgedb.UUID        `edgedb:"id"`
	Name    string             `edgedb:"name"`
	Balance int64              `edgedb:"balance"`
	Note    edgedb.OptionalStr `edgedb:"note"`
	Color   edgedb.OptionalStr `edgedb:"color"`
	Tags    []string           `edgedb:"tags"`
}

func (s client) one(ctx context.Context) error {
	var n int64
	if err := s.c.QuerySingle(ctx, oneText, &n); err != nil || n == 1 {
		return err
	}
	return errWrong
}

func (s client) account(ctx context.Context) error {
	var a nativeAccount
	if err := s.c.QuerySingle(ctx, accountText, &a, accountName); err != nil || a.Name == accountName {
		return err
	}
	return errWrong
}

func (s client) close(context.Context) error { return s.c.Close() }

// bare is what can be had of edgedb-go with a little care.
type bare struct{ free chan client }

func openBare(ctx context.Context, dsn string) (session, error) {
	b := bare{make(chan client, connections)}
	for range connections {
		c, err := newClient(ctx, dsn, 1)
		if err != nil {
			return nil, errors.Join(err, b.close(ctx))
		}
		b.free <- client{c}
	}
	return b, nil
}

func (b bare) one(ctx context.Context) error {
	c := <-b.free
	defer func() { b.free <- c }()
	return c.one(ctx)
}

func (b bare) account(ctx context.Context) error {
	c := <-b.free
	defer func() { b.free <- c }()
	return c.account(ctx)
}

func (b bare) close(ctx context.Context) (err error) {
	for range len(b.free) {
		err = errors.Join(err, (<-b.free).close(ctx))
	}
	return err
}

// duetSession is duet's client.
type duetSession struct{ c duet.Client }

func openDuet(ctx context.Context, dsn string) (session, error) {
	c, err := duetedgedb.Connect(ctx, dsn, duetedgedb.Config{MaxConns: connections})
	if err != nil {
		return nil, err
	}
	return duetSession{c}, nil
}

// account is an Account as duet takes it, from either backend.
type account struct {
	ID      [16]byte
	Name    string
	Balance int64
	Note    *string
	Color   *string
	Tags    []string
}

func (s duetSession) one(ctx context.Context) error {
	var n int64
	if err := s.c.QueryOne(ctx, oneText, &n); err != nil || n == 1 {
		return err
	}
	return errWrong
}

func (s duetSession) account(ctx context.Context) error {
	var a account
	if err := s.c.QueryOne(ctx, accountText, &a, accountName); err != nil || a.Name == accountName {
		return err
	}
	return errWrong
}

func (s duetSession) close(ctx context.Context) error {
	if err := s.c.Close(ctx); err != nil {
		return fmt.Errorf("duet: %w", err)
	}
	return nil
}
