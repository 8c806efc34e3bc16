package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
)

// hostileAnswers are answers to doWhole that the protocol does not allow, and
// what must be in the error.
var hostileAnswers = map[string]struct {
	bytes []byte
	want  string
}{
	"nothing":                        {nil, "without saying why"},
	"ready at once":                  {ready, "'Z' came"},
	"ready twice":                    {cat(ready, ready), "'Z' came"},
	"a row first":                    {rowOf("v"), "'D' came"},
	"a row before BindComplete":      {cat(parsed, noParams, oneField, rowOf("v")), "'D' came"},
	"BindComplete before Parse":      {boundOk, "'2' came"},
	"ParseComplete twice":            {cat(parsed, parsed), "'1' came"},
	"BindComplete twice":             {cat(parsed, noParams, oneField, boundOk, boundOk), "'2' came"},
	"no CommandComplete":             {cat(parsed, noParams, oneField, boundOk, rowOf("v"), ready), "'Z' came"},
	"CommandComplete twice":          {cat(parsed, noParams, oneField, boundOk, complete, complete), "'C' came"},
	"a row after CommandComplete":    {cat(parsed, noParams, oneField, boundOk, complete, rowOf("v")), "'D' came"},
	"RowDescription twice":           {cat(parsed, noParams, oneField, oneField), "'T' came"},
	"RowDescription in Execute":      {cat(parsed, noParams, oneField, boundOk, oneField), "'T' came"},
	"NoData and RowDescription":      {cat(parsed, noParams, noData, oneField), "'T' came"},
	"a status that is none":          {cat(failure, message('Z', "X")), "the status \"X\""},
	"a status too long":              {cat(failure, message('Z', "II")), "the status \"II\""},
	"no status":                      {cat(failure, message('Z', "")), "the status \"\""},
	"two errors":                     {cat(failure, failure), "'E' came"},
	"a row after an error":           {cat(parsed, noParams, oneField, boundOk, rowOf("v"), failure, rowOf("v")), "'D' came"},
	"CommandComplete after an error": {cat(failure, complete), "'C' came"},
	"an error without end":           {message('E', "Sx"), "without its end"},
	"FATAL":                          {killed, "57P01"},
	"FATAL in rows":                  {cat(parsed, noParams, oneField, boundOk, rowOf("v"), killed), "57P01"},
	"PANIC":                          {message('E', "SPANIC\x00VPANIC\x00CXX000\x00Mno\x00\x00"), "PANIC: no"},
	"authentication":                 {authOk, "'R' came"},
	"another key":                    {message('K', "12345678"), "'K' came"},
	"an unknown message":             {message('?', ""), "'?' came"},
	"a function's result":            {message('V', "\x00\x00\x00\x00"), "'V' came"},
	"a suspended portal":             {cat(parsed, noParams, oneField, boundOk, message('s', "")), "'s' came"},
	"replication":                    {cat(parsed, noParams, oneField, boundOk, message('W', "\x00\x00\x00")), "replication"},
	"length 3":                       {cat(parsed, frame('D', 3, "")), "a length of 3"},
	"length of 2 GiB":                {cat(parsed, frame('D', 1<<31, "xxxx")), "a length of 2147483648"},
	"a broken notice":                {message('N', "x"), "NoticeResponse"},
	"a broken parameter":             {message('S', "x"), "ParameterStatus"},
	"http":                           {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "a length of"},
}

func TestHostileAnswers(t *testing.T) {
	checkLeaks(t)
	for name, test := range hostileAnswers {
		t.Run(name, func(t *testing.T) {
			c, conn := runningFake(t, test.bytes)
			f := flightOf(doWhole("x"))
			behind := flightOf(doWhole("y"))
			if err := errors.Join(c.Send(bounded(t), f), c.Send(bounded(t), behind)); err != nil {
				t.Fatal(err)
			}
			_, err := read(f)
			checkDead(t, c, err)
			if !strings.Contains(fmt.Sprint(err), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
			if f.Unsent() {
				t.Error("it was sent")
			}
			if !conn.isClosed() {
				t.Error("the socket is open")
			}
			if _, again := read(behind); fmt.Sprint(again) != fmt.Sprint(err) {
				t.Errorf("the next in the queue: %v", again)
			}
			if _, again := exchange(bounded(t), c, flightOf(doWhole("z"))); fmt.Sprint(again) != fmt.Sprint(err) {
				t.Errorf("the next one sent: %v", again)
			}
		})
	}
}

func TestHostileDescriptions(t *testing.T) {
	field := "v\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00"
	for name, body := range map[string]string{
		"empty":            "",
		"one byte":         "\x00",
		"a count alone":    "\x00\x01",
		"one too few":      "\x00\x02" + field,
		"one too many":     "\x00\x01" + field + field,
		"a tail":           "\x00\x01" + field + "x",
		"a name for ever":  "\x00\x01" + strings.Repeat("v", 60),
		"a field cut":      "\x00\x01" + field[:len(field)-1],
		"65535 of nothing": "\xff\xff" + field,
	} {
		if fields, err := wire.DecodeFields([]byte(body)); err == nil {
			t.Errorf("%s: %+v", name, fields)
		}
	}
	fields, err := wire.DecodeFields([]byte("\x00\x02" + field + field))
	if err != nil || len(fields) != 2 || fields[1] != (wire.Field{Name: "v", OID: 25, TypeMod: -1}) {
		t.Errorf("got %+v, %v", fields, err)
	}
	if fields, err = wire.DecodeFields([]byte("\x00\x00")); err != nil || fields == nil || len(fields) != 0 {
		t.Errorf("no columns: %v, %v", fields, err)
	}
	for name, body := range map[string]string{"empty": "", "one byte": "\x00", "too few": "\x00\x02\x00\x00\x00\x19", "too many": "\x00\x00\x00\x00\x00\x19", "half": "\x00\x01\x00\x00"} {
		if oids, err := wire.DecodeParameters([]byte(body)); err == nil {
			t.Errorf("parameters, %s: %v", name, oids)
		}
	}
	if oids, err := wire.DecodeParameters([]byte("\x00\x01\x00\x00\x00\x19")); err != nil || len(oids) != 1 || oids[0] != 25 {
		t.Errorf("got %v, %v", oids, err)
	}
}

// TestEndless: a server that never comes to an end, and ignores that it is asked
// to cancel. The caller leaves with its ctx, and the connection is closed after
// CancelTimeout.
func TestEndless(t *testing.T) {
	checkLeaks(t)
	begun := cat(parsed, noParams, oneField, boundOk)
	for name, endless := range map[string]struct{ first, then []byte }{
		"notices":    {nil, message('N', "Mhello\x00\x00")},
		"parameters": {nil, message('S', "a\x00b\x00")},
		"rows":       {begun, rowOf("v")},
		"copy data":  {begun, message('d', "data")},
		"silence":    {begun, nil},
		"one row":    {begun, frame('D', 1<<30, strings.Repeat("x", 1000))},
	} {
		t.Run(name, func(t *testing.T) {
			cancels := make(chan struct{}, 10)
			b := &backend{
				onCancel: func(net.Conn) { cancels <- struct{}{} },
				script: func(p *peer) {
					p.await()
					p.send(endless.first)
					many := bytes.Repeat(endless.then, 100)
					for {
						if _, err := p.Write(many); err != nil {
							return
						}
						if len(many) == 0 {
							p.await()
							return
						}
						time.Sleep(100 * time.Microsecond)
					}
				},
			}
			cfg := b.start(t)
			cfg.CancelTimeout = 200 * time.Millisecond
			c := open(t, cfg)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			began := time.Now()
			f := flightOf(doWhole("x"))
			if err := c.Send(ctx, f); err != nil {
				t.Fatal(err)
			}
			if name == "one row" {
				f.Abandon() // its memory is that of what came
			} else if _, err := read(f); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("the caller waited for %v", took)
			}
			eventually(t, "the connection is closed", func() bool { return c.Err() != nil })
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("closed after %v", took)
			}
			if !strings.Contains(c.Err().Error(), "did not end in 200ms") {
				t.Errorf("the cause is %v", c.Err())
			}
			select {
			case <-cancels:
			default:
				t.Error("the server was not asked to cancel")
			}
		})
	}
}

// recorded is what a real server answered to a flight.
type recorded struct {
	name  string
	build func() *wire.Flight
	bytes []byte
}

func record(t *testing.T) []recorded {
	cfg := sharedConfig(t)
	var conn *tappedConn
	tap(cfg, func() {}, func(c *tappedConn) { conn = c })
	c := open(t, cfg)
	list := []recorded{
		{name: "rows", build: func() *wire.Flight {
			return flightOf(doWhole("SELECT 'row ' || i, i, NULL FROM generate_series(1, 5) i"))
		}},
		{name: "error", build: func() *wire.Flight { return flightOf(doWhole("SELECT 1 / (3 - i) FROM generate_series(1, 5) i")) }},
		{name: "script", build: func() *wire.Flight {
			return flightOf(doQuery("SELECT 1; SET application_name = 'x'; DO $$ BEGIN RAISE NOTICE 'n'; END $$; SELECT 2"))
		}},
		{name: "groups", build: func() *wire.Flight {
			return flightOf(doParse("p", "SELECT 1"), doSync, doBind("p"), doExecute, doSync, func(f *wire.Flight) error { return f.CloseStatement("p") }, doSync)
		}},
	}
	for i := range list {
		conn.mu.Lock()
		conn.got = nil
		conn.mu.Unlock()
		f := list[i].build()
		if err := c.Send(bounded(t), f); err != nil {
			t.Fatal(err)
		}
		if _, err := read(f); err != nil {
			t.Fatal(err)
		}
		conn.mu.Lock()
		list[i].bytes = bytes.Clone(conn.got)
		conn.mu.Unlock()
	}
	return list
}

// resetConn ends with a reset instead of an end of file.
type resetConn struct{ *fakeConn }

func (c resetConn) Read(p []byte) (int, error) {
	n, err := c.fakeConn.Read(p)
	if errors.Is(err, io.EOF) {
		err = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

// TestCutAnswers plays what a real server answered up to each byte, and then
// ends or resets the connection.
func TestCutAnswers(t *testing.T) {
	for _, r := range record(t) {
		t.Run(r.name, func(t *testing.T) {
			checkLeaks(t)
			for cut := 0; cut <= len(r.bytes); cut++ {
				for _, reset := range []bool{false, true} {
					checkCut(t, r, cut, reset)
				}
			}
		})
	}
}

func checkCut(t *testing.T, r recorded, cut int, reset bool) {
	t.Helper()
	conn := newFakeConn(nil)
	answers := [][]byte{cat(authOk, ending()), r.bytes[:cut]}
	conn.answer = func([]byte) (out []byte) {
		if len(answers) > 0 {
			out, answers = answers[0], answers[1:]
		}
		return out
	}
	cfg := fakeConfig(conn)
	if reset {
		cfg = fakeConfig(resetConn{conn})
	}
	c := open(t, cfg)
	defer c.Close(context.Background())
	f := r.build()
	if err := c.Send(bounded(t), f); err != nil {
		t.Fatal(err)
	}
	a, err := read(f)
	if cut == len(r.bytes) {
		if err != nil {
			t.Errorf("the whole exchange: %v", err)
		}
		return
	}
	checkDead(t, c, err)
	if f.Unsent() {
		t.Errorf("cut at %d: it was sent", cut)
	}
	want := ""
	for _, m := range parseSimply(r.bytes[:cut], 1<<30) {
		if !strings.ContainsAny(m[:1], "NSA") {
			want += m[:1]
		}
	}
	if a.kinds != want {
		t.Errorf("cut at %d: the caller saw %q, the server said %q", cut, a.kinds, want)
	}
	if answered := strings.Trim(want, "E") != ""; f.Answered() != answered {
		t.Errorf("cut at %d: answered %t, want %t", cut, f.Answered(), answered)
	}
	if errors.Is(err, syscall.ECONNRESET) != reset {
		t.Errorf("cut at %d, reset %t: got %v", cut, reset, err)
	}
}
