// Package postgres is duet's backend for PostgreSQL: [Connect] makes a client. It
// speaks the wire protocol itself. Servers from 13 on can tell what became of a
// transaction; everything else works on older ones, too.
