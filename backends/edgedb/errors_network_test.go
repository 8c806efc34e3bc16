package edgedb

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

// TestLostConnection ends the connection in each part of a request.
func TestLostConnection(t *testing.T) {
	for _, c := range recordedCases(t, "statements") {
		if c.Name != "single json, none" {
			continue
		}
		groups, _, _ := c.answers(t)
		for cut := range groups {
			for _, part := range []int{0, 1, 7, len(groups[cut]) - 1} {
				server := newFakeServer(t)
				client := server.client(t)
				if err := client.EnsureConnected(t.Context()); err != nil {
					t.Fatal(err)
				}
				server.answer(append(append([][]byte{}, groups[:cut]...), groups[cut][:part], nil)...)
				var out []byte
				err := client.QuerySingleJSON(t.Context(), c.EdgeQL, &out)
				e := translate(err, c.EdgeQL, duet.PhaseRun)
				if e.Kind != duet.KindUnavailable || !errors.Is(e, io.EOF) || e.Code != "" || classify(e) != retry.Unavailable {
					t.Errorf("cut %d at %d: %v became %+v", cut, part, err, *e)
				}
				if !isConnectionLost(err) || !isConnectionLost(e) || isUnsent(err) || isUnsent(e) {
					t.Errorf("cut %d at %d: lost %v, unsent %v", cut, part, isConnectionLost(err), isUnsent(err))
				}
			}
		}
	}
}

func TestRefusedByNobody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &fakeServer{listener: listener}
	listener.Close()
	err = server.client(t).EnsureConnected(t.Context())
	e := connectError(err, listener.Addr().String())
	if e.Kind != duet.KindUnavailable || !errors.Is(e, syscall.ECONNREFUSED) || classify(e) != retry.Unavailable ||
		!isUnsent(err) || !isUnsent(e) || !isConnectionLost(err) {
		t.Errorf("%v became %+v", err, *e)
	}
	if text := e.Error(); !strings.Contains(text, e.Host) || strings.Contains(text, "hunter2") || strings.Contains(text, "edgedb.") {
		t.Errorf("the text is %s", text)
	}
}

// A server whose certificate nobody trusts does not become one by waiting.
func TestUntrusted(t *testing.T) {
	server := newFakeServer(t)
	tcp := server.listener.Addr().(*net.TCPAddr)
	for _, mode := range []edgedb.TLSSecurityMode{edgedb.TLSModeStrict, edgedb.TLSModeNoHostVerification} {
		client, err := edgedb.CreateClient(t.Context(), edgedb.Options{
			Host: "127.0.0.1", Port: tcp.Port, User: "edgedb", Branch: "main", Concurrency: 1,
			TLSOptions: edgedb.TLSOptions{SecurityMode: mode}, WaitUntilAvailable: time.Nanosecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		err = client.EnsureConnected(t.Context())
		e := connectError(err, "127.0.0.1")
		if e.Kind != duet.KindUnavailable || classify(e) != retry.Permanent || e.Code != "" || e.Err == nil {
			t.Errorf("%v became %+v, %v", err, *e, classify(e))
		}
		_ = client.Close()
	}
}

// A server that does not speak TLS, or not this protocol.
func TestOtherServer(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { plain.Close(); <-done })
	err = (&fakeServer{listener: plain}).client(t).EnsureConnected(t.Context())
	if e := connectError(err, ""); e.Kind != duet.KindUnavailable || classify(e) != retry.Permanent {
		t.Errorf("%v became %+v, %v", err, *e, classify(e))
	}

	http := newFakeServerFor(t, "http/1.1", "edgedb-none")
	err = http.client(t).EnsureConnected(t.Context())
	if e := connectError(err, ""); classify(e) != retry.Permanent {
		t.Errorf("%v became %+v", err, *e)
	}
	none := newFakeServerFor(t)
	err = none.client(t).EnsureConnected(t.Context())
	if e := connectError(err, ""); e.Kind != duet.KindProtocol || e.Err != nil || !strings.Contains(e.Message, "edgedb-binary") {
		t.Errorf("%v became %+v", err, *e)
	}
}

// The deadline of a call reaches the socket, and comes back as a context's.
func TestDeadline(t *testing.T) {
	server := newFakeServer(t)
	client := server.client(t)
	if err := client.EnsureConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.answer([]byte{}) // and nothing more
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := client.Execute(ctx, "select 1")
	e := translate(err, "select 1", duet.PhaseRun)
	if !errors.Is(e, context.DeadlineExceeded) || e.Kind != duet.KindCanceled || classify(e) != retry.Permanent ||
		!isConnectionLost(err) || !isConnectionLost(e) || isUnsent(err) {
		t.Errorf("%v became %+v", err, *e)
	}
	if e := connectError(err, "example.com"); e.Kind != duet.KindUnavailable || classify(e) != retry.Unavailable {
		t.Errorf("%v became %+v", err, *e) // the connection's own deadline
	}
}

// What is cut off while nothing is asked is found before anything is sent.
func TestLostWhileIdle(t *testing.T) {
	eof := fakeError{text: "edgedb.ClientConnectionFailedTemporarilyError: EOF", cause: io.EOF}
	idle := fakeError{text: "edgedb.ClientConnectionClosedError: EOF", cause: eof}
	bare := fakeError{text: "edgedb.ClientConnectionClosedError: "}
	closed := fakeError{text: "edgedb.ClientConnectionClosedError: x", cause: net.ErrClosed}
	write := fakeError{text: "edgedb.ClientConnectionClosedError: x", cause: &net.OpError{Op: "write", Err: syscall.EPIPE}}
	read := fakeError{text: "edgedb.ClientConnectionFailedTemporarilyError: EOF", cause: io.EOF}
	alert := fakeError{text: "edgedb.ClientConnectionFailedError: x", cause: &net.OpError{Op: "remote error", Err: tls.AlertError(40)}}
	for err, unsent := range map[error]bool{idle: true, bare: false, closed: true, write: false, read: false, alert: false} {
		e := translate(err, "select 1", duet.PhaseRun)
		if isUnsent(err) != unsent || isUnsent(e) != unsent || !isConnectionLost(e) || e.Kind != duet.KindUnavailable || e.Message == "" {
			t.Errorf("%v: unsent %v, %v; %+v", err, isUnsent(err), isUnsent(e), *e)
		}
		if (classify(e) == retry.Permanent) != (err == alert) {
			t.Errorf("%v is %v", err, classify(e))
		}
	}
}
