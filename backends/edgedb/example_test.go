package edgedb_test

import (
	"context"
	"fmt"
	"log"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb"
)

func ExampleConnect() {
	ctx := context.Background()
	client, err := edgedb.Connect(ctx, "edgedb://localhost/main", edgedb.Config{MaxConns: 8})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close(ctx)
	type account struct {
		Name string
		Note duet.Optional[string]
	}
	rich, err := duet.QueryAll[account](ctx, client, "select Account { name, note } filter .balance > <int64>$0", 1000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(rich))
}
