package edgedbtest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/edgedb/edgedb-go"
)

// wantEdgeDB holds an error of edgedb-go against a name of EdgeDB's.
func wantEdgeDB(t testing.TB, err error, name string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "edgedb."+name+":") {
		t.Errorf("error %v, want %s", err, name)
	}
}

func TestLoginRefused(t *testing.T) {
	s := edgedbtest.Shared(t)
	with := func(change func(*url.URL)) string {
		u, err := url.Parse(s.DSN())
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	tests := map[string]struct{ dsn, want string }{
		"wrong password": {with(func(u *url.URL) { u.User = url.UserPassword(s.User(), "x"+s.Password()) }), "AuthenticationError"},
		"unknown user":   {with(func(u *url.URL) { u.User = url.UserPassword("nobody", s.Password()) }), "AuthenticationError"},
		"unknown branch": {s.DSNFor("nosuch"), "UnknownDatabaseError"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before := s.Connections("")
			c := connect(t, tt.dsn, edgedb.Options{})
			err := c.EnsureConnected(testContext(t))
			wantEdgeDB(t, err, tt.want)
			if strings.Contains(err.Error(), s.Password()) {
				t.Errorf("the error %v tells the password", err)
			}
			if now := s.Connections(""); now.Opened != before.Opened {
				t.Errorf("%d connections more are counted", now.Opened-before.Opened)
			}
		})
	}
}

// Both parameters name the branch; the default one may be asked for as such.
func TestLoginBranch(t *testing.T) {
	s := edgedbtest.Shared(t)
	for _, params := range [][]string{
		{"branch", "main"}, {"database", "main"}, {"database", "main", "branch", "__default__"},
		{"branch", "__default__"}, {"database", "edgedb"},
	} {
		got := dialRaw(t, s).login(t, handshakeFrame(2, 0, append(params, "user", s.User())...), s.User(), s.Password())
		if last := got[len(got)-1]; last.typ != 'Z' {
			t.Errorf("%v: %s", params, last)
		}
	}
}

// A client gets the version that it asks for, or the nearest one.
func TestVersions(t *testing.T) {
	for _, protocol := range []edgedbtest.Protocol{edgedbtest.Protocol10, edgedbtest.Protocol20} {
		s := started(t, edgedbtest.Config{Protocol: protocol})
		for _, tt := range []struct{ major, minor, want10, want20 uint16 }{
			{0, 13, 1, 1}, {1, 0, 1, 1}, {2, 0, 1, 2}, {2, 7, 1, 2}, {3, 0, 1, 2},
		} {
			want := tt.want20
			if protocol == edgedbtest.Protocol10 {
				want = tt.want10
			}
			got := dialRaw(t, s).login(t, handshakeFrame(tt.major, tt.minor, "user", s.User(), "branch", "main"), s.User(), s.Password())
			if last := got[len(got)-1]; last.typ != 'Z' {
				t.Fatalf("the login ended with %s", last)
			}
			negotiated := got[0].typ == 'v'
			if agreed := tt.major == want && tt.minor == 0; negotiated == agreed {
				t.Errorf("server %s, client %d.%d: the first answer is %s", protocol, tt.major, tt.minor, got[0])
			}
			if body := (builder{}).u16(want).u16(0).u16(0); negotiated && !bytes.Equal(got[0].body, body) {
				t.Errorf("server %s, client %d.%d: ServerHandshake %x, want %x", protocol, tt.major, tt.minor, got[0].body, body)
			}
		}
	}
}

func TestBadLogins(t *testing.T) {
	s := edgedbtest.Shared(t)
	good := handshakeFrame(2, 0, "user", s.User(), "branch", "main")
	sasl := func(mechanism, data string) frame { return frame{'p', builder{}.text(mechanism).text(data)} }
	first := sasl("SCRAM-SHA-256", "n,,n=edgedb,r=0123456789")
	const protocol, authentication = 0x03010000, 0x07010000
	tests := map[string]struct {
		frames []frame
		code   uint32
	}{
		"no handshake":         {[]frame{parseFrame("select 1", 'b', 'm')}, protocol},
		"no user":              {[]frame{handshakeFrame(2, 0, "branch", "main")}, protocol},
		"no branch":            {[]frame{handshakeFrame(2, 0, "user", "edgedb")}, protocol},
		"extensions":           {[]frame{{'V', builder{}.u16(2).u16(0).u16(0).u16(1)}}, protocol},
		"short handshake":      {[]frame{{'V', []byte{0, 2}}}, protocol},
		"long handshake":       {[]frame{{'V', append(bytes.Clone(good.body), 0)}}, protocol},
		"no UTF-8":             {[]frame{handshakeFrame(2, 0, "user", "\xff", "branch", "main")}, protocol},
		"many parameters":      {[]frame{{'V', builder{}.u16(2).u16(0).u16(65535)}}, protocol},
		"long length":          {[]frame{{'V', builder{}.u16(2).u16(0).u16(1).u32(1<<32 - 1)}}, protocol},
		"no SASL":              {[]frame{good, parseFrame("select 1", 'b', 'm')}, protocol},
		"other mechanism":      {[]frame{good, sasl("SCRAM-SHA-1", "n,,n=edgedb,r=0123456789")}, protocol},
		"no first message":     {[]frame{good, sasl("SCRAM-SHA-256", "")}, protocol},
		"bound to the channel": {[]frame{good, sasl("SCRAM-SHA-256", "p=tls-unique,,n=edgedb,r=0123456789")}, protocol},
		"garbage for a proof":  {[]frame{good, first, {'r', builder{}.text("xyz")}}, protocol},
		"no proof":             {[]frame{good, first, {'r', nil}}, protocol},
		"first message twice":  {[]frame{good, first, first}, protocol},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, s)
			c.send(t, tt.frames...)
			code, message, _ := errorOf(t, c.until(t, 'E')[len(tt.frames)-1])
			if code != tt.code {
				t.Errorf("error 0x%08x %q, want 0x%08x", code, message, tt.code)
			}
			c.closed(t)
		})
	}
}

// Who speaks no TLS is told so in the protocol's own words; who does not ask for
// the protocol within TLS is not served.
func TestNoTLS(t *testing.T) {
	s := edgedbtest.Shared(t)
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(limit))
	f := handshakeFrame(2, 0, "user", s.User(), "branch", "main")
	if _, err := nc.Write(message(f.typ, f.body)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(nc)
	if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	if !bytes.Contains(answer, []byte("TLS Required")) {
		t.Errorf("the answer %q does not ask for TLS", answer)
	}
	for _, protos := range [][]string{nil, {"http/1.1"}, {"postgresql"}} {
		nc, err := tls.Dial("tcp", s.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: protos})
		if err != nil {
			continue // refused within TLS
		}
		_ = nc.SetDeadline(time.Now().Add(limit))
		_, _ = nc.Write(message(f.typ, f.body))
		answer, _ := io.ReadAll(nc)
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 400")) {
			t.Errorf("ALPN %q: the answer is %q", protos, answer)
		}
		nc.Close()
	}
}

// A client that verifies the certificate by the file of the DSN gets in; one
// that knows nothing of it does not.
func TestCertificate(t *testing.T) {
	s := edgedbtest.Shared(t)
	if err := connect(t, s.DSN(), edgedb.Options{}).EnsureConnected(testContext(t)); err != nil {
		t.Error(err)
	}
	u, _ := url.Parse(s.DSN())
	u.RawQuery = ""
	ctx, cancel := context.WithTimeout(testContext(t), 5*time.Second)
	defer cancel()
	if err := connect(t, u.String(), edgedb.Options{}).EnsureConnected(ctx); err == nil {
		t.Error("an unknown certificate was trusted")
	}
	u.RawQuery = "tls_security=insecure"
	if err := connect(t, u.String(), edgedb.Options{}).EnsureConnected(testContext(t)); err != nil {
		t.Error(err)
	}
}
