package decode_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgedb/edgedb-go"
)

// reply is what the server says to one command in one output format: the
// description, without the headers, and the data.
type reply struct {
	describe []byte
	data     [][]byte
}

// replyKey is a command and its output format, 'b' or 'j'.
type replyKey struct {
	format byte
	cmd    string
}

// replayServer answers Parse and Execute with what it was given. It lets everybody
// in.
type replayServer struct {
	listener net.Listener
	greeting []byte
	replies  map[replyKey]reply
	wg       sync.WaitGroup

	// parses and executes count requests; arguments are those of the last Execute.
	parses, executes atomic.Int64
	mu               sync.Mutex
	arguments        []byte
}

// recordedCase is one case of the recorded traffic.
type recordedCase struct {
	Name, Call, EdgeQL, Result, Error string
	Frames                            []struct {
		Dir, Type, Body string
	}
}

func recorded(t testing.TB, name string) []recordedCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "internal", "edgedbtest", "testdata", "recorded", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []recordedCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recordedReplies are the recorded replies to commands that succeeded.
func recordedReplies(t testing.TB) map[replyKey]reply {
	t.Helper()
	replies := map[replyKey]reply{}
	for _, file := range []string{"values", "cookbook", "statements"} {
		for _, c := range recorded(t, file) {
			if c.Error != "" {
				continue
			}
			var key replyKey
			var r reply
			for _, f := range c.Frames {
				body := unhex(t, f.Body)
				switch f.Dir + f.Type {
				case "CP":
					key = requestKey(body)
				case "ST":
					r.describe = body[2:]
				case "SD":
					r.data = append(r.data, body)
				}
			}
			if _, known := replies[key]; !known && r.describe != nil {
				replies[key] = r
			}
		}
	}
	return replies
}

// requestKey reads format and command of a Parse or Execute.
func requestKey(body []byte) replyKey {
	const format = 2 + 8 + 8 + 8
	n := int(binary.BigEndian.Uint32(body[format+2:]))
	return replyKey{body[format], string(body[format+6 : format+6+n])}
}

// requestArguments are the arguments of an Execute: what follows the command, the
// state's id and value, and two type ids.
func requestArguments(body []byte) []byte {
	rest := body[2+8+8+8+2:]
	rest = rest[4+binary.BigEndian.Uint32(rest):]
	rest = rest[16:]
	rest = rest[4+binary.BigEndian.Uint32(rest):]
	return rest[32:]
}

func message(typ byte, body []byte) []byte {
	out := binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4))
	return append(out, body...)
}

// startReplay serves the recorded replies, and more.
func startReplay(t testing.TB, more map[replyKey]reply) *replayServer {
	t.Helper()
	s := &replayServer{replies: recordedReplies(t)}
	for k, r := range more {
		s.replies[k] = r
	}
	for _, f := range recorded(t, "handshake")[0].Frames {
		body := unhex(t, f.Body)
		if f.Dir != "S" || f.Type == "T" || f.Type == "D" || f.Type == "C" || f.Type == "R" && len(body) != 4 {
			continue
		}
		s.greeting = append(s.greeting, message(f.Type[0], body)...)
		if f.Type == "Z" {
			break
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s.listener, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}, NextProtos: []string{"edgedb-binary"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.wg.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		s.listener.Close()
		s.wg.Wait()
	})
	return s
}

func (s *replayServer) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	ready := message('Z', []byte{0, 0, 'I'})
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(r, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		var out []byte
		switch head[0] {
		case 'V':
			out = s.greeting
		case 'P':
			s.parses.Add(1)
			if known, ok := s.replies[requestKey(body)]; ok {
				out = message('T', append([]byte{0, 0}, known.describe...))
			} else {
				out = unknownCommand()
			}
		case 'O':
			s.executes.Add(1)
			s.mu.Lock()
			s.arguments = requestArguments(body)
			s.mu.Unlock()
			for _, d := range s.replies[requestKey(body)].data {
				out = append(out, message('D', d)...)
			}
			complete := append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6}, "SELECT"...)
			out = append(out, message('C', append(complete, make([]byte, 20)...))...)
		case 'S':
			out = ready
		case 'X':
			return
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// unknownCommand is an ErrorResponse: an InvalidReferenceError.
func unknownCommand() []byte {
	text := "the replay does not know this command"
	body := []byte{120, 4, 3, 0, 0}
	body = append(binary.BigEndian.AppendUint32(body, uint32(len(text))), text...)
	return message('E', append(body, 0, 0))
}

// connect gives an edgedb-go client of one connection.
func (s *replayServer) connect(t testing.TB) *edgedb.Client {
	t.Helper()
	addr := s.listener.Addr().(*net.TCPAddr)
	client, err := edgedb.CreateClient(context.Background(), edgedb.Options{
		Host: "127.0.0.1", Port: addr.Port, User: "edgedb", Branch: "main", Concurrency: 1,
		TLSOptions: edgedb.TLSOptions{SecurityMode: edgedb.TLSModeInsecure},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}
