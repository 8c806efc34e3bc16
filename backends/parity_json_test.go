package backends_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
)

// jsonStatements are the statements of the catalogue that only read, with
// arguments for those that have parameters.
var jsonStatements = map[string][]any{
	"account": {"carol"}, "account_name": {"ada"}, "account_names": nil, "accounts": nil, "aggregate": nil, "all_names": nil,
	"balance": {"ada"}, "bigints": nil, "bools": nil, "bytes": nil,
	"color": nil, "count_accounts": nil, "datetime": nil, "decimal": nil, "division": {int64(1)},
	"dollars_in_text": {duet.Named{"a": "x"}}, "float64s": nil, "int16s": nil, "int32s": nil,
	"int64s": nil, "int_arrays": nil, "jsons": nil, "missing_value": nil, "name_if": {nil}, "named_a_b": {duet.Named{"a": "x", "b": "y"}},
	"names_in":   {[]string{"ada", "bob"}},
	"names_like": {"%a%"}, "nothing": nil, "numbers": {int64(20)}, "objects": {int64(3)}, "one": nil, "page_of_names": nil, "sent": nil,
	"strs": nil, "sum_of_balances": nil,
	"three_args": {int64(1), "x", false}, "transfers": nil, "two": nil, "two_columns": nil, "uuid": nil, "wide": nil, "xs": nil,
	"syntax_error": nil, "unknown_type": nil, "division_by_zero": nil,
}

// The JSON of both backends is the same value.
func TestParityOfJSON(t *testing.T) {
	p := openPair(t)
	run := func(cell, statement string, args []any) {
		p.compare(t, "QueryJSON "+cell, func(c duet.Client) (any, error) {
			var out []byte
			err := c.QueryJSON(p.ctx, textOf(t, c, statement), &out, args...)
			return canonical(jsonOf(out)), err
		})
		p.compare(t, "QueryOneJSON "+cell, func(c duet.Client) (any, error) {
			var out []byte
			err := c.QueryOneJSON(p.ctx, textOf(t, c, statement), &out, args...)
			return canonical(jsonOf(out)), err
		})
	}
	for statement, args := range jsonStatements {
		if queries.Get(statement) == nil {
			t.Errorf("there is no statement %s", statement)
			continue
		}
		run(statement, statement, args)
	}
	for _, v := range values {
		for _, value := range v.values {
			run(v.statement+" "+label(value), v.statement, []any{value})
		}
	}
}

// canonical makes equal what is the same in JSON: numbers by their value, moments
// in UTC. Ids are chance.
func canonical(v any) any {
	switch v := v.(type) {
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return r.RatString()
		}
		return v
	case string:
		if moment, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return moment.UTC()
		}
		return v
	case []any:
		for i := range v {
			v[i] = canonical(v[i])
		}
		return v
	case map[string]any:
		delete(v, "id")
		for key := range v {
			v[key] = canonical(v[key])
		}
		return v
	default:
		return v
	}
}

// A struct reads the JSON of both backends as it reads their rows.
func TestParityOfJSONInGo(t *testing.T) {
	p := openPair(t)
	for statement, args := range map[string][]any{"two_columns": nil, "missing_value": nil, "objects": {int64(2)}, "accounts": nil} {
		p.compare(t, fmt.Sprint(statement), func(c duet.Client) (any, error) {
			var out []byte
			if err := c.QueryJSON(p.ctx, textOf(t, c, statement), &out, args...); err != nil {
				return nil, err
			}
			var rows []pairNS
			err := json.Unmarshal(out, &rows)
			return rows, err
		})
	}
}
