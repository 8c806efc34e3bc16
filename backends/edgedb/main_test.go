package edgedb

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/duetdb/duet/internal/edgedbtest"
)

func TestMain(m *testing.M) {
	code := edgedbtest.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
