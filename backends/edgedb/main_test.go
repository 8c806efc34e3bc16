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
		// edgedb-go's reader hands what it has read to whoever asks, and waits for
		// that for ever where edgedb-go has given a connection up in the middle of a
		// reply. A reader that waits for its socket is not meant here.
		stuck := goleak.IgnoreTopFunction("github.com/edgedb/edgedb-go/internal/soc.Read")
		if err := goleak.Find(stuck); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
