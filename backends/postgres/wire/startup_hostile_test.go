package wire_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/jackc/pgx/v5/pgproto3"
)

// frame makes a message with any length field.
func frame(typ byte, length uint32, body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{typ}, length), body...)
}

func message(typ byte, body string) []byte { return frame(typ, uint32(len(body)+4), body) }

var (
	askSASL      = encode(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
	askCleartext = encode(&pgproto3.AuthenticationCleartextPassword{})
)

// hostileStartups are what a server may say, and what must be in the error.
var hostileStartups = map[string]struct {
	bytes []byte
	want  string
}{
	"nothing":                      {nil, "closed the connection"},
	"length 0":                     {frame('R', 0, ""), "announces a length of 0"},
	"length 3":                     {frame('R', 3, ""), "announces a length of 3"},
	"length of 4 GiB":              {frame('R', 0xffffffff, ""), "announces a length of 4294967295"},
	"length of 2 GiB":              {frame('N', 0x7fffffff, ""), "announces a length of"},
	"another protocol":             {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "announces a length"},
	"unknown message":              {message('?', "what"), "'?'"},
	"request of 3 bytes":           {message('R', "\x00\x00\x00"), "request of 3 bytes"},
	"unknown request":              {message('R', "\x00\x00\x00\x63"), "unknown authentication method 99"},
	"kerberos":                     {message('R', "\x00\x00\x00\x02"), "not supported"},
	"gss":                          {message('R', "\x00\x00\x00\x07"), "not supported"},
	"sspi":                         {message('R', "\x00\x00\x00\x09"), "not supported"},
	"md5 with a short salt":        {message('R', "\x00\x00\x00\x05abc"), "MD5 password of 7 bytes"},
	"md5 with a long salt":         {message('R', "\x00\x00\x00\x05abcde"), "MD5 password of 9 bytes"},
	"cleartext twice":              {cat(askCleartext, askCleartext), "out of turn"},
	"cleartext, then md5":          {cat(askCleartext, encode(&pgproto3.AuthenticationMD5Password{})), "out of turn"},
	"cleartext, then SASL":         {cat(askCleartext, askSASL), "out of turn"},
	"SASL twice":                   {cat(askSASL, askSASL), "out of turn"},
	"SASL continued from nothing":  {encode(&pgproto3.AuthenticationSASLContinue{Data: []byte("r=a,s=b,i=1")}), "out of turn"},
	"SASL ended from nothing":      {encode(&pgproto3.AuthenticationSASLFinal{Data: []byte("v=a")}), "out of turn"},
	"SASL ended at once":           {cat(askSASL, encode(&pgproto3.AuthenticationSASLFinal{Data: []byte("v=a")})), "out of turn"},
	"SASL without mechanisms":      {message('R', "\x00\x00\x00\x0a\x00"), "not among them"},
	"SASL with no list":            {message('R', "\x00\x00\x00\x0a"), "not among them"},
	"SASL list without end":        {message('R', "\x00\x00\x00\x0aSCRAM-SHA-256"), "without its end"},
	"SASL with others":             {encode(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"OAUTHBEARER", strings.Repeat("x", 9999)}}), "OAUTHBEARER"},
	"PLUS without TLS":             {encode(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}}), "without TLS"},
	"ok before the proof":          {cat(askSASL, authOk, ready), "without proving"},
	"parameters before ok":         {message('S', "a\x00b\x00"), "where an authentication request was expected"},
	"ready before ok":              {ready, "where an authentication request was expected"},
	"a row before ready":           {cat(authOk, message('D', "\x00\x00")), "'D' before the connection was ready"},
	"ok twice":                     {cat(authOk, authOk), "'R' before the connection was ready"},
	"parameter without end":        {cat(authOk, message('S', "a\x00b")), "without its end"},
	"parameter without value":      {cat(authOk, message('S', "a\x00")), "without its end"},
	"empty parameter":              {cat(authOk, message('S', "")), "without its end"},
	"key of 3 bytes":               {cat(authOk, message('K', "pidxabc")), "key of 3 bytes"},
	"no key at all":                {cat(authOk, message('K', "pi")), "key of 0 bytes"},
	"key of 257 bytes":             {cat(authOk, message('K', strings.Repeat("k", 261))), "key of 257 bytes"},
	"ready in a transaction":       {cat(authOk, message('Z', "T")), "not idle"},
	"ready in a failure":           {cat(authOk, message('Z', "E")), "not idle"},
	"ready without status":         {cat(authOk, message('Z', "")), "not idle"},
	"ready with two":               {cat(authOk, message('Z', "II")), "not idle"},
	"error without anything":       {message('E', ""), "error message without its end"},
	"error without end":            {message('E', "SFATAL\x00C28000\x00Mno"), "error message without its end"},
	"error without last NUL":       {message('E', "SFATAL\x00C57P03\x00Mno\x00"), "error message without its end"},
	"error without fields":         {message('E', "\x00"), "without a message"},
	"error without severity":       {message('E', "C57P03\x00Mnot now\x00\x00"), "not now (SQLSTATE 57P03)"},
	"error with a short code":      {message('E', "C2\x00Mnot now\x00\x00"), "not now"},
	"error after ok":               {cat(authOk, message('E', "VFATAL\x00C53300\x00Mtoo many\x00\x00")), "FATAL: too many (SQLSTATE 53300)"},
	"notice without end":           {message('N', "Mhello"), "notice without its end"},
	"notices for ever":             {bytes.Repeat(message('N', "Mhello\x00\x00"), 2000), "more than 1000 messages"},
	"large notices":                {bytes.Repeat(message('N', "M"+strings.Repeat("x", 60_000)+"\x00\x00"), 10), "more than 1000 messages or 262144 bytes"},
	"parameters for ever":          {cat(authOk, bytes.Repeat(message('S', "a\x00b\x00"), 2000)), "more than 1000 messages"},
	"version without options":      {message('v', "\x00\x00\x00\x00"), "cannot be read"},
	"version, a lie about options": {message('v', "\x00\x00\x00\x00\x7f\xff\xff\xff"), "cannot be read"},
	"version of the future":        {message('v', "\x00\x04\x00\x00\x00\x00\x00\x00"), "newer than the one asked for"},
	"version twice":                {cat(message('v', "\x00\x03\x00\x00\x00\x00\x00\x00"), message('v', "\x00\x03\x00\x00\x00\x00\x00\x00")), "'v' where"},
	"version after a password":     {cat(askCleartext, message('v', "\x00\x03\x00\x00\x00\x00\x00\x00")), "'v' where"},
	"options that we did not ask":  {message('v', "\x00\x03\x00\x00\x00\x00\x00\x01_pq_.x\x00"), "_pq_.x"},
}

func TestHostileStartup(t *testing.T) {
	checkLeaks(t)
	for name, c := range hostileStartups {
		t.Run(name, func(t *testing.T) {
			conn := newFakeConn(c.bytes)
			_, err := wire.Handshake(bounded(t), fakeConfig(conn))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
			if len(err.Error()) > 2000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			checkFailure(t, err, conn)
		})
	}
}

// checkFailure holds what is true of every failure.
func checkFailure(t *testing.T, err error, conn *fakeConn) {
	t.Helper()
	if e, ok := errors.AsType[*wire.ConnectError](err); !ok || e.Address == "" || e.Stage == "" {
		t.Errorf("not a *ConnectError: %v", err)
	}
	if strings.Contains(err.Error(), rightPassword) {
		t.Errorf("the error shows the password: %v", err)
	}
	if !conn.isClosed() {
		t.Error("the socket is open")
	}
}

func TestUnusualStartup(t *testing.T) {
	checkLeaks(t)
	for name, c := range map[string]struct {
		bytes []byte
		check func(*wire.Session) bool
	}{
		"no cancel key":   {cat(authOk, ready), func(s *wire.Session) bool { _, k := s.Key(); return k == nil }},
		"a long key":      {cat(authOk, message('K', "pidx"+strings.Repeat("k", 256)), ready), func(s *wire.Session) bool { _, k := s.Key(); return len(k) == 256 }},
		"an agreed 3.0":   {cat(message('v', "\x00\x00\x00\x00\x00\x00\x00\x00"), authOk, ready), func(s *wire.Session) bool { return s.Protocol() == wire.Protocol30 }},
		"a whole version": {cat(message('v', "\x00\x03\x00\x00\x00\x00\x00\x00"), authOk, ready), func(s *wire.Session) bool { return s.Protocol() == wire.Protocol30 }},
		"notices between": {cat(message('N', "\x00"), authOk, message('N', "Mhello\x00\x00"), ready), func(*wire.Session) bool { return true }},
		"bytes after it": {cat(authOk, ready, message('N', "Mlater\x00\x00")), func(s *wire.Session) bool {
			typ, body, err := s.Next()
			return typ == 'N' && len(body) == 8 && err == nil
		}},
		"a large one then": {cat(authOk, ready, message('D', strings.Repeat("x", 100_000))), func(s *wire.Session) bool { _, body, err := s.Next(); return len(body) == 100_000 && err == nil }},
	} {
		for _, chunk := range []int{0, 1, 7} {
			t.Run(name, func(t *testing.T) {
				conn := newFakeConn(c.bytes)
				conn.chunk = chunk
				_ = conn.SetDeadline(time.Now().Add(time.Hour)) // as a DialFunc may leave it
				s, err := wire.Handshake(bounded(t), fakeConfig(conn))
				if err != nil {
					t.Fatal(err)
				}
				if conn.isClosed() {
					t.Error("the socket is closed")
				}
				if !conn.deadline.IsZero() {
					t.Errorf("the deadline %v is left", conn.deadline)
				}
				if !c.check(s) {
					t.Error("the session is not as expected")
				}
			})
		}
	}
}

func TestHostileSCRAM(t *testing.T) {
	checkLeaks(t)
	replace := func(at int, with string) func(int, []byte) []byte {
		return func(step int, reply []byte) []byte {
			if step == at {
				return message('R', with)
			}
			return reply
		}
	}
	edit := func(at int, from, to string) func(int, []byte) []byte {
		return func(step int, reply []byte) []byte {
			if step != at {
				return reply
			}
			body := bytes.Replace(reply[5:], []byte(from), []byte(to), 1)
			return message('R', string(body))
		}
	}
	for name, c := range map[string]struct {
		server scramServer
		want   string
	}{
		"2^31 iterations":          {scramServer{tamper: edit(1, "i=4096", "i=2147483647")}, "2147483647 iterations"},
		"one iteration too many":   {scramServer{tamper: edit(1, "i=4096", "i=1000001")}, "1000001 iterations"},
		"no iterations":            {scramServer{tamper: edit(1, "i=4096", "i=0")}, "too few"},
		"negative iterations":      {scramServer{tamper: edit(1, "i=4096", "i=-1")}, "too few"},
		"iterations in words":      {scramServer{tamper: edit(1, "i=4096", "i=many")}, "challenge"},
		"iterations beyond 64 bit": {scramServer{tamper: edit(1, "i=4096", "i=99999999999999999999")}, "challenge"},
		"another nonce":            {scramServer{tamper: edit(1, "r=", "r=x")}, "nonce"},
		"an extension":             {scramServer{tamper: edit(1, "r=", "m=x,r=")}, "extensions"},
		"a salt that is no base64": {scramServer{tamper: edit(1, "s=", "s=!")}, "challenge"},
		"an empty challenge":       {scramServer{tamper: replace(1, "\x00\x00\x00\x0b")}, "challenge"},
		"a huge field":             {scramServer{tamper: replace(1, "\x00\x00\x00\x0b"+strings.Repeat("y", 60_000))}, "challenge"},
		"no proof of the server":   {scramServer{tamper: replace(2, "\x00\x00\x00\x00")}, "without proving"},
		"a wrong proof":            {scramServer{tamper: replace(2, "\x00\x00\x00\x0cv=AAAA")}, "did not prove"},
		"an empty proof":           {scramServer{tamper: replace(2, "\x00\x00\x00\x0cv=")}, "did not prove"},
		"an error for a proof":     {scramServer{tamper: replace(2, "\x00\x00\x00\x0ce=other-error")}, "did not prove"},
		"a second challenge":       {scramServer{tamper: replace(2, "\x00\x00\x00\x0br=a,s=b,i=1")}, "out of turn"},
		"another password":         {scramServer{password: "another"}, "28P01"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := newFakeConn(nil)
			conn.answer = c.server.answer
			_, err := wire.Handshake(bounded(t), fakeConfig(conn))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
			checkFailure(t, err, conn)
		})
	}
}

func TestSCRAMIterations(t *testing.T) {
	for _, c := range []struct {
		asked, least, most int
		ok                 bool
	}{
		{1, 0, 0, true},
		{4096, 4096, 0, true},
		{4095, 4096, 0, false},
		{5000, 0, 4999, false},
		{5000, 0, 5000, true},
	} {
		conn := newFakeConn(nil)
		conn.answer = (&scramServer{iterations: c.asked}).answer
		cfg := fakeConfig(conn)
		cfg.MinSCRAMIterations, cfg.MaxSCRAMIterations = c.least, c.most
		if _, err := wire.Handshake(bounded(t), cfg); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestHostileTLSAnswer(t *testing.T) {
	checkLeaks(t)
	for name, c := range map[string]struct {
		bytes string
		want  string
	}{
		"no answer":           {"", "closed the connection"},
		"no TLS":              {"N", "does not support TLS"},
		"garbage":             {"H", "'H'"},
		"an error message":    {string(message('E', "SFATAL\x00Mbuy from example.org\x00\x00")), "answers the request for TLS with an error"},
		"bytes behind S":      {"S" + string(authOk), "unencrypted bytes follow"},
		"bytes behind N":      {"N" + string(authOk), "unencrypted bytes follow"},
		"plain after S":       {"S", "closed the connection"},
		"an HTTP server":      {"HTTP/1.1 400 Bad Request\r\n", "not 'S' or 'N'"},
		"a one-byte stuffing": {"SR", "unencrypted bytes follow"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := newFakeConn([]byte(c.bytes))
			cfg := fakeConfig(conn)
			cfg.TLS = wire.TLSRequire
			_, err := wire.Handshake(bounded(t), cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "buy from") {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
			if e, _ := errors.AsType[*wire.ConnectError](err); e.Stage != wire.StageTLS {
				t.Errorf("the stage is %q", e.Stage)
			}
			checkFailure(t, err, conn)
		})
	}
	t.Run("bytes behind S, later", func(t *testing.T) {
		conn := newFakeConn(cat([]byte("S"), authOk, ready))
		conn.chunk = 1
		cfg := fakeConfig(conn)
		cfg.TLS = wire.TLSRequire
		_, err := wire.Handshake(bounded(t), cfg)
		if err == nil || !strings.Contains(err.Error(), "tls:") {
			t.Fatalf("got %v", err)
		}
		checkFailure(t, err, conn)
	})
}

// A server that says nothing more is left when ctx ends, wherever that is.
func TestSilentServer(t *testing.T) {
	checkLeaks(t)
	whole := cat(encode(&pgproto3.AuthenticationCleartextPassword{}), authOk, ending())
	for cut := range len(whole) {
		conn := newFakeConn(whole[:cut])
		conn.silent = true
		ctx, cancel := context.WithCancel(t.Context())
		conn.onEmpty = cancel
		_, err := wire.Handshake(ctx, fakeConfig(conn))
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("silent after %d of %d bytes: %v", cut, len(whole), err)
		}
		checkFailure(t, err, conn)
	}
	conn := newFakeConn(nil)
	conn.silent = true
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	cfg := fakeConfig(conn)
	cfg.TLS = wire.TLSPrefer
	if _, err := wire.Handshake(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deadline while waiting for the answer about TLS: %v", err)
	}
	checkClosed(t, conn)
	cause := errors.New("shutting down")
	ctx2, cancel2 := context.WithCancelCause(t.Context())
	conn = newFakeConn(nil)
	conn.silent = true
	conn.onEmpty = func() { cancel2(cause) }
	if _, err := wire.Handshake(ctx2, fakeConfig(conn)); !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("a cause: %v", err)
	}
	// No goroutine may be left, and no attempt may be made, for a dead ctx.
	cfg = fakeConfig(nil)
	if _, err := wire.Handshake(ctx2, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("a dead ctx: %v", err)
	}
}

func checkClosed(t *testing.T, conn *fakeConn) {
	t.Helper()
	if !conn.isClosed() {
		t.Error("the socket is open")
	}
}

// Every cut of a SCRAM exchange is an error, and every split of it is none.
func TestCutSCRAM(t *testing.T) {
	checkLeaks(t)
	most := 0
	for chunk := range 4 {
		conn := newFakeConn(nil)
		conn.answer, conn.chunk = (&scramServer{iterations: 1}).answer, chunk
		if _, err := wire.Handshake(bounded(t), fakeConfig(conn)); err != nil {
			t.Fatalf("in pieces of %d bytes: %v", chunk, err)
		}
		most = conn.read
	}
	for cut := range most {
		sent := 0
		server := &scramServer{iterations: 1, tamper: func(_ int, reply []byte) []byte {
			reply = reply[:min(len(reply), cut-sent)]
			sent += len(reply)
			return reply
		}}
		conn := newFakeConn(nil)
		conn.answer = server.answer
		_, err := wire.Handshake(bounded(t), fakeConfig(conn))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut after %d of %d bytes: %v", cut, most, err)
		}
		checkFailure(t, err, conn)
	}
}

// A user's function that panics leaves no open socket behind.
func TestPanicInPassword(t *testing.T) {
	checkLeaks(t)
	conn := newFakeConn(encode(&pgproto3.AuthenticationCleartextPassword{}))
	cfg := fakeConfig(conn)
	cfg.Password = func(context.Context) (string, error) { panic("boom") }
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
		checkClosed(t, conn)
	}()
	_, _ = wire.Handshake(t.Context(), cfg)
}

// A server that has left may have said why before, which is better to know than
// that nothing can be written any more.
func TestBrokenWrite(t *testing.T) {
	checkLeaks(t)
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"no reason":     {nil, "broken pipe"},
		"a reason":      {message('E', "VFATAL\x00C53300\x00Mtoo many\x00\x00"), "too many"},
		"some nonsense": {ready, "broken pipe"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := newFakeConn(c.bytes)
			conn.broken = syscall.EPIPE
			_, err := wire.Handshake(bounded(t), fakeConfig(conn))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
			checkFailure(t, err, conn)
		})
	}
}
