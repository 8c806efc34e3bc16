package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/duetdb/duet/backends/postgres/wire"
)

// framed is what a Reader gave: type and body, and the error at the end.
type framed struct {
	messages []string
	err      string
}

func readAllMessages(r *wire.Reader) (got framed) {
	for {
		typ, body, err := r.Next()
		if err != nil {
			got.err = err.Error()
			return got
		}
		got.messages = append(got.messages, string(typ)+string(body))
	}
}

func TestReaderSplits(t *testing.T) {
	stream := cat(message('Z', "I"), message('1', ""), message('D', strings.Repeat("row", 50)), message('C', "SELECT 1\x00"), message('D', strings.Repeat("x", 300)))
	want := readAllMessages(wire.NewReader(bytes.NewReader(stream), 1<<20))
	if len(want.messages) != 5 || want.err != io.EOF.Error() {
		t.Fatalf("unsplit: %d messages, %s", len(want.messages), want.err)
	}
	same := func(how string, src io.Reader) {
		t.Helper()
		got := readAllMessages(wire.NewReader(src, 1<<20))
		if !slices.Equal(got.messages, want.messages) || got.err != want.err {
			t.Errorf("%s: %d messages, %s", how, len(got.messages), got.err)
		}
	}
	for at := range stream {
		same(fmt.Sprintf("split at %d", at), io.MultiReader(bytes.NewReader(stream[:at]), bytes.NewReader(stream[at:])))
	}
	same("byte by byte", iotest.OneByteReader(bytes.NewReader(stream)))
	same("halves", iotest.HalfReader(bytes.NewReader(stream)))
	same("data with the error", iotest.DataErrReader(bytes.NewReader(stream)))
}

// TestReaderTimeout: a time-out between any two bytes loses nothing.
func TestReaderTimeout(t *testing.T) {
	stream := cat(message('D', strings.Repeat("x", 40)), message('Z', "I"))
	for at := range stream {
		r := wire.NewReader(&pieces{list: [][]byte{stream[:at], nil, stream[at:]}}, 1<<20)
		var got []string
		timeouts := 0
		for len(got) < 2 {
			typ, body, err := r.Next()
			switch {
			case errors.Is(err, iotest.ErrTimeout):
				timeouts++
			case err != nil:
				t.Fatalf("at %d: %v", at, err)
			default:
				got = append(got, string(typ)+string(body))
			}
		}
		if timeouts != 1 || got[0][1:] != strings.Repeat("x", 40) || got[1] != "ZI" {
			t.Errorf("at %d: %d time-outs, %q", at, timeouts, got)
		}
	}
}

// pieces gives at most one piece per read; nil is a time-out.
type pieces struct{ list [][]byte }

func (p *pieces) Read(b []byte) (int, error) {
	for len(p.list) > 0 && len(p.list[0]) == 0 && p.list[0] != nil {
		p.list = p.list[1:]
	}
	if len(p.list) == 0 {
		return 0, io.EOF
	}
	if p.list[0] == nil {
		p.list = p.list[1:]
		return 0, iotest.ErrTimeout
	}
	n := copy(b, p.list[0])
	p.list[0] = p.list[0][n:]
	return n, nil
}

func TestReaderLengths(t *testing.T) {
	for _, length := range []uint32{0, 1, 2, 3, 1<<20 + 1, 1 << 30, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		for _, tail := range []string{"", "x", strings.Repeat("x", 100)} {
			got := readAllMessages(wire.NewReader(bytes.NewReader(frame('D', length, tail)), 1<<20))
			if len(got.messages) != 0 || !strings.Contains(got.err, fmt.Sprintf("a length of %d bytes", length)) {
				t.Errorf("length %d: %d messages, %s", length, len(got.messages), got.err)
			}
		}
	}
	got := readAllMessages(wire.NewReader(bytes.NewReader(frame('D', 4, "")), 1<<20))
	if len(got.messages) != 1 || got.messages[0] != "D" {
		t.Errorf("an empty message: %+v", got)
	}
}

// allocated counts the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestReaderMemory: a length costs nothing, only what arrives does.
func TestReaderMemory(t *testing.T) {
	for _, arrives := range []int{0, 1000, 100_000, 3_000_000} {
		stream := frame('D', wire.MessageLimit, strings.Repeat("x", arrives))
		used := allocated(func() {
			r := wire.NewReader(bytes.NewReader(stream), wire.MessageLimit)
			if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("got %v", err)
			}
		})
		if most := uint64(6*wire.ReadBufferSize + 5*arrives); used > most {
			t.Errorf("%d bytes arrived of 1 GiB, and %d were allocated: more than %d", arrives, used, most)
		}
	}
}

// TestReaderSheds: a huge message's memory does not stay.
func TestReaderSheds(t *testing.T) {
	huge := message('D', strings.Repeat("x", 3_000_000))
	small := message('Z', "I")
	r := wire.NewReader(&pieces{list: [][]byte{huge, small, huge, cat(small, small), small}}, wire.MessageLimit)
	for i, want := range []int{3_000_000, 1, 3_000_000, 1, 1, 1} {
		typ, body, err := r.Next()
		if err != nil || len(body) != want {
			t.Fatalf("message %d: %q of %d bytes, %v", i, typ, len(body), err)
		}
		if want == 1 && r.Size() > 4*wire.ReadBufferSize {
			t.Errorf("message %d: the buffer still has %d bytes", i, r.Size())
		}
	}
}

func TestReaderAllocations(t *testing.T) {
	row := message('D', strings.Repeat("x", 100))
	endless := &endlessReader{data: bytes.Repeat(row, 7)}
	r := wire.NewReader(endless, 1<<20)
	got := testing.AllocsPerRun(1000, func() {
		if _, body, err := r.Next(); err != nil || len(body) != 100 {
			t.Fatal(len(body), err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations per message", got)
	}
}

type endlessReader struct {
	data []byte
	at   int
}

func (e *endlessReader) Read(b []byte) (int, error) {
	n := copy(b, e.data[e.at:])
	e.at = (e.at + n) % len(e.data)
	return n, nil
}

// FuzzReader: any split of any bytes gives the same messages as reading them
// at once, and as a simple parser; memory is bounded by what came.
func FuzzReader(f *testing.F) {
	f.Add(cat(message('Z', "I"), message('D', "hello")), []byte{1, 2, 3})
	f.Add(frame('D', 1<<30, "x"), []byte{5})
	f.Add(frame('D', 3, ""), []byte{})
	f.Add(cat(message('D', strings.Repeat("y", 40_000)), message('Z', "I"), []byte("DDD")), []byte{255, 0, 255})
	f.Fuzz(func(t *testing.T, stream, sizes []byte) {
		const limit = 1 << 16
		want := parseSimply(stream, limit)
		var got framed
		src := &pieces{}
		rest := stream
		for i := 0; len(rest) > 0; i++ {
			n := len(rest)
			if len(sizes) > 0 && i < 4096 {
				n = min(n, 1+int(sizes[i%len(sizes)])*int(1+sizes[(i+1)%len(sizes)]))
			}
			src.list = append(src.list, rest[:n])
			rest = rest[n:]
		}
		used := allocated(func() { got = readAllMessages(wire.NewReader(src, limit)) })
		if most := uint64(1<<20 + 40*len(stream)); used > most {
			t.Errorf("%d bytes for a stream of %d", used, len(stream))
		}
		if !slices.Equal(got.messages, want) {
			t.Errorf("%d messages, want %d", len(got.messages), len(want))
		}
	})
}

// parseSimply frames a stream that is there as a whole.
func parseSimply(stream []byte, limit int) (messages []string) {
	for len(stream) >= 5 {
		n := int(binary.BigEndian.Uint32(stream[1:]))
		if n < 4 || n > limit || len(stream) < 1+n {
			break
		}
		messages = append(messages, string(stream[0])+string(stream[5:1+n]))
		stream = stream[1+n:]
	}
	return messages
}
