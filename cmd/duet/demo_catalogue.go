package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"time"

	"github.com/duetdb/duet"
)

// typeRow is a row of pg_type. Its fields are found by their names.
type typeRow struct {
	OID      uint32
	Name     string
	Category string
	Length   int16                 // in bytes; -1: it varies
	Element  duet.Optional[string] // of an array
	Labels   []string              // of an enum
}

// The enums of a fresh server are none, so that labels are empty there.
const typesQuery = `
select t.oid, t.typname as name, t.typcategory as category, t.typlen as length, e.typname as element,
	array(select l.enumlabel from pg_enum l where l.enumtypid = t.oid order by l.enumsortorder) as labels
from pg_type t left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
order by t.oid`

// show reads the server's catalogue, pg_type, twice, and shows the beginning of
// both.
func (b *bank) show(ctx context.Context, s streams) (check, error) {
	client := b.client
	start := time.Now()
	types, err := duet.QueryAll[typeRow](ctx, client, typesQuery)
	if err != nil {
		return check{}, err
	}
	structsTook := time.Since(start)
	start = time.Now()
	var text []byte
	if err := client.QueryJSON(ctx, typesQuery, &text); err != nil {
		return check{}, err
	}
	jsonTook := time.Since(start)
	fmt.Fprintf(s.out, "\nPostgreSQL's own catalogue, pg_type, into structs: %s rows in %s\n", grouped(int64(len(types))), shortDuration(structsTook))
	t := newTable(s.out, "OID", "Name", "Category", "Length", "Element")
	t.indent, t.right = "  ", []bool{true, false, false, true}
	var rows [][]string
	for _, r := range sample(types) {
		rows = append(rows, []string{strconv.Itoa(int(r.OID)), r.Name, r.Category, strconv.Itoa(int(r.Length)), r.Element.Or("(none)")})
	}
	if err := t.write(rows); err != nil {
		return check{}, err
	}
	fmt.Fprintf(s.out, "\nThe same rows as JSON: %s bytes in %s\n", grouped(int64(len(text))), shortDuration(jsonTook))
	fmt.Fprintf(s.out, "  %s\n", firstElement(text))
	return compareCatalogue(types, text), nil
}

// sample picks rows of three kinds: the first two, and the first array.
func sample(types []typeRow) []typeRow {
	picked := append([]typeRow{}, types[:min(2, len(types))]...)
	for _, t := range types {
		if t.Element.Valid {
			return append(picked, t)
		}
	}
	return picked
}

func firstElement(array []byte) string {
	var elements []json.RawMessage
	if json.Unmarshal(array, &elements) != nil || len(elements) == 0 {
		return "[]"
	}
	return string(elements[0])
}

func compareCatalogue(types []typeRow, text []byte) check {
	c := check{name: "the catalogue is the same in structs and in JSON"}
	var decoded []typeRow
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&decoded); err != nil {
		c.failure = err.Error()
		return c
	}
	if _, err := d.Token(); err != io.EOF {
		c.failure = "something follows the array"
	} else if !reflect.DeepEqual(types, decoded) {
		c.failure = fmt.Sprintf("%d structs and %d JSON objects differ", len(types), len(decoded))
	}
	return c
}
