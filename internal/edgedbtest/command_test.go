package edgedbtest_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/duetdb/duet/internal/pgtest"
	"github.com/edgedb/edgedb-go"
)

// Refused commands say why, with EdgeDB's codes.
func TestRefused(t *testing.T) {
	s, dsn := branch(t)
	const (
		binary, protocol, unsupported, mismatch = 0x03010000, 0x03000000, 0x02000000, 0x03020200
		cardinality, disabled, query, unknown   = 0x03030000, 0x03040200, 0x04000000, 0x04030000
	)
	with := func(f frame, at int, bytes ...byte) frame {
		f.body = slices.Clone(f.body)
		copy(f.body[at:], bytes)
		return f
	}
	nothingAllowed := make([]byte, 8)
	insert := "insert Account { name := 'ada', balance := 1 }"
	long := strings.Repeat("select 1 ", 100000)
	tests := map[string]struct {
		frame   frame
		code    uint32
		message string
	}{
		"unknown text":      {parseFrame("select 42", 'b', 'm'), query, "this server answers only the statements of its catalogue"},
		"unknown text, run": {executeFrame("select 42", 'b', 'm'), query, "this server answers only the statements of its catalogue"},
		"long text":         {parseFrame(long, 'b', 'm'), query, "catalogue"},
		"empty text":        {parseFrame("", 'b', 'm'), binary, "empty query"},
		"comment":           {parseFrame("# no\n ;", 'b', 'm'), protocol, "nothing to compile"},
		"many for one": {
			parseFrame("select Account { name }", 'b', 'o'), cardinality,
			"MANY which does not match the expected cardinality ONE",
		},
		"many for one, run":    {executeFrame("select Account { name }", 'j', 'o'), cardinality, "MANY"},
		"at least one for one": {parseFrame("select {1, 2}", 'j', 'o'), cardinality, "AT_LEAST_ONE"},
		"no transactions": {
			with(parseFrame("start transaction", 'n', 'm'), 2, nothingAllowed...), disabled,
			"cannot execute transaction control commands: disabled by the client",
		},
		"no changes": {
			with(parseFrame(insert, 'n', 'm'), 2, nothingAllowed...), disabled,
			"cannot execute data modification queries: disabled by the client",
		},
		"no changes, run": {with(executeFrame(insert, 'n', 'm'), 2, nothingAllowed...), disabled, "data modification"},
		"no DDL": {
			with(parseFrame("create global default::tenant -> std::str", 'n', 'm'), 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf7),
			0x04040000, "already exists",
		},
		"no DDL, elsewhere": {
			with(parseFrame("drop global default::tenant", 'n', 'm'), 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf7),
			disabled, "DDL commands",
		},
		"format":            {parseFrame("select 1", 'x', 'm'), binary, "output format"},
		"cardinality":       {parseFrame("select 1", 'b', 'A'), binary, "cannot be requested"},
		"limit":             {with(parseFrame("select 1", 'b', 'm'), 18, 0xff), binary, "limit"},
		"state of another":  {with(parseFrame("select 1", 'b', 'm'), 2+24+2+4+8, 1), mismatch, "type mismatch"},
		"types injected":    {with(parseFrame("select 1", 'b', 'm'), 10, 0, 0, 0, 0, 0, 0, 0, 3), unsupported, "inject"},
		"alias":             {parseFrame("select s::str_upper('x')", 'b', 'm'), unknown, "function 's::str_upper' does not exist"},
		"too short":         {frame{'P', command("select 1", 'b', 'm')[:20]}, binary, "too early"},
		"too long":          {frame{'P', append(command("select 1", 'b', 'm'), 0)}, binary, "too many"},
		"text is no UTF-8":  {parseFrame("select '\xff'", 'b', 'm'), binary, "UTF-8"},
		"dump":              {frame{'>', nil}, unsupported, "dumps"},
		"legacy":            {frame{'Q', nil}, binary, "not supported"},
		"unknown message":   {frame{'?', nil}, 0x03010003, "unexpected message"},
		"handshake again":   {handshakeFrame(2, 0), 0x03010003, "unexpected message"},
		"missing arguments": {executeFrame("select <str>$0", 'b', 'm'), 0x03020100, "parameter type"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := raw(t, s, branchOf(t, dsn))
			// What follows an error is skipped up to Sync.
			c.send(t, tt.frame, executeFrame(insert, 'n', 'm'), syncFrame, executeFrame("select 1", 'j', 'm'), syncFrame)
			var found bool
			for _, f := range c.until(t, 'Z') {
				if f.typ == 'D' || f.typ == 'C' {
					t.Errorf("%s came after the error", f)
				}
				if f.typ == 'E' {
					found = true
					if code, message, _ := errorOf(t, f); code != tt.code || !strings.Contains(message, tt.message) {
						t.Errorf("error 0x%08x %q, want 0x%08x %q", code, message, tt.code, tt.message)
					}
				}
			}
			if !found {
				t.Error("there was no error")
			}
			types := ""
			for _, f := range c.until(t, 'Z') {
				types += string(f.typ)
			}
			if types != "TDCZ" {
				t.Errorf("the next command is answered with %s", types)
			}
		})
	}
}

// An Execute with the ids of other descriptors gets the right ones first.
func TestOutdatedDescriptors(t *testing.T) {
	s := edgedbtest.Shared(t)
	c := raw(t, s, "main")
	types := func(f frame) string {
		c.send(t, f, syncFrame)
		all := ""
		for _, f := range c.until(t, 'Z') {
			all += string(f.typ)
		}
		return all
	}
	if got := types(executeFrame("select 1", 'b', 'm')); got != "TDCZ" {
		t.Errorf("unknown output: %s", got)
	}
	c.send(t, parseFrame("select 1", 'b', 'm'), syncFrame)
	id := c.until(t, 'Z')[0].body[31:47]
	f := executeFrame("select 1", 'b', 'm')
	copy(f.body[len(f.body)-20:], id)
	if got := types(f); got != "DCZ" {
		t.Errorf("known output: %s", got)
	}
	if got := types(executeFrame("select <str>$0", 'b', 'm')); got != "TEZ" {
		t.Errorf("unknown input: %s", got)
	}
}

// limited is an Execute with an implicit limit.
func limited(text string, format byte, limit byte) frame {
	f := executeFrame(text, format, 'm')
	f.body[2+8+8+7] = limit
	return f
}

func TestFormats(t *testing.T) {
	s := edgedbtest.Shared(t)
	c := raw(t, s, "main")
	data := func(f frame) []string {
		c.send(t, f, syncFrame)
		var all []string
		for _, f := range c.until(t, 'Z') {
			if f.typ == 'D' {
				all = append(all, string(f.body[6:]))
			}
			if f.typ == 'E' {
				t.Errorf("%s", f)
			}
		}
		return all
	}
	one := string(binary.BigEndian.AppendUint64(nil, 1))
	two := string(binary.BigEndian.AppendUint64(nil, 2))
	tests := map[string]struct {
		frame frame
		want  []string
	}{
		"binary":               {executeFrame("select {1, 2}", 'b', 'm'), []string{one, two}},
		"JSON":                 {executeFrame("select {1, 2}", 'j', 'm'), []string{"[1, 2]"}},
		"JSON elements":        {executeFrame("select {1, 2}", 'J', 'm'), []string{"1", "2"}},
		"nothing":              {executeFrame("select {1, 2}", 'n', 'm'), nil},
		"one":                  {executeFrame("select 1", 'j', 'o'), []string{"1"}},
		"none in binary":       {executeFrame("select <int64>{}", 'b', 'm'), nil},
		"none in JSON":         {executeFrame("select <int64>{}", 'j', 'm'), []string{"[]"}},
		"none, one wanted":     {executeFrame("select <int64>{}", 'j', 'o'), nil},
		"none in elements":     {executeFrame("select <int64>{}", 'J', 'm'), nil},
		"limited":              {limited("select {1, 2}", 'b', 1), []string{one}},
		"limited in JSON":      {limited("select {1, 2}", 'j', 1), []string{"[1]"}},
		"a limit that is high": {limited("select {1, 2}", 'j', 3), []string{"[1, 2]"}},
	}
	for name, tt := range tests {
		if got := data(tt.frame); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Globals, settings and what a change of the schema does to the state of others.
func TestState(t *testing.T) {
	for _, protocol := range []edgedbtest.Protocol{edgedbtest.Protocol10, edgedbtest.Protocol20} {
		t.Run(protocol.String(), func(t *testing.T) { testState(t, started(t, edgedbtest.Config{Protocol: protocol})) })
	}
}

func testState(t *testing.T, s *edgedbtest.Server) {
	ctx := testContext(t)
	c, other := connect(t, s.DSN(), edgedb.Options{}), connect(t, s.DSN(), edgedb.Options{})
	var n int64
	if err := other.QuerySingle(ctx, text(t, "one"), &n); err != nil { // learns the type of the state
		t.Fatal(err)
	}
	run(t, c, "setup_tenant")
	tenant := func(c *edgedb.Client) string {
		t.Helper()
		var name edgedb.OptionalStr
		if err := c.QuerySingle(ctx, text(t, "tenant"), &name); err != nil && !strings.Contains(err.Error(), "NoDataError") {
			t.Error(err)
		}
		v, _ := name.Get()
		return v
	}
	// edgedb-go wraps what it wants to retry, and has no rule for.
	if err := other.QuerySingle(ctx, text(t, "one"), &n); err == nil || !strings.Contains(err.Error(), "stateMismatchError") {
		t.Errorf("error %v, want stateMismatchError", err)
	}
	if err := other.QuerySingle(ctx, text(t, "one"), &n); err != nil {
		t.Errorf("after the new type has come: %v", err)
	}
	acme := other.WithGlobals(map[string]any{"default::tenant": "acme"})
	if got := tenant(acme); got != "acme" {
		t.Errorf("the tenant is %q", got)
	}
	if got := tenant(other); got != "" {
		t.Errorf("without a global the tenant is %q", got)
	}
	setting := func(c *edgedb.Client) string {
		var v edgedb.OptionalStr
		if err := c.QuerySingle(ctx, text(t, "setting"), &v); err != nil {
			t.Error(err)
		}
		s, _ := v.Get()
		return s
	}
	if got := setting(c); got != "PT0S" {
		t.Errorf("the setting is %q", got)
	}
	for d, want := range map[time.Duration]string{
		12345 * time.Millisecond: "PT12.345S", time.Hour + 2*time.Second: "PT1H2S", time.Minute: "PT1M",
		5 * time.Microsecond: "PT0.000005S", 90 * time.Second: "PT1M30S",
	} {
		view := c.WithConfig(map[string]any{"query_execution_timeout": edgedb.Duration(d.Microseconds())})
		if got := setting(view); got != want {
			t.Errorf("the setting is %q, want %q", got, want)
		}
	}
}

// query_execution_timeout ends a statement, in a transaction or outside of one,
// and no other's.
func TestTimeoutSetting(t *testing.T) {
	c := connect(t, edgedbtest.Shared(t).DSN(), edgedb.Options{})
	hasty := c.WithConfig(map[string]any{"query_execution_timeout": edgedb.Duration(20000)})
	ctx := testContext(t)
	var n int64
	slow := func(q interface {
		QuerySingle(t2, string, any, ...any) error
	}, size int64) error {
		return q.QuerySingle(ctx, text(t, "slow"), &n, size)
	}
	wantEdgeDB(t, slow(hasty, 6000), "QueryTimeoutError")
	if err := slow(c, 500); err != nil {
		t.Errorf("after a statement with a timeout: %v", err)
	}
	if err := slow(hasty, 10); err != nil {
		t.Errorf("a fast one: %v", err)
	}
	err := hasty.Tx(ctx, func(_ t2, tx *edgedb.Tx) error { return slow(tx, 6000) })
	wantEdgeDB(t, err, "QueryTimeoutError")
	if err := slow(c, 500); err != nil {
		t.Errorf("after a transaction with a timeout: %v", err)
	}
}

// Each branch has its own data; statements prepared before the schema was made
// anew are not used any more.
func TestSchemaMadeAnew(t *testing.T) {
	_, dsn := branch(t)
	a, b := connect(t, dsn, edgedb.Options{}), connect(t, dsn, edgedb.Options{})
	ctx := testContext(t)
	for round := range 3 {
		for _, c := range []*edgedb.Client{a, b} {
			if err := c.Execute(ctx, text(t, "insert_red"), "ada", int64(1)); err != nil && round == 0 {
				t.Log(err)
			}
			var account struct {
				ID      edgedb.UUID        `edgedb:"id"`
				Name    string             `edgedb:"name"`
				Balance int64              `edgedb:"balance"`
				Note    edgedb.OptionalStr `edgedb:"note"`
				Color   edgedb.OptionalStr `edgedb:"color"`
				Tags    []string           `edgedb:"tags"`
			}
			if err := c.QuerySingle(ctx, text(t, "account"), &account, "ada"); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if color, _ := account.Color.Get(); color != "Red" || !slices.Equal(account.Tags, []string{"x", "y"}) {
				t.Errorf("round %d: %+v", round, account)
			}
		}
		run(t, a, "drop_claim", "drop_transfer", "drop_account", "drop_color", "drop_tenant", "drop_commit_token")
		if err := b.Execute(ctx, text(t, "insert_red"), "ada", int64(1)); err == nil {
			t.Error("an account was inserted without a schema")
		}
		setUp(t, a)
		_ = b.Execute(ctx, text(t, "one")) // learns the type of the state
	}
}

// A statement that was prepared before its columns' types changed behind the
// server's back is prepared again.
func TestStalePlan(t *testing.T) {
	s, dsn := branch(t)
	c := connect(t, dsn, edgedb.Options{})
	ctx := testContext(t)
	if err := c.Execute(ctx, text(t, "insert_red"), "ada", int64(1)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		var out []byte
		if err := c.QuerySingleJSON(ctx, text(t, "account"), &out, "ada"); err != nil || !strings.Contains(string(out), "Red") {
			t.Fatalf("%s, %v", out, err)
		}
		pg, err := pgtest.Shared(t).Connect(ctx, s.Database(dsn))
		if err != nil {
			t.Fatal(err)
		}
		const sql = "ALTER TYPE duet_conformance.color RENAME TO old; CREATE TYPE duet_conformance.color AS ENUM ('Red'); " +
			"ALTER TABLE duet_conformance.account ALTER color TYPE duet_conformance.color USING color::text::duet_conformance.color; " +
			"DROP TYPE duet_conformance.old"
		if _, err := pg.Exec(ctx, sql); err != nil {
			t.Error(err)
		}
		pg.Close()
	}
}
