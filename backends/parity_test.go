package backends_test

import (
	"context"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends"
	"github.com/duetdb/duet/backends/edgedb"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
)

// pair is the same data behind both backends: what is done on one is done on the
// other, and must come to the same.
type pair struct {
	ctx              context.Context
	postgres, edgedb duet.Client
	found            *findings
}

// openPair opens both, with the suite's tables and some rows in them. The
// differences that the test sees are held against those that are meant.
func openPair(t *testing.T) *pair {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	p := &pair{ctx: ctx, found: &findings{cells: map[string][]string{}}}
	t.Cleanup(stop)
	open := func(dsn string) duet.Client {
		cfg := backends.Config{Postgres: postgres.Config{MaxConns: 2}, EdgeDB: edgedb.Config{MaxConns: 2}}
		c, err := backends.Connect(ctx, dsn, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Close(context.WithoutCancel(ctx)); err != nil {
				t.Error(err)
			}
		})
		return c
	}
	p.postgres = open(pgtest.Shared(t).NewDatabase(t))
	p.edgedb = open(edgedbtest.Shared(t).NewBranch(t))
	for _, c := range []duet.Client{p.postgres, p.edgedb} {
		fill(t, ctx, c)
	}
	t.Cleanup(func() { p.found.check(t) })
	return p
}

// fill makes the tables: ada sent bob 3, ada is Red and has tags, bob has nothing
// that may be missing, carol has a note.
func fill(t *testing.T, ctx context.Context, c duet.Client) {
	t.Helper()
	for _, step := range []struct {
		name string
		args []any
	}{
		{"setup_color", nil},
		{"setup_account", nil},
		{"setup_transfer", nil},
		{"insert_red", []any{"ada", int64(100)}},
		{"insert_account", []any{"bob", int64(5)}},
		{"insert_with_note", []any{"carol", int64(7), "a note"}},
		{"transfer", []any{"ada", "bob", int64(3)}},
	} {
		if _, err := c.Execute(ctx, textOf(t, c, step.name), step.args...); err != nil {
			t.Fatalf("%s on %s: %v", step.name, c.Backend().Name, err)
		}
	}
}

// textOf is a statement of the catalogue in the client's language.
func textOf(t *testing.T, c duet.Client, name string) string {
	t.Helper()
	text := queries.Get(name).Text(c.Backend().Dialect)
	if text == "" {
		t.Fatalf("there is no statement %s for %s", name, c.Backend().Name)
	}
	return text
}

// outcome is what came of a call, as a text: a value, or a kind of error and its
// words.
type outcome struct {
	text string
	// words are an error's, without the backend's names for things; "" for those
	// of a server, which are its own.
	words string
}

// compare does the same on both backends. cell names what is done; it is what the
// differences that are meant are listed by.
func (p *pair) compare(t *testing.T, cell string, do func(c duet.Client) (any, error)) (agreed outcome) {
	t.Helper()
	a, b := p.run(p.postgres, do), p.run(p.edgedb, do)
	same := a.text == b.text && (a.words == b.words || a.words == "" || b.words == "")
	if !same {
		p.found.differs(cell, fmt.Sprintf("postgres: %s %s\n\tedgedb:   %s %s", a.text, a.words, b.text, b.words))
	}
	p.found.count()
	return a
}

func (p *pair) run(c duet.Client, do func(c duet.Client) (any, error)) (o outcome) {
	v, err := do(c)
	if err != nil {
		return outcome{text: "error of kind " + duet.KindOf(err).String(), words: words(err)}
	}
	return outcome{text: render(reflect.ValueOf(v))}
}

// findings collects the cells in which the backends differ.
type findings struct {
	mu    sync.Mutex
	total int
	cells map[string][]string
}

func (f *findings) count() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
}

func (f *findings) differs(cell, how string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cells[cell] = append(f.cells[cell], how)
}

// check holds the differences against the list of those that are meant. Each
// entry says how many cells it is for, so that it can neither grow nor go stale
// unnoticed.
func (f *findings) check(t *testing.T) {
	seen := map[*difference]int{}
	cells := make([]string, 0, len(f.cells))
	for cell := range f.cells {
		cells = append(cells, cell)
	}
	sort.Strings(cells)
	list := differences[t.Name()]
	unmeant := 0
	for _, cell := range cells {
		if d := find(list, cell); d != nil {
			seen[d]++
			continue
		}
		unmeant++
		if unmeant <= mostShown {
			t.Errorf("%s:\n\t%s", cell, strings.Join(f.cells[cell], "\n\t"))
		}
	}
	if unmeant > mostShown {
		t.Errorf("and %d cells more", unmeant-mostShown)
	}
	for i := range list {
		if d := &list[i]; seen[d] != d.cells {
			t.Errorf("the difference %q (%s) is listed for %d cells and was seen in %d", d.cell, d.reason, d.cells, seen[d])
		}
	}
	t.Logf("%d cells compared, %d differ", f.total, len(f.cells))
}

func find(list []difference, cell string) *difference {
	for i := range list {
		if list[i].matches(cell) {
			return &list[i]
		}
	}
	return nil
}
