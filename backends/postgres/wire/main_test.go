package wire_test

import (
	"testing"

	"github.com/duetdb/duet/internal/pgtest"
	"go.uber.org/goleak"
)

// served stops the shared server before goroutines are counted.
type served struct{ m *testing.M }

func (s served) Run() int { return pgtest.Main(s.m) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(served{m}) }
