package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"
)

// What cannot work is found before anything is dialled, and no value is shown.
func TestConfigErrors(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wire.Config)
		want   string
	}{
		"no address":        {func(c *wire.Config) { c.Address = "" }, "Address"},
		"no network":        {func(c *wire.Config) { c.Network = "" }, "Network"},
		"no user":           {func(c *wire.Config) { c.User = "" }, "User"},
		"NUL in user":       {func(c *wire.Config) { c.User = "s3cret\x00database\x00postgres" }, "User"},
		"NUL in database":   {func(c *wire.Config) { c.Database = "s3cret\x00" }, "Database"},
		"NUL in value":      {func(c *wire.Config) { c.Params = map[string]string{"options": "s3cret\x00user\x00postgres"} }, `"options"`},
		"NUL in key":        {func(c *wire.Config) { c.Params = map[string]string{"a\x00user": "s3cret"} }, `"a\x00user"`},
		"empty key":         {func(c *wire.Config) { c.Params = map[string]string{"": "s3cret"} }, "empty"},
		"user as parameter": {func(c *wire.Config) { c.Params = map[string]string{"user": "s3cret"} }, `"user"`},
		"database as parameter": {
			func(c *wire.Config) { c.Params = map[string]string{"database": "s3cret"} }, `"database"`},
		"too long": {
			func(c *wire.Config) { c.Params = map[string]string{"application_name": strings.Repeat("s3cret", 2000)} }, "at most 10000"},
		"direct with prefer":    {func(c *wire.Config) { c.TLSDirect, c.TLS = true, wire.TLSPrefer }, "TLSDirect"},
		"binding without TLS":   {func(c *wire.Config) { c.ChannelBinding = wire.ChannelBindingRequire }, "channel binding"},
		"unknown method":        {func(c *wire.Config) { c.RequireAuth = []string{"kerberos"} }, `"kerberos"`},
		"mixed methods":         {func(c *wire.Config) { c.RequireAuth = []string{"md5", "!none"} }, "mixes"},
		"protocol out of order": {func(c *wire.Config) { c.MinProtocol = wire.Protocol32 }, "MinProtocol"},
		"protocol 4":            {func(c *wire.Config) { c.MaxProtocol = 4 << 16 }, "MaxProtocol"},
		"iterations":            {func(c *wire.Config) { c.MinSCRAMIterations, c.MaxSCRAMIterations = 10, 9 }, "SCRAMIterations"},
		"negative iterations":   {func(c *wire.Config) { c.MaxSCRAMIterations = -1 }, "SCRAMIterations"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := fakeConfig(nil)
			cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) {
				t.Error("dialled")
				return nil, errors.New("dialled")
			}
			c.change(cfg)
			_, err := wire.Handshake(bounded(t), cfg)
			e, ok := errors.AsType[*wire.ConnectError](err)
			if !ok || e.Stage != wire.StageConfig || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want a configuration error with %q", err, c.want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows a value: %v", err)
			}
		})
	}
}

func TestConfigErrorsTogether(t *testing.T) {
	_, err := wire.Handshake(bounded(t), &wire.Config{RequireAuth: []string{"kerberos"}})
	for _, want := range []string{"Address", "User", "kerberos"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestConfigPrintsNoPassword(t *testing.T) {
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(format, fakeConfig(nil)); strings.Contains(text, rightPassword) {
			t.Errorf("%s shows the password: %s", format, text)
		}
	}
}

func TestStartupMessage(t *testing.T) {
	var first []byte
	conn := newFakeConn(nil)
	conn.answer = func(written []byte) []byte { first = append(first, written...); return cat(authOk, ready) }
	cfg := fakeConfig(conn)
	cfg.Database = "db"
	cfg.Params = map[string]string{"application_name": "x=y", "options": ""}
	if _, err := wire.Handshake(bounded(t), cfg); err != nil {
		t.Fatal(err)
	}
	var got pgproto3.StartupMessage
	if err := got.Decode(first[4:]); err != nil {
		t.Fatal(err)
	}
	want := pgproto3.StartupMessage{ProtocolVersion: wire.Protocol30, Parameters: map[string]string{
		"user": "user", "database": "db", "application_name": "x=y", "options": "",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(cfg.Params) != 2 {
		t.Errorf("the Config was changed: %v", cfg.Params)
	}
}

func TestServerError(t *testing.T) {
	response := encode(&pgproto3.ErrorResponse{
		Severity: "FEHLER", SeverityUnlocalized: "ERROR", Code: "23505", Message: "message", Detail: "Key (a)=(s3cret)",
		Hint: "hint", Position: 3, InternalPosition: 4, InternalQuery: "query", Where: "where", SchemaName: "schema",
		TableName: "table", ColumnName: "column", DataTypeName: "type", ConstraintName: "constraint",
		File: "file", Line: 5, Routine: "routine", UnknownFields: map[byte]string{'?': "new"},
	})
	_, err := wire.Handshake(bounded(t), fakeConfig(newFakeConn(response)))
	got, ok := errors.AsType[*wire.ServerError](err)
	if !ok {
		t.Fatal(err)
	}
	want := &wire.ServerError{
		Severity: "ERROR", Code: "23505", Message: "message", Detail: "Key (a)=(s3cret)", Hint: "hint", Position: 3,
		InternalPosition: 4, InternalQuery: "query", Where: "where", Schema: "schema", Table: "table", Column: "column",
		DataType: "type", Constraint: "constraint", File: "file", Line: 5, Routine: "routine",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if want := "ERROR: message (SQLSTATE 23505)"; got.Error() != want {
		t.Errorf("got %q, want %q", got.Error(), want)
	}
}

func TestNotices(t *testing.T) {
	var texts []string
	cfg := fakeConfig(newFakeConn(cat(message('N', "Mone\x00\x00"), authOk, message('N', "Mtwo\x00\x00"), ready)))
	cfg.OnNotice = func(n *pgproto3.NoticeResponse) { texts = append(texts, n.Message) }
	if _, err := wire.Handshake(bounded(t), cfg); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one", "two"}, texts); diff != "" {
		t.Error(diff)
	}
}
