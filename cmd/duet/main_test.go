package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/edgedbtest"
	"go.uber.org/goleak"

	"github.com/duetdb/duet"
)

func TestMain(m *testing.M) {
	code := edgedbtest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// result is what a command line did.
type result struct {
	code     int
	out, err string
}

// duetRun runs a command line as main would.
func duetRun(t testing.TB, args ...string) result {
	t.Helper()
	return duetRunIn(t, "", args...)
}

func duetRunIn(t testing.TB, stdin string, args ...string) result {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	var out, errs bytes.Buffer
	code := run(ctx, args, streams{in: strings.NewReader(stdin), out: &out, err: &errs})
	return result{code, out.String(), errs.String()}
}

func (r result) want(t testing.TB, code int, out, errs string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.out, out) || !strings.Contains(r.err, errs) {
		t.Fatalf("exit %d\nstdout: %s\nstderr: %s\nwant exit %d, stdout with %q, stderr with %q", r.code, r.out, r.err, code, out, errs)
	}
}

// plainEnvironment takes the variables of both backends and the home folder's
// files away.
func plainEnvironment(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "EDGEDB_") || strings.HasPrefix(name, "GEL_") {
			t.Setenv(name, value) // to be put back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("HOME", t.TempDir())
}

// connectTo opens a client that is closed at the end of the test.
func connectTo(t testing.TB, dsn string) duet.Client {
	t.Helper()
	client, err := postgres.Connect(t.Context(), dsn, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		if err := client.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return client
}
