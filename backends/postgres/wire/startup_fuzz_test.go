package wire_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/jackc/pgx/v5/pgproto3"
)

// noncePlace stands, in the fuzzed bytes, for the client's nonce, which has the
// same length: without it no SCRAM exchange would get past its first message.
const noncePlace = "<the nonce that the client sent>"

// The bits of the fuzzed mode.
const (
	fuzzPrefer = 1 << iota
	fuzzRequireSCRAM
	fuzzBindingRequire
	fuzzByteByByte
	fuzzProtocol32
)

// FuzzStartup lets a server say anything. It must end, with a closed socket or
// with a session that the bytes allow for, and cost little memory.
func FuzzStartup(f *testing.F) {
	sasl := encode(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
	challenge := encode(&pgproto3.AuthenticationSASLContinue{Data: []byte("r=" + noncePlace + "x,s=c2FsdA==,i=1")})
	final := encode(&pgproto3.AuthenticationSASLFinal{Data: []byte("v=AAAA")})
	for _, seed := range [][]byte{
		cat(authOk, ending()),
		cat(encode(&pgproto3.AuthenticationCleartextPassword{}), authOk, ready),
		cat(encode(&pgproto3.AuthenticationMD5Password{Salt: [4]byte{1, 2, 3, 4}}), authOk, ready),
		cat(sasl, challenge, final, authOk, ready),
		cat(sasl, challenge, authOk, ready),
		cat(message('v', "\x00\x03\x00\x00\x00\x00\x00\x01_pq_.x\x00"), authOk, ready),
		cat([]byte("N"), authOk, ready),
		cat([]byte("S"), authOk, ready),
		message('E', "SFATAL\x00C28000\x00Mno\x00\x00"),
		cat(authOk, message('N', "Mhello\x00\x00"), message('K', "pidxkeyy"), ready, message('D', "later")),
	} {
		for _, mode := range []byte{0, fuzzPrefer, fuzzRequireSCRAM, fuzzBindingRequire | fuzzPrefer, fuzzByteByByte, fuzzProtocol32} {
			f.Add(seed, mode)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, mode byte) {
		if len(data) > 1<<20 {
			t.Skip("larger than any startup")
		}
		var conns []*fakeConn
		cfg := fuzzConfig(mode, data, &conns)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := wire.Handshake(ctx, cfg)
		runtime.ReadMemStats(&after)
		// Two connections, a reader's buffer each, and what they were sent.
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(2<<20+20*len(data)); used > most {
			t.Errorf("%d bytes of memory for %d bytes read, at most %d expected", used, len(data), most)
		}
		if ctx.Err() != nil {
			t.Fatalf("it did not end: %v", err)
		}
		for i, c := range conns {
			if open := err == nil && i == len(conns)-1; c.isClosed() == open {
				t.Errorf("connection %d of %d: closed %t, error %v", i+1, len(conns), c.isClosed(), err)
			}
		}
		if err != nil {
			if _, ok := errors.AsType[*wire.ConnectError](err); !ok {
				t.Errorf("not a *ConnectError: %v", err)
			}
			return
		}
		checkFuzzSession(t, s, data, mode)
	})
}

// fuzzConfig makes the Config of a mode; every connection gets the same bytes.
func fuzzConfig(mode byte, data []byte, conns *[]*fakeConn) *wire.Config {
	cfg := fakeConfig(nil)
	cfg.MaxSCRAMIterations = 5000
	cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		conn := newFakeConn(bytes.Clone(data))
		if mode&fuzzByteByByte != 0 && len(data) < 4<<10 {
			conn.chunk = 1
		}
		conn.answer = func(written []byte) []byte {
			if _, nonce, ok := bytes.Cut(written, []byte(",r=")); ok && len(nonce) == len(noncePlace) {
				conn.in = bytes.ReplaceAll(conn.in, []byte(noncePlace), nonce)
			}
			return nil
		}
		*conns = append(*conns, conn)
		return conn, nil
	}
	if mode&fuzzPrefer != 0 {
		cfg.TLS = wire.TLSPrefer
	}
	if mode&fuzzRequireSCRAM != 0 {
		cfg.RequireAuth = []string{"scram-sha-256"}
	}
	if mode&fuzzBindingRequire != 0 {
		cfg.TLS, cfg.ChannelBinding = wire.TLSPrefer, wire.ChannelBindingRequire
	}
	if mode&fuzzProtocol32 != 0 {
		cfg.MaxProtocol = wire.Protocol32
	}
	return cfg
}

// checkFuzzSession holds what a session proves about the bytes.
func checkFuzzSession(t *testing.T, s *wire.Session, data []byte, mode byte) {
	if mode&(fuzzRequireSCRAM|fuzzBindingRequire) != 0 {
		t.Error("nobody here knows the password, and SCRAM succeeded")
	}
	if s.TLSUsed() {
		t.Error("nobody here has a certificate, and TLS succeeded")
	}
	if !bytes.Contains(data, authOk) || !bytes.Contains(data, ready) {
		t.Error("a session without AuthenticationOk and ReadyForQuery")
	}
	if _, secret := s.Key(); len(secret) > 256 {
		t.Errorf("a key of %d bytes", len(secret))
	}
	if p := s.Protocol(); p != wire.Protocol30 && (mode&fuzzProtocol32 == 0 || p > wire.Protocol32) {
		t.Errorf("protocol %x", p)
	}
}
