package codec_test

import (
	"fmt"
	"reflect"

	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/jackc/pgx/v5/pgtype"
)

func ExampleTypes_RowDecoder() {
	type city struct {
		Name       string
		Population int64
	}
	cols := []codec.Column{{Name: "name", OID: pgtype.TextOID}, {Name: "population", OID: pgtype.Int4OID}}
	d, err := codec.NewTypes().RowDecoder(cols, reflect.TypeFor[city](), false)
	if err != nil {
		fmt.Println(err)
		return
	}
	var cities []city
	target, err := codec.SliceTarget(&cities)
	if err != nil {
		fmt.Println(err)
		return
	}
	target.Reset()
	for i, row := range [][]byte{dataRow([]byte("Oslo"), be4(717_710)), dataRow(nil, be4(0))} {
		if err := target.Append(d, row, i+1); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(cities)
	// Output:
	// row 2, column "name": NULL into string
	// [{Oslo 717710}]
}

func ExampleColumnScanner() {
	cols := []codec.Column{{Name: "id", OID: pgtype.Int8OID}, {Name: "email", OID: pgtype.TextOID}}
	s := codec.NewTypes().Scanner(cols)
	var id int
	var email *string
	err := s.Scan(dataRow(be8(7), nil), 1, &id, &email)
	fmt.Println(id, email == nil, err)
	// Output: 7 true <nil>
}
