package dsn_test

import (
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/duetdb/duet/dsn"
)

func ExampleParsePostgres() {
	environment := dsn.Environment{ // the zero value is the process's own
		LookupEnv: func(name string) (string, bool) {
			value, ok := map[string]string{"PGHOST": "ignored", "PGAPPNAME": "shop"}[name]
			return value, ok
		},
		Stat: func(string) (fs.FileInfo, error) { return nil, fs.ErrNotExist },
	}
	r, err := dsn.ParsePostgres("postgres://anna:pa%2Fss@db1,db2:6432/shop?sslmode=require", environment)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, keyword := range []string{"host", "port", "user", "password", "dbname", "sslmode", "application_name", "target_session_attrs"} {
		v, _ := r.Get(keyword)
		fmt.Printf("%-20s %-14s %s\n", keyword, v.Value, v.Source)
	}
	// Output:
	// host                 db1,db2        dsn
	// port                 ,6432          dsn
	// user                 anna           dsn
	// password             ********       dsn
	// dbname               shop           dsn
	// sslmode              require        dsn
	// application_name     shop           environment PGAPPNAME
	// target_session_attrs any            default
}

func ExampleResolved_Postgres() {
	environment := dsn.Environment{
		LookupEnv: func(string) (string, bool) { return "", false },
		Stat:      func(string) (fs.FileInfo, error) { return nil, fs.ErrNotExist },
	}
	r, err := dsn.ParsePostgres("host=db1,db2 port=5432 user=anna password='wrong", environment)
	fmt.Println(err)
	r, err = dsn.ParsePostgres("host=db1,db2 user=anna sslmode=requrie connect_timeout=soon", environment)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = r.Postgres()
	fmt.Println(err)
	r, _ = dsn.ParsePostgres("host=db1,::1 port=6432 user=anna", environment)
	config, err := r.Postgres()
	fmt.Println(config.Hosts, config.Database, err)
	// Output:
	// dsn: password: a quoted value has no end: a quote (') is missing (at byte 42 of the dsn)
	// dsn: connect_timeout: invalid value "soon": use an integer (at byte 55 of the dsn)
	// dsn: sslmode: invalid value "requrie": use disable, allow, prefer, require, verify-ca, verify-full (at byte 31 of the dsn)
	// [db1:6432 [::1]:6432] anna <nil>
}

func ExampleValues_MarshalJSON() {
	values := dsn.Values{
		{Keyword: "host", Value: "db1", Source: dsn.Source{Kind: dsn.SourceEnvironment, Name: "PGHOST"}},
		{Keyword: "port", Value: "5432"},
	}
	text, err := json.Marshal(values)
	fmt.Println(string(text), err)
	// Output: {"host":{"value":"db1","source":"environment PGHOST"},"port":{"value":"5432","source":"default"}} <nil>
}

func ExampleScheme() {
	fmt.Println(dsn.Scheme("postgresql://localhost"), dsn.Scheme("edgedb://localhost"), dsn.Scheme("host=localhost"))
	// Output: postgres edgedb postgres
}
