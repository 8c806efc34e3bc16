package edgedbtest_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/duetdb/duet/internal/edgedbtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { os.Exit(edgedbtest.Main(checked{m})) }

// checked looks for goroutines that outlive the tests and the server.
type checked struct{ m *testing.M }

func (c checked) Run() int {
	code := c.m.Run()
	if err := edgedbtest.CloseShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	// edgedb-go leaves a goroutine behind that waits for the idle timeout.
	edgedbGo := goleak.IgnoreTopFunction("github.com/edgedb/edgedb-go/internal/client.(*Client).release.func3")
	if err := goleak.Find(edgedbGo); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}
