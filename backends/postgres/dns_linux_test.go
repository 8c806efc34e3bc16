package postgres_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
)

// answerNames has every name resolve to the given addresses, in any order, as the
// system's resolver of the process.
func answerNames(t *testing.T, addresses ...[4]byte) {
	t.Helper()
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			for {
				var size [2]byte
				if _, err := io.ReadFull(there, size[:]); err != nil {
					return
				}
				msg := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(there, msg); err != nil {
					return
				}
				if _, err := there.Write(dnsAnswer(msg, addresses)); err != nil {
					return
				}
			}
		}()
		return here, nil
	}}
}

// dnsAnswer answers a question for IPv4 addresses, and any other with none (RFC
// 1035, section 4), as it goes over a stream.
func dnsAnswer(question []byte, addresses [][4]byte) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	typ := binary.BigEndian.Uint16(question[end+1:])
	end += 5
	if typ != 1 {
		addresses = nil
	}
	msg := append([]byte{}, question[:end]...)
	binary.BigEndian.PutUint16(msg[2:], 0x8180)
	copy(msg[4:], []byte{0, 1, 0, byte(len(addresses)), 0, 0, 0, 0})
	for _, a := range addresses {
		msg = append(msg, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		msg = append(msg, a[:]...)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)
}

// Where a name leads to several machines, each has its share of a time that is
// short, whoever resolves the name.
func TestSilentAddressOfAName(t *testing.T) {
	s := pgtest.Shared(t)
	if s.DataDir() == "" {
		t.Skip("skipped: the server is not ours")
	}
	if testing.Short() {
		t.Skip("skipped: -short, and it waits for a timeout")
	}
	blackHole(t, [4]byte{127, 0, 0, 3}, s.Port)
	answerNames(t, [4]byte{127, 0, 0, 3}, [4]byte{127, 0, 0, 1})
	start := time.Now()
	c := openDSN(t, "postgres://postgres@db.example.:"+itoa(s.Port)+"/postgres?sslmode=disable&connect_timeout=2", postgres.Config{})
	run(t, c, "select 1")
	t.Logf("it took %v", time.Since(start))
}
