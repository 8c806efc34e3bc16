package backends_test

import (
	"context"
	"fmt"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends"
)

func ExampleConnect() {
	ctx := context.Background()
	for _, dsn := range []string{"edgedb://localhost/shop?port=none", "mysql://localhost/shop"} {
		_, err := backends.Connect(ctx, dsn, backends.Config{})
		fmt.Println(duet.KindOf(err))
	}
	// Output:
	// bad configuration
	// bad configuration
}
