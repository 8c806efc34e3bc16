package queries_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
)

// recordings holds what clients sent to a real server: EdgeQL texts as they were
// called for, and the bodies of Parse and Execute messages.
type recordings struct {
	texts  map[string]bool
	bodies []string
}

func readRecordings(t *testing.T) recordings {
	t.Helper()
	files, err := filepath.Glob("../../internal/edgedbtest/testdata/recorded/*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files of recordings (%v), want at least 5", len(files), err)
	}
	r := recordings{texts: map[string]bool{}}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			EdgeQL string
			Frames []struct{ Dir, Type, Body string }
		}
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range cases {
			r.texts[c.EdgeQL] = true
			for _, f := range c.Frames {
				if f.Dir != "C" || f.Type != "P" && f.Type != "O" {
					continue
				}
				body, err := hex.DecodeString(f.Body)
				if err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				r.bodies = append(r.bodies, string(body))
			}
		}
	}
	return r
}

// has says whether a text was sent, byte for byte: as a case of its own, or as
// a string of the protocol, its length before it, in a message.
func (r recordings) has(text string) bool {
	if r.texts[text] {
		return true
	}
	sent := string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
	for _, body := range r.bodies {
		if strings.Contains(body, sent) {
			return true
		}
	}
	return false
}

// TestProven holds that what is not marked as unproven was sent to a real
// server, and that what is marked was not.
func TestProven(t *testing.T) {
	recorded := readRecordings(t)
	proven := 0
	for _, name := range queries.Names() {
		s := queries.Get(name)
		text := s.Text(duet.EdgeQL)
		switch has := recorded.has(text); {
		case text == "":
		case has && s.Unproven != "":
			t.Errorf("%s is marked as unproven, but was recorded", name)
		case has:
			proven++
		case s.Unproven == "":
			t.Errorf("%s is not marked as unproven, but no recording has its text", name)
		}
	}
	if proven < 100 {
		t.Errorf("only %d texts are proven", proven)
	}
	if recorded.has("select 1 ") || recorded.has("select 1 + 1 ") {
		t.Error("the test finds what was not recorded")
	}
	if !recorded.has("update Account filter .name = <str>$0 set { balance := .balance + 1 }") {
		t.Error("the test does not find what was sent within a transaction")
	}
}
