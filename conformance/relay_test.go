package conformance_test

import (
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duetdb/duet/conformance"
)

// echoServer sends back what it gets, and counts the connections that ended.
func echoServer(t *testing.T) (addr string, ended chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended = make(chan struct{}, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = io.Copy(nc, nc)
				nc.Close()
				ended <- struct{}{}
			})
		}
	})
	t.Cleanup(func() { listener.Close(); wg.Wait() })
	return listener.Addr().String(), ended
}

func say(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(nc, got); err != nil || string(got) != "hello" {
		t.Fatalf("%q came back (%v), want hello", got, err)
	}
	return nc
}

func TestRelay(t *testing.T) {
	addr, ended := echoServer(t)
	relay, err := conformance.NewRelay(addr)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a, b := say(t, relay.Addr()), say(t, relay.Addr())
		relay.Cut()
		for _, nc := range []net.Conn{a, b} {
			if _, err := nc.Read(make([]byte, 1)); err == nil {
				t.Error("a connection outlived the cut")
			}
			<-ended
		}
	}
	last := say(t, relay.Addr())
	for range 2 {
		if err := relay.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := last.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlived the relay")
	}
	if nc, err := net.Dial("tcp", relay.Addr()); err == nil {
		nc.Close()
		t.Error("the closed relay takes connections")
	}
}

// The end of either side is the end of the other.
func TestRelayEndsBothSides(t *testing.T) {
	addr, ended := echoServer(t)
	relay, err := conformance.NewRelay(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	say(t, relay.Addr()).Close()
	<-ended
	nowhere, err := conformance.NewRelay("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	nc, err := net.Dial("tcp", nowhere.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("a connection to a server that is not there stays open")
	}
}

func TestRelays(t *testing.T) {
	addr, ended := echoServer(t)
	var relays conformance.Relays
	defer func() {
		if err := relays.Close(); err != nil {
			t.Error(err)
		}
	}()
	host := func(uri string) string {
		t.Helper()
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		return u.Host
	}
	plain := "edgedb://u:p%40w@" + addr + "/main?tls_ca_file=x"
	if got, err := relays.DSN(plain, ""); got != plain || err != nil {
		t.Errorf("without a label: %q, %v", got, err)
	}
	first, err := relays.DSN(plain, "a")
	if err != nil || strings.Replace(first, host(first), addr, 1) != plain {
		t.Errorf("with a label: %q, %v", first, err)
	}
	again, err := relays.DSN(plain, "a")
	if again != first || err != nil {
		t.Errorf("the same label again: %q, %v, want %q", again, err, first)
	}
	other, err := relays.DSN(plain, "b")
	if err != nil || host(other) == host(first) {
		t.Errorf("another label: %q, %v", other, err)
	}
	a, b := say(t, host(first)), say(t, host(other))
	if err := relays.Kill(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	<-ended
	if _, err := a.Read(make([]byte, 1)); err == nil {
		t.Error("the label's connection goes on")
	}
	if _, err := b.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := b.Read(make([]byte, 1)); err != nil {
		t.Errorf("another label's connection ended too: %v", err)
	}
	if err := relays.Kill(t.Context(), "c"); err == nil {
		t.Error("killing an unknown label is no error")
	}
	named, err := relays.DSN("gel://u@db.example.com/main", "d")
	if err != nil || !strings.Contains(named, "tls_security=no_host_verification") {
		t.Errorf("a server's name cannot be verified over a relay: %q, %v", named, err)
	}
	for _, bad := range []string{"edgedb://u:s3cr3t@a:1,b:2/main", "edgedb:///main?host=x", "instance", "edgedb://u:s3cr3t@a:x/"} {
		if got, err := relays.DSN(bad, "e"); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %q, %v, want an error without the password", bad, got, err)
		}
	}
}
