package edgedbtest_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest"
	"github.com/edgedb/edgedb-go"
	"github.com/google/go-cmp/cmp"
)

// recordedCase is a case of the recordings: what edgedb-go and a real EdgeDB 5.8
// said to each other.
type recordedCase struct {
	Name   string
	EdgeQL string
	Frames []struct {
		Conn            int
		Dir, Type, Body string
	}
}

// taught are texts that the recordings need and the catalogue does not have.
var taught = []struct{ name, result, args, edgeql, sql string }{
	{"r1", "none", "",
		"insert Transfer { src := (select Account filter .name = 'ada'), dst := (select Account filter .name = 'bob'), amount := 5 }",
		"INSERT INTO duet_conformance.transfer (src, dst, amount) VALUES ('ada', 'bob', 5)"},
	{
		"r2", "none", "", "alter type Account { create property extra: std::int64 }",
		"ALTER TABLE duet_conformance.account ADD COLUMN extra int8",
	},
	{"r3", "optional {name: str, balance: int64}", "", "select Account { name, balance } filter .name = 'ada'",
		"SELECT name, balance FROM duet_conformance.account WHERE name = 'ada'"},
	{"r4", "optional {name: str, extra: optional int64}", "", "select Account { name, extra } filter .name = 'ada'",
		"SELECT name, extra FROM duet_conformance.account WHERE name = 'ada'"},
	{
		"r5", "optional {balance: int64}", "", "select Account { balance } filter .name = 'ada'",
		"SELECT balance FROM duet_conformance.account WHERE name = 'ada'",
	},
	{"r6", "none", "", "update Account filter .name = 'ada' set { balance := .balance + 10 }",
		"UPDATE duet_conformance.account SET balance = balance + 10 WHERE name = 'ada'"},
	{"r7", "none", "name str", "update Account filter .name = <str>$0 set { balance := .balance + 1 }",
		"UPDATE duet_conformance.account SET balance = balance + 1 WHERE name = $1"},
	{"r8", "none", "", "delete Transfer", "DELETE FROM duet_conformance.transfer"},
	{"r9", "none", "", "delete Account filter .name like 'zz%'", "DELETE FROM duet_conformance.account WHERE name LIKE 'zz%'"},
}

// teach makes statements of taught.
func teach(t *testing.T) []*queries.Statement {
	t.Helper()
	var all []*queries.Statement
	for _, one := range taught {
		st, err := queries.Get("one").WithText(duet.EdgeQL, one.edgeql).WithText(duet.SQL, one.sql).WithResult(one.result)
		if err != nil {
			t.Fatal(err)
		}
		st.Name = one.name
		if one.args != "" {
			st.Args = queries.Get("account").Args
		}
		all = append(all, st)
	}
	return all
}

// leftOut are the cases that are not replayed: their text is not in the
// catalogue, and what it does to the schema or the data matters to no other.
var leftOut = map[string][]string{
	"values": {
		"float32", "float32 as JSON", "local_datetime", "local_datetime as JSON", "local_date", "local_date as JSON", "local_time",
		"local_time as JSON", "duration", "duration as JSON", "relative_duration", "relative_duration as JSON", "date_duration",
		"date_duration as JSON", "memory", "memory as JSON", "array of str", "array of str as JSON", "tuple", "tuple as JSON",
		"named tuple", "named tuple as JSON", "range", "range as JSON", "multirange", "multirange as JSON", "empty set",
		"empty set as JSON", "shape", "shape as JSON", "nested shape", "nested shape as JSON", "argument datetime uuid bytes",
		"argument datetime uuid bytes as JSON", "argument array", "argument array as JSON", "series", "series as JSON",
	},
	"statements": {
		"single json, none", "json, none", "type mismatch", "out of range", "assert", "config session", "two statements in a query",
	},
	"cookbook": {
		"slow statement", "slow statement by duration", "exists", "with block", "group", "for union", "assert_single", "assert_exists",
		"many rows", "types of arguments", "current database", "ddl: function", "call function", "drop missing type",
		"create type twice", "echo optional str", "slow, some milliseconds", "slow, about a second", "describe a type",
	},
}

// replayer plays the client's side of recordings.
type replayer struct {
	t     *testing.T
	s     *edgedbtest.Server
	conns map[int]*rawClient
	ids   map[string][]byte // ours, by the recorded ids of user-made types
	where string
}

func load(t *testing.T, file string) []recordedCase {
	t.Helper()
	data, err := os.ReadFile("testdata/recorded/" + file + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []recordedCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// The client's side of the recordings gets from this server what it got from the
// real one, message by message. Not compared are ids of objects and of user-made
// types, moments, SCRAM's numbers, key data, and tracebacks.
func TestReplay(t *testing.T) {
	statements := teach(t)
	known := map[string]bool{}
	for _, st := range statements {
		known[st.Text(duet.EdgeQL)] = true
	}
	for _, name := range queries.Names() {
		known[queries.Get(name).Text(duet.EdgeQL)] = true
	}
	for _, text := range []string{"start transaction", "declare savepoint s1", "# nothing", ";"} {
		known[text] = true
	}
	s := started(t, edgedbtest.Config{User: "edgedb", Password: "recorded", Statements: statements})
	r := &replayer{t: t, s: s, conns: map[int]*rawClient{}, ids: map[string][]byte{}}
	for _, file := range []string{"handshake", "ddl", "values", "statements", "cookbook", "state", "transactions"} {
		if file == "transactions" {
			r.seed()
		}
		var out []string
		for _, c := range load(t, file) {
			if !known[c.EdgeQL] && c.EdgeQL != "" {
				out = append(out, c.Name)
				continue
			}
			r.where = file + ", " + c.Name
			r.play(c)
		}
		if diff := cmp.Diff(leftOut[file], out); diff != "" {
			t.Errorf("%s: other cases were left out (-want +got):\n%s", file, diff)
		}
	}
}

// seed makes the data that the transactions began with.
func (r *replayer) seed() {
	c := connect(r.t, r.s.DSN(), edgedb.Options{})
	for _, name := range []string{"ada", "bob"} {
		if err := c.Execute(testContext(r.t), text(r.t, "insert_account"), name, int64(100)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// conn gives the connection with a recorded number, and makes it if need be.
func (r *replayer) conn(n int) *rawClient {
	if r.conns[n] == nil {
		r.conns[n] = raw(r.t, r.s, "main")
	}
	return r.conns[n]
}

// play plays one case. Connections answer one at a time, as they did.
func (r *replayer) play(c recordedCase) {
	for i := 0; i < len(c.Frames); i++ {
		f := c.Frames[i]
		body, err := hex.DecodeString(f.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		if f.Dir == "C" && f.Type == "V" {
			i = r.login(c, i, body)
			continue
		}
		if f.Dir == "C" {
			r.conn(f.Conn).send(r.t, frame{f.Type[0], r.translate(body)})
			continue
		}
		r.compare(frame{f.Type[0], body}, r.conn(f.Conn).read(r.t))
	}
}

// login plays a login, whose numbers are another's each time, and gives the
// index of its last frame.
func (r *replayer) login(c recordedCase, i int, first []byte) int {
	conn := c.Frames[i].Conn
	raw := dialRaw(r.t, r.s)
	r.conns[conn] = raw
	password := r.s.Password()
	if strings.HasSuffix(r.where, "wrong password") {
		password += "x"
	}
	got := raw.login(r.t, frame{'V', first}, "edgedb", password)
	for i++; i < len(c.Frames) && len(got) > 0; i++ {
		f := c.Frames[i]
		if f.Conn != conn || f.Dir == "C" {
			continue
		}
		body, _ := hex.DecodeString(f.Body)
		r.compare(frame{f.Type[0], body}, got[0])
		got = got[1:]
		if len(got) == 0 {
			return i
		}
	}
	if len(got) > 0 {
		r.t.Errorf("%s: %d messages more than recorded", r.where, len(got))
	}
	return i
}

// translate puts our ids of user-made types in place of the recorded ones.
func (r *replayer) translate(body []byte) []byte {
	body = bytes.Clone(body)
	for recorded, ours := range r.ids {
		body = bytes.ReplaceAll(body, []byte(recorded), ours)
	}
	return body
}

var (
	uuidText  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	noUUID    = []byte("00000000-0000-0000-0000-000000000000")
	idElement = []byte{0, 0, 0, 1, 0, 0, 0x0b, 0x86, 0, 0, 0, 16} // an object of one field, a uuid
)

// compare holds one message against the recorded one.
func (r *replayer) compare(want, got frame) {
	r.t.Helper()
	if want.typ == 'T' && got.typ == 'T' {
		r.learn(want.body, got.body)
	}
	w, g := r.normal(want), r.normal(got)
	if !bytes.Equal(w, g) {
		r.t.Errorf("%s:\n want %c %q\n got  %c %q", r.where, want.typ, w, got.typ, g)
	}
}

// normal is a message without what differs from run to run.
func (r *replayer) normal(f frame) []byte {
	body := bytes.Clone(f.body)
	switch f.typ {
	case 'R':
		if status := binary.BigEndian.Uint32(body); status == 11 || status == 12 {
			return append([]byte{f.typ}, body[:4]...)
		}
	case 'K':
		return []byte{f.typ, byte(len(body))}
	case 'T':
		at := 2 + 8 + 1
		inputEnd := at + 20 + int(binary.BigEndian.Uint32(body[at+16:]))
		out := body[inputEnd:]
		body = append(body[:inputEnd:inputEnd], mask(out[:16], out[20:])...)
	case 'E':
		body = uuidText.ReplaceAll(body, noUUID)
	case 'D':
		if len(body) == 34 && bytes.HasPrefix(body[6:], idElement) {
			body = body[:18]
		} else if json.Valid(body[6:]) {
			body = uuidText.ReplaceAll(normalJSON(body[6:]), noUUID)
		}
	}
	return append([]byte{f.typ}, body...)
}

// normalJSON is JSON with one spacing; numbers stay as they are written.
func normalJSON(text []byte) []byte {
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return text
	}
	return out.Bytes()
}

// learn notes which id of ours a recorded one is.
func (r *replayer) learn(want, got []byte) {
	for _, at := range []int{11, 0} {
		w, g := want, got
		if at == 0 {
			w = w[11+20+int(binary.BigEndian.Uint32(w[27:])):]
			g = g[11+20+int(binary.BigEndian.Uint32(g[27:])):]
		} else {
			w, g = w[at:], g[at:]
		}
		if !bytes.Equal(w[:16], g[:16]) {
			r.ids[string(w[:16])] = bytes.Clone(g[:16])
		}
	}
}

// mask gives a descriptor of protocol 2 without the ids of object types, shapes
// and enumerations, and without those that are made of them. The id in front is
// that of the last descriptor.
func mask(id, descriptors []byte) []byte {
	var out []byte
	var masked []bool
	for rest := descriptors; len(rest) >= 21; {
		n := int(binary.BigEndian.Uint32(rest))
		one := bytes.Clone(rest[4 : 4+n])
		rest = rest[4+n:]
		user := false
		switch one[0] {
		case 1, 7, 10: // shape, enumeration, object type
			user = true
		case 0: // set
			user = masked[binary.BigEndian.Uint16(one[17:])]
		}
		masked = append(masked, user)
		if user {
			clear(one[1:17])
		}
		out = append(out, one...)
	}
	if len(masked) > 0 && masked[len(masked)-1] {
		id = nil
	}
	return append(slices.Clone(id), out...)
}
