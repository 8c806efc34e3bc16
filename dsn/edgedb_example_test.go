package dsn_test

import (
	"fmt"
	"io/fs"

	"github.com/duetdb/duet/dsn"
)

func ExampleParseEdgeDB() {
	environment := dsn.Environment{ // the zero value is the process's own
		LookupEnv: func(name string) (string, bool) {
			value, ok := map[string]string{
				"GEL_DSN":       "gel://anna:pa%2Fss@db.example.com/shop?tls_security=strict",
				"GEL_BRANCH":    "feature",
				"EDGEDB_BRANCH": "main",
			}[name]
			return value, ok
		},
		Open: func(string) (fs.File, error) { return nil, fs.ErrNotExist },
	}
	r, err := dsn.ParseEdgeDB("", dsn.EdgeDBOptions{WaitUntilAvailable: new("10 seconds")}, environment)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range r.All() {
		fmt.Printf("%-20s %-14s %s\n", v.Keyword, v.Value, v.Source)
	}
	for _, warning := range r.Warnings() {
		fmt.Println("warning:", warning)
	}
	config := r.Config()
	fmt.Println(config.Hosts, config.WaitUntilAvailable)

	_, err = dsn.ParseEdgeDB("edgedb://anna@db.example.com:5656?port=5657", dsn.EdgeDBOptions{}, environment)
	fmt.Println(err)
	// Output:
	// host                 db.example.com environment GEL_DSN host
	// port                 5656           default
	// user                 anna           environment GEL_DSN user
	// password             ********       environment GEL_DSN password
	// database             feature        environment GEL_BRANCH
	// branch               feature        environment GEL_BRANCH
	// tls_security         strict         environment GEL_DSN query tls_security
	// wait_until_available 10 seconds     option wait_until_available
	// warning: both GEL_BRANCH and EDGEDB_BRANCH are set: EDGEDB_BRANCH is ignored
	// [db.example.com:5656] 10s
	// dsn: port: given more than once: by port and the URI's port (dsn port)
}
