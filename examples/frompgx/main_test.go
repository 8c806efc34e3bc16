package main

import (
	"os"
	"testing"

	"github.com/duetdb/duet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestRun(t *testing.T) {
	t.Setenv("DATABASE_URL", pgtest.Shared(t).NewDatabase(t))
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
}
