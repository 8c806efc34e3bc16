package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"testing"

	"github.com/duetdb/duet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestReport(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, pgtest.Shared(t).NewDatabase(t)); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 100 || rows[1][0] != "pg_catalog" || rows[1][3] == "0" {
		t.Errorf("%d rows, which begin with %v", len(rows), rows[:min(2, len(rows))])
	}
}
