package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/duetdb/duet"
)

// queryEdgeQL runs a command on EdgeDB. Rows are buffered there anyway, and the
// server writes their JSON, which has names, order and nesting.
func queryEdgeQL(ctx context.Context, client duet.Client, out *bufio.Writer, text string, opt queryOptions, args []any) error {
	if edgeQLExecutes(text) {
		res, err := client.Execute(ctx, text, args...)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, cmp.Or(res.Status, "OK"))
		return err
	}
	var array []byte
	if err := client.QueryJSON(ctx, text, &array, args...); err != nil {
		return err
	}
	if opt.asJSON {
		_, err := out.Write(append(array, '\n'))
		return err
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(array, &elements); err != nil {
		return err
	}
	if opt.asJSONL {
		for _, e := range elements {
			_, _ = out.WriteString(compactJSON(e) + "\n")
		}
		return nil
	}
	return writeElements(out, elements)
}

// edgeQLExecutes says whether a command has no result, going by its first word.
func edgeQLExecutes(text string) bool {
	for {
		text = strings.TrimSpace(text)
		if !strings.HasPrefix(text, "#") {
			break
		}
		_, text, _ = strings.Cut(text, "\n")
	}
	word, _, _ := strings.Cut(strings.ToLower(text), " ")
	switch word {
	case "create", "alter", "drop", "configure", "start", "commit", "rollback", "declare", "release", "administer", "populate", "reset":
		return true
	default:
		return false
	}
}

func compactJSON(data []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, data) != nil {
		return string(data)
	}
	return b.String()
}

// writeElements writes an array's elements as a table: an object's fields are
// its columns, anything else is the one column "value".
func writeElements(out *bufio.Writer, elements []json.RawMessage) error {
	var header []string
	var rows [][]string
	for _, e := range elements {
		names, cells, err := elementCells(e)
		if err != nil {
			return err
		}
		if header == nil {
			header = names
		}
		rows = append(rows, cells)
	}
	if header == nil {
		header = []string{"value"}
	}
	t := newTable(out, header...)
	if err := t.write(rows); err != nil {
		return err
	}
	return footer(t, len(rows))
}

// elementCells takes one element apart.
func elementCells(element json.RawMessage) (names, cells []string, err error) {
	d := json.NewDecoder(bytes.NewReader(element))
	if first, _ := d.Token(); first != json.Delim('{') {
		return []string{"value"}, []string{cellOf(element)}, nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, err
		}
		names, cells = append(names, printable(fmt.Sprint(name))), append(cells, cellOf(value))
	}
	return names, cells, nil
}

// cellOf is a JSON value as a cell: a text without quotes, nothing for null.
func cellOf(value json.RawMessage) string {
	var text *string
	if json.Unmarshal(value, &text) == nil {
		if text == nil {
			return ""
		}
		return printable(*text)
	}
	return printable(compactJSON(value))
}

// castPattern finds a parameter with the cast that EdgeQL wants of it.
var castPattern = regexp.MustCompile(`<\s*(?:(?:optional|required)\s+)?([a-zA-Z0-9_:]+(?:\s*<[^<>]*>)?)\s*>\s*\$([a-zA-Z0-9_]+)`)

// edgeQLArgs turns arguments that are text into values of the types that the
// command casts its parameters to. A text that does not fit stays a text: the
// error is the client's.
func edgeQLArgs(command string, args []any) []any {
	types := map[string]string{}
	for _, m := range castPattern.FindAllStringSubmatch(command, -1) {
		types[m[2]] = strings.TrimPrefix(strings.ReplaceAll(m[1], " ", ""), "std::")
	}
	if len(args) == 1 {
		if named, ok := args[0].(duet.Named); ok {
			typed := duet.Named{}
			for name, v := range named {
				typed[name] = edgeQLValue(types[name], v)
			}
			return []any{typed}
		}
	}
	typed := make([]any, len(args))
	for i, v := range args {
		typed[i] = edgeQLValue(types[strconv.Itoa(i)], v)
	}
	return typed
}

func edgeQLValue(typeName string, v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	if element, ok := strings.CutPrefix(typeName, "array<"); ok {
		return edgeQLArray(strings.TrimPrefix(strings.TrimSuffix(element, ">"), "std::"), text)
	}
	var value any
	var err error
	switch typeName {
	case "bool":
		value, err = strconv.ParseBool(text)
	case "int16", "int32", "int64":
		value, err = strconv.ParseInt(text, 10, 64)
	case "float32", "float64":
		value, err = strconv.ParseFloat(text, 64)
		if f, ok := value.(float64); ok && typeName == "float32" {
			value = float32(f)
		}
	case "bigint":
		if n, ok := new(big.Int).SetString(text, 10); ok {
			value = n
		}
	case "json":
		value = json.RawMessage(text)
	case "bytes":
		value = []byte(text)
	case "datetime":
		value, err = time.Parse(time.RFC3339Nano, text)
	case "duration":
		value, err = time.ParseDuration(text)
	case "cal::local_date":
		value, err = time.Parse(time.DateOnly, text)
	case "cal::local_datetime":
		value, err = time.Parse("2006-01-02T15:04:05.999999999", text)
	}
	if err != nil || value == nil {
		return v
	}
	return value
}

// edgeQLArray reads an array in JSON.
func edgeQLArray(element, text string) any {
	read := func(v any) any {
		if json.Unmarshal([]byte(text), v) != nil {
			return nil
		}
		return v
	}
	switch element {
	case "str":
		if v, ok := read(new([]string)).(*[]string); ok {
			return *v
		}
	case "int16", "int32", "int64":
		if v, ok := read(new([]int64)).(*[]int64); ok {
			return *v
		}
	case "float64":
		if v, ok := read(new([]float64)).(*[]float64); ok {
			return *v
		}
	case "bool":
		if v, ok := read(new([]bool)).(*[]bool); ok {
			return *v
		}
	}
	return text
}
