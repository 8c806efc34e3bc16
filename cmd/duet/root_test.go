package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestUsageErrors(t *testing.T) {
	plainEnvironment(t)
	tests := []struct {
		name string
		args []string
		says string
	}{
		{"unknown command", []string{"pnig"}, `did you mean ping or init?`},
		{"unlike any command", []string{"qqqqqq"}, `there is no command "qqqqqq"`},
		{"a DSN as command", []string{"postgres://anna:s3cr3t@h/db"}, "not a command"},
		{"a DSN as argument", []string{"ping", "postgres://anna:s3cr3t@h/db"}, "given with --dsn"},
		{"two DSNs", []string{"dsn", "postgres://anna:s3cr3t@h/db", "x"}, "at most one DSN"},
		{"a password behind a letter", []string{"ping", "-ps3cr3t"}, "there is no flag -p"},
		{"unknown flag with a value", []string{"ping", "--password=s3cr3t"}, "unknown flag: --password"},
		{"flag without a value", []string{"ping", "--dsn"}, "needs an argument"},
		{"count", []string{"ping", "--count", "0"}, "--count must be at least 1"},
		{"count no number", []string{"ping", "--count", "many"}, "--count"},
		{"no command text", []string{"query"}, "one command"},
		{"two formats", []string{"query", "--json", "--jsonl", "select 1"}, "use one of"},
		{"bad pattern", []string{"conformance", "--run", "("}, "--run"},
		{"pattern without a match", []string{"conformance", "--run", "^nothing$"}, "no scenario"},
		{"demo embedded and dsn", []string{"demo", "--embedded", "--dsn", "host=x"}, "use one of them"},
		{"demo accounts", []string{"demo", "--accounts", "1"}, "--accounts"},
		{"demo workers", []string{"demo", "--workers", "0"}, "--workers"},
		{"demo transfers", []string{"demo", "--transfers", "-1"}, "--transfers"},
		{"dsn: unknown key", []string{"dsn", "host=h pasword=s3cr3t"}, "password?"},
		{"dsn: unknown key of a URI", []string{"dsn", "postgres://anna:s3cr3t@h/db?ssl_mode=no"}, "sslmode?"},
		{"dsn: a bad value", []string{"dsn", "host=h sslmode=s3cr3t=1"}, "sslmode"},
		{"dsn: a bad port", []string{"dsn", "postgres://anna:s3cr3t/x@h:5432/db"}, "dsn:"},
		{"dsn: an open quote", []string{"dsn", "host=h password='s3cr3t"}, "password"},
		{"dsn: edgedb", []string{"dsn", "edgedb://anna:s3cr3t@h:99999/db"}, "port"},
		{"dsn: gel", []string{"dsn", "gel://anna:s3cr3t@h/db?tls_security=s3cr3t"}, "tls_security"},
		{"dsn: other scheme", []string{"dsn", "--json", "mysql://anna:s3cr3t@h/db"}, "scheme mysql"},
		{"ping: bad DSN", []string{"ping", "--dsn", "host=h pasword=s3cr3t"}, "password?"},
		{"ping: gel", []string{"ping", "--dsn", "gel://anna:s3cr3t@h:0/db"}, "port"},
		{"demo: bad EdgeDB DSN", []string{"demo", "--dsn", "edgedb://anna:s3cr3t@h:0/db"}, "port"},
		{"demo: three DSNs", []string{"demo", "--dsn", "host=a", "--dsn", "host=b", "--dsn", "host=c"}, "given twice"},
		{"ping: other scheme", []string{"ping", "--dsn", "mysql://anna:s3cr3t@h/db"}, "scheme mysql"},
		{"query: bad DSN", []string{"query", "--dsn", "postgres://anna:s3cr3t@h/?x=1", "select 1"}, "unknown key"},
		{"conformance: bad DSN", []string{"conformance", "--dsn", "postgres://anna:s3cr3t@h/?x=1"}, "unknown key"},
		{"demo: bad DSN", []string{"demo", "--dsn", "postgres://anna:s3cr3t@h/?x=1"}, "unknown key"},
		{"demo: other scheme", []string{"demo", "--dsn", "mysql://anna:s3cr3t@h/db"}, "mysql"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := duetRun(t, tt.args...)
			r.want(t, exitUsage, "", tt.says)
			if strings.Contains(r.out+r.err, "s3cr3t") {
				t.Errorf("a password is shown:\n%s%s", r.out, r.err)
			}
			if !strings.HasPrefix(r.err, "duet: ") || strings.HasPrefix(r.err, "duet: duet:") {
				t.Errorf("stderr does not begin with one %q: %s", "duet: ", r.err)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	r := duetRun(t)
	for _, name := range []string{"demo", "ping", "query", "dsn", "conformance", "init", "soak", "edgedb-test-server", "version"} {
		r.want(t, exitOK, "\n  "+name, "")
		help := duetRun(t, name, "--help")
		help.want(t, exitOK, "Usage:", "")
		for line := range strings.Lines(help.out) {
			if len(line) > 120 {
				t.Errorf("%s --help has a line of %d characters: %s", name, len(line), line)
			}
		}
	}
	duetRun(t, "version").want(t, exitOK, "duet ", "")
}

func TestQuantile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	tests := []struct {
		sorted []time.Duration
		q      float64
		want   time.Duration
	}{
		{nil, 0.5, 0}, {hundred[:1], 0.99, 1}, {hundred, 0.5, 50}, {hundred, 0.99, 99}, {hundred, 1, 100}, {hundred, 0, 1}, {hundred[:3], 0.5, 2},
	}
	for _, tt := range tests {
		if got := quantile(tt.sorted, tt.q); got != tt.want {
			t.Errorf("quantile %v of %d values is %d, want %d", tt.q, len(tt.sorted), got, tt.want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 20000: "20,000", 1234567: "1,234,567", 1000007: "1,000,007", -1000: "-1,000"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) is %q, want %q", n, got, want)
		}
	}
}

func TestShortDuration(t *testing.T) {
	tests := map[time.Duration]string{
		0: "0 µs", 12345 * time.Nanosecond: "12 µs", 1500 * time.Microsecond: "1.5 ms", 42 * time.Millisecond: "42 ms", 1320 * time.Millisecond: "1.32 s",
	}
	for d, want := range tests {
		if got := shortDuration(d); got != want {
			t.Errorf("shortDuration(%v) is %q, want %q", d, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	tests := map[string]string{
		"": "", "plain text, ünïcode": "plain text, ünïcode", "a\nb": `a\nb`, "\x1b[2J": `\x1b[2J`, "say \"hi\"\t": `say "hi"\t`, "\xff": `\xff`,
	}
	for s, want := range tests {
		if got := printable(s); got != want {
			t.Errorf("printable(%q) is %q, want %q", s, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	table := newTable(&b, "name", "n")
	table.right = []bool{false, true}
	if err := table.write([][]string{{"é", "1"}, {"longer than that", "1000"}, {"", ""}}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"name                 n",
		"----------------  ----",
		"é                    1",
		"longer than that  1000",
		"",
		"",
	}
	if got := strings.Split(b.String(), "\n"); !slices.Equal(got, want) {
		t.Errorf("the table is\n%s", b.String())
	}
}
