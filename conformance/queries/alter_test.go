package queries_test

import (
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
)

func TestAlteredStatements(t *testing.T) {
	s := queries.Get("two_columns")
	text := s.Text(duet.SQL)
	other := s.WithText(duet.SQL, "SELECT 2 AS n")
	if other.Text(duet.SQL) != "SELECT 2 AS n" || other.Text(duet.EdgeQL) != s.Text(duet.EdgeQL) || s.Text(duet.SQL) != text {
		t.Errorf("the texts are %q and %q, the statement's own is %q", other.Text(duet.SQL), other.Text(duet.EdgeQL), s.Text(duet.SQL))
	}
	other, err := s.WithResult("many {n: str}")
	if err != nil || other.Cardinality != queries.Many || len(other.Shape.Fields) != 1 {
		t.Errorf("the altered result is %d, %+v (%v)", other.Cardinality, other.Shape, err)
	}
	if s.Cardinality != queries.One || len(s.Shape.Fields) != 2 {
		t.Errorf("the statement itself was altered: %d, %+v", s.Cardinality, s.Shape)
	}
	if _, err := s.WithResult("several int64"); err == nil {
		t.Error("a result that does not parse was taken")
	}
}
