package typedesc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recordedCase is one case of the recordings: what a real server and its client
// said to each other.
type recordedCase struct {
	Name   string
	Call   string
	EdgeQL string
	Frames []struct {
		Dir, Type, Body string
	}
	file string
}

// message is one message of a recording.
type message struct {
	server bool
	kind   byte
	body   []byte
}

// recordings reads one file, or all of them.
func recordings(t testing.TB, pattern string) []recordedCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "testdata", "recorded", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no recordings %s: %v", pattern, err)
	}
	var all []recordedCase
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []recordedCase
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for i := range cases {
			cases[i].file = filepath.Base(file)
		}
		all = append(all, cases...)
	}
	return all
}

func (c recordedCase) messages(t testing.TB) []message {
	t.Helper()
	var all []message
	for _, f := range c.Frames {
		body, err := hex.DecodeString(f.Body)
		if err != nil || len(f.Type) > 1 {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if f.Type == "" { // the handshake before TLS has no type in some cases
			continue
		}
		all = append(all, message{server: f.Dir == "S", kind: f.Type[0], body: body})
	}
	return all
}

// request is a Parse or Execute message.
type request struct {
	format, expected byte
	text             string
	stateID          UUID
	state, args      []byte
}

func readRequest(t testing.TB, m message) request {
	t.Helper()
	r := reader{rest: m.body}
	if r.uint16() != 0 {
		t.Fatal("annotations were not expected")
	}
	r.take(24) // allowed capabilities, flags, implicit limit
	q := request{format: r.uint8(), expected: r.uint8(), text: string(r.value())}
	q.stateID = UUID(r.take(16))
	q.state = r.value()
	if m.kind == 'O' {
		r.take(32)
		q.args = r.value()
	}
	if !r.done() {
		t.Fatalf("the request %q was not understood", q.text)
	}
	return q
}

// readDescription reads CommandDataDescription.
func readDescription(t testing.TB, body []byte) Description {
	t.Helper()
	r := reader{rest: body}
	if r.uint16() != 0 {
		t.Fatal("annotations were not expected")
	}
	r.uint64() // capabilities
	d := Description{Cardinality: Cardinality(r.uint8())}
	d.InputID = UUID(r.take(16))
	d.Input = r.value()
	d.OutputID = UUID(r.take(16))
	d.Output = r.value()
	if !r.done() {
		t.Fatal("the description was not understood")
	}
	return d
}

// exchange is what one case said of one text in one format.
type exchange struct {
	request
	source string
	Description
	data [][]byte
}

// exchanges gives what the server described, with the request that it answered
// and the data that followed.
func exchanges(t testing.TB, cases []recordedCase) []exchange {
	t.Helper()
	var all []exchange
	for _, c := range cases {
		var current *exchange
		for _, m := range c.messages(t) {
			switch {
			case !m.server && (m.kind == 'P' || m.kind == 'O'):
				q := readRequest(t, m)
				if current != nil && current.text == q.text && current.format == q.format && m.kind == 'O' {
					current.args = q.args
					continue
				}
				all = append(all, exchange{request: q, source: c.file + ": " + c.Name})
				current = &all[len(all)-1]
			case m.server && m.kind == 'T':
				current.Description = readDescription(t, m.body)
			case m.server && m.kind == 'D':
				r := reader{rest: m.body}
				if r.uint16() != 1 {
					t.Fatal("a Data message has one element")
				}
				current.data = append(current.data, r.value())
			}
		}
	}
	kept := all[:0]
	for _, e := range all {
		if e.Cardinality != 0 { // what failed was not described
			kept = append(kept, e)
		}
	}
	if len(kept) < len(cases)/4 {
		t.Fatalf("of %d cases only %d descriptions were understood", len(cases), len(kept))
	}
	return kept
}

// sameJSON says whether two texts are the same JSON value; numbers are compared
// as they are written.
func sameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	return bytes.Equal(canonicalJSON(t, a), canonicalJSON(t, b))
}

func canonicalJSON(t testing.TB, text []byte) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// asJSON is the name of the case that reads the same as JSON.
func asJSON(name string) string { return strings.TrimSuffix(name, " as JSON") + " as JSON" }
