package backends_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends"
)

func ExampleConnect() {
	ctx := context.Background()
	for _, dsn := range []string{"edgedb://localhost/shop", "mysql://localhost/shop"} {
		_, err := backends.Connect(ctx, dsn, backends.Config{})
		fmt.Println(errors.Is(err, duet.ErrUnsupported), duet.KindOf(err))
	}
	// Output:
	// true unsupported
	// false bad configuration
}
