package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/internal/pgtest"
)

func TestPing(t *testing.T) {
	dsn := pgtest.Shared(t).DSN()
	r := duetRun(t, "ping", "--dsn", dsn, "--count", "3")
	r.want(t, exitOK, "postgres "+pgtest.Shared(t).Version+" at ", "")
	r.want(t, exitOK, "3 round trips: min ", "")
	r = duetRun(t, "ping", "--dsn", "postgres://anna:s3cr3t@127.0.0.1:1/db?connect_timeout=5")
	r.want(t, exitFailed, "", "127.0.0.1:1")
	if strings.Contains(r.err, "s3cr3t") {
		t.Errorf("the password is shown: %s", r.err)
	}
}

func TestPingTakesTheEnvironment(t *testing.T) {
	server := pgtest.Shared(t)
	if server.Port == 0 {
		t.Skip("the server is not our own: its address is in a DSN, not in the environment")
	}
	plainEnvironment(t)
	t.Setenv("PGHOST", server.SocketDir)
	t.Setenv("PGPORT", dsnPort(t, server.DSN()))
	t.Setenv("PGUSER", pgtest.Superuser)
	duetRun(t, "ping", "--count", "1").want(t, exitOK, "at "+server.SocketDir, "")
}

func dsnPort(t *testing.T, dsn string) string {
	t.Helper()
	r := duetRun(t, "dsn", "--json", dsn)
	var values map[string]struct{ Value string }
	if err := json.Unmarshal([]byte(r.out), &values); err != nil {
		t.Fatal(err)
	}
	return values["port"].Value
}

func TestQuery(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	tests := []struct {
		name  string
		stdin string
		args  []string
		out   string
	}{
		{"table", "", []string{"select 7 as n, 'x' as t, null as z"}, "n  t  z\n-  -  -\n7  x\n(1 row)\n"},
		{"table of no rows", "", []string{"select 1 as n where false"}, "n\n-\n(0 rows)\n"},
		{"no columns", "", []string{"create table made (id int)"}, "CREATE TABLE\n"},
		{"no columns, jsonl", "", []string{"--jsonl", "insert into made values (1)"}, ""},
		{"no columns, json", "", []string{"--json", "insert into made values (2)"}, "[]\n"},
		{"returning", "", []string{"delete from made where id = 2 returning id"}, "id\n--\n 2\n(1 row)\n"},
		{"control characters", "", []string{`select E'\x1b[31m\n' as t`}, "t\n----------\n\\x1b[31m\\n\n(1 row)\n"},
		{"bytes", "", []string{`select '\xdeadbeef'::bytea as b`}, "b\n----------\n\\xdeadbeef\n(1 row)\n"},
		{"json", "", []string{"--json", "select i as n, 'x' as t from generate_series(1, 2) i"}, `[{"n":1,"t":"x"},{"n":2,"t":"x"}]` + "\n"},
		{"jsonl", "", []string{"--jsonl", "select i as n, 'x' as t from generate_series(1, 2) i"}, "{\"n\":1,\"t\":\"x\"}\n{\"n\":2,\"t\":\"x\"}\n"},
		{"positional", "", []string{"--json", "select $1::int + $2::int as sum", "--arg", "1", "--arg", "2"}, `[{"sum":3}]` + "\n"},
		{"named", "", []string{"--json", "select $a::int - $b::int as diff", "--arg", "b=2", "--arg", "a=1"}, `[{"diff":-1}]` + "\n"},
		{"positional with an equals sign", "", []string{"--json", "select $1::text as t", "--arg", "a=b"}, `[{"t":"a=b"}]` + "\n"},
		{"no SQL from arguments", "", []string{"--json", "select $1::text as t", "--arg", "'; drop table made; --"}, `[{"t":"'; drop table made; --"}]` + "\n"},
		{"standard input", "select 5 as five", []string{"--json", "-"}, `[{"five":5}]` + "\n"},
		{"script", "create table two (id int);\ninsert into two values (1), (2);\n", []string{"-"}, "INSERT 0 2\n"},
		{"--table", "", []string{"--table", "select 1 as n"}, "n\n-\n1\n(1 row)\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := duetRunIn(t, tt.stdin, append([]string{"query", "--dsn", dsn}, tt.args...)...)
			r.want(t, exitOK, "", "")
			if diff := cmp.Diff(tt.out, r.out); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQueryFailures(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	tests := []struct {
		name string
		args []string
		says string
	}{
		{"syntax, with a caret", []string{"select 1 frm x y"}, "^"},
		{"undefined table", []string{"select * from nosuch"}, "42P01"},
		{"missing argument", []string{"select $1::int"}, "argument"},
		{"missing name", []string{"select $a::int, $b::int", "--arg", "a=1"}, "b"},
		{"a bad value", []string{"select $1::int", "--arg", "x"}, "22P02"},
		{"an error after rows", []string{"--jsonl", "select 1 / (3 - i) as q from generate_series(1, 3) i"}, "22012"},
		{"unsupported by the server", []string{"select 1 for update of x"}, "duet: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			duetRun(t, append([]string{"query", "--dsn", dsn}, tt.args...)...).want(t, exitFailed, "", tt.says)
		})
	}
}

func TestQueryNotices(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	r := duetRun(t, "query", "--dsn", dsn, "do $do$ begin raise warning E'look\\nhere'; end $do$")
	r.want(t, exitOK, "DO", `WARNING: look\nhere`)
}

// Both JSON forms must hold the same values.
func TestQueryJSONLines(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	const all = `select true as b, 32767::int2 as i2, 9007199254740993 as i8, 1.5::float8 as f, 'NaN'::float4 as nan, '-infinity'::float8 as inf,
		12345678901234567890.123456789 as num, 'NaN'::numeric as numnan, 'tä"xt' as t, '\x00ff'::bytea as bytes,
		'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as uuid, date '2024-02-29' as d, timestamp '2024-02-29 12:34:56.789' as ts,
		timestamptz '2024-02-29 12:34:56+02' as tstz, time '23:59:59.5' as tod, date 'infinity' as forever,
		'{"a": [1, 2.50]}'::jsonb as doc, array[1.10, null]::numeric[] as nums, array[array[1, 2]] as nested, array[date '2024-01-01'] as days,
		null::int as nothing, '10.0.0.1'::inet as ip, '10.0.0.0/8'::cidr as net, array['::1'::inet] as ips, row(1, 'x') as pair, 5::oid as o`
	array := duetRun(t, "query", "--dsn", dsn, "--json", all)
	array.want(t, exitOK, "", "")
	lines := duetRun(t, "query", "--dsn", dsn, "--jsonl", all)
	lines.want(t, exitOK, "", "")
	if diff := cmp.Diff(decodeJSON(t, array.out), decodeJSON(t, "["+lines.out+"]")); diff != "" {
		t.Errorf("--json and --jsonl differ (-json +jsonl):\n%s", diff)
	}
}

func decodeJSON(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// The first line of an endless result must come, and leaving must end the rest.
// Its rows are not made ahead, as those of a function in FROM would be.
func TestQueryStreams(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	var errs bytes.Buffer
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{"query", "--dsn", dsn, "--jsonl", "select generate_series(1, 1000000000) as i"},
			streams{in: strings.NewReader(""), out: writer, err: &errs})
		writer.Close()
	}()
	first, err := bufio.NewReader(reader).ReadString('\n')
	if first != "{\"i\":1}\n" || err != nil {
		t.Errorf("the first line is %q, %v", first, err)
	}
	stop()
	reader.Close()
	if got := <-code; got != exitFailed {
		t.Errorf("exit %d, want %d", got, exitFailed)
	}
}

func TestQueryLongTable(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	for _, n := range []string{"999", "1000", "1001", "2500"} {
		r := duetRun(t, "query", "--dsn", dsn, "select i from generate_series(1, "+n+") i")
		lines := strings.Split(strings.TrimSpace(r.out), "\n")
		if want := strings.NewReplacer("1000", "1,000", "1001", "1,001", "2500", "2,500").Replace(n); lines[len(lines)-1] != "("+want+" rows)" {
			t.Errorf("%s rows end with %q", n, lines[len(lines)-1])
		}
		if got := strings.TrimSpace(lines[len(lines)-2]); got != n {
			t.Errorf("the last of %s rows is %q", n, got)
		}
		if strings.Count(r.out, "-") != 4 && n != "999" || lines[0] == lines[len(lines)-3] {
			t.Errorf("the header of %s rows is not there once:\n%s", n, strings.Join(lines[:3], "\n"))
		}
	}
}
