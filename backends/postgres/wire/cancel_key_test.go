package wire_test

import (
	"bytes"
	"errors"
	"net"
	"testing"

	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/jackc/pgx/v5/pgproto3"
)

// TestCancelLongKey: the keys of protocol 3.2 are of any length up to 256 bytes,
// and go back as they came (PostgreSQL documentation, "Message Formats",
// BackendKeyData and CancelRequest). The server's side is pgproto3's.
func TestCancelLongKey(t *testing.T) {
	checkLeaks(t)
	for _, size := range []int{4, 32, 255, 256} {
		key := make([]byte, size)
		for i := range key {
			key[i] = byte(255 - i) // zeros and all
		}
		requests := make(chan *pgproto3.CancelRequest, 10)
		cfg := keyServer(t, key, requests)
		cfg.MaxProtocol = 3<<16 | 2
		c := open(t, cfg)
		f := flightOf(doWhole("x"))
		if err := c.Send(bounded(t), f); err != nil {
			t.Fatal(err)
		}
		f.Abandon()
		checkUsable(t, c)
		got := <-requests
		if got.ProcessID != 4711 || !bytes.Equal(got.SecretKey, key) {
			t.Errorf("%d bytes: got process %d, key %x", size, got.ProcessID, got.SecretKey)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// keyServer speaks protocol 3.2. It answers its first statement once it has been
// asked to cancel, and the later ones at once.
func keyServer(t *testing.T, key []byte, requests chan<- *pgproto3.CancelRequest) *wire.Config {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked, done := make(chan struct{}, 10), make(chan struct{})
	serve := func(nc net.Conn) error {
		defer nc.Close()
		b := pgproto3.NewBackend(nc, nc)
		first, err := b.ReceiveStartupMessage()
		if err != nil {
			return err
		}
		if request, ok := first.(*pgproto3.CancelRequest); ok {
			requests <- request
			asked <- struct{}{}
			return nil
		}
		if m, ok := first.(*pgproto3.StartupMessage); !ok || m.ProtocolVersion != 3<<16|2 {
			t.Errorf("the first message: %+v", first)
		}
		b.Send(&pgproto3.AuthenticationOk{})
		b.Send(&pgproto3.BackendKeyData{ProcessID: 4711, SecretKey: key})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if err := b.Flush(); err != nil {
			return err
		}
		for n := 0; ; {
			m, err := b.Receive()
			if err != nil {
				return err
			}
			if _, ok := m.(*pgproto3.Sync); !ok {
				continue
			}
			answer := wholeAnswer("still here")
			if n++; n == 1 {
				<-asked
				answer = cat(canceled, ready)
			}
			if _, err := nc.Write(answer); err != nil {
				return err
			}
		}
	}
	go func() {
		defer close(done)
		for {
			nc, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go func() { _ = serve(nc) }() // it ends with the connection
			}
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return &wire.Config{Network: "tcp", Address: listener.Addr().String(), User: "user"}
}
