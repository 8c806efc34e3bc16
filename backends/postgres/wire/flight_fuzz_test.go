package wire_test

import (
	"context"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/duetdb/duet/backends/postgres/wire"
)

// shapes are the flights that are fuzzed, each with what a server may answer,
// as type bytes without the asynchronous ones: the oracle for what may count
// as success.
var shapes = []struct {
	build  func() *wire.Flight
	answer *regexp.Regexp
}{
	{func() *wire.Flight { return flightOf(doWhole("x")) }, regexp.MustCompile(`^(E|1E|1t+E|1t*[Tn](E|2(E|[DdcHG]*(E|[CI]E?))))Z`)},
	{func() *wire.Flight { return flightOf(doBind("s"), doExecute, doSync) }, regexp.MustCompile(`^(E|2(E|[DdcHG]*(E|[CI]E?)))Z`)},
	{func() *wire.Flight { return flightOf(doQuery("x")) }, regexp.MustCompile(`^[TDCIdcHG]*E?Z`)},
	{func() *wire.Flight { return flightOf(doParse("s", "x"), doSync, doSync) }, regexp.MustCompile(`^(E|1E?)ZE?Z`)},
	{func() *wire.Flight {
		return flightOf(func(f *wire.Flight) error { return f.CloseStatement("s") }, doCommand("x"), doSync, doQuery("y"))
	}, regexp.MustCompile(`^(E|3(E|1(E|2(E|[DdcHG]*(E|[CI]E?)))))Z[TDCIdcHG]*E?Z`)},
}

// The ways to read that are fuzzed.
const (
	fuzzRead = iota
	fuzzAbandon
	fuzzLazy
	fuzzLone // a second, lone flight follows
	fuzzWays
)

// FuzzFlight lets a server answer anything to flights of each shape. It must
// end, in an error or in an answer that the protocol allows; memory is bounded,
// and no goroutine is left.
func FuzzFlight(f *testing.F) {
	copyIn := message('G', "\x00\x00\x00")
	for _, seed := range [][]byte{
		wholeAnswer("v"),
		cat(wholeAnswer("v"), wholeAnswer("w")),
		cat(parsed, noParams, noData, boundOk, complete, ready),
		cat(boundOk, rowOf("v"), rowOf("w"), complete, ready, killed),
		cat(oneField, rowOf("v"), complete, message('I', ""), failure, ready),
		cat(parsed, ready, ready),
		cat(message('3', ""), parsed, boundOk, complete, ready, oneField, complete, ready),
		cat(failure, ready), cat(failure, killed), cat(failure, failure, ready),
		cat(parsed, boundOk, copyIn, failure, ready),
		cat(boundOk, message('H', "\x00\x00\x00"), message('d', "x"), message('c', ""), complete, ready),
		cat(message('N', "Mhello\x00\x00"), message('S', "a\x00b\x00"), message('A', "\x00\x00\x00\x01a\x00b\x00"), wholeAnswer("v")),
		cat(parsed, frame('D', 1<<29, "x")), frame('Z', 3, ""), message('Z', "X"),
	} {
		for shape := range shapes {
			for way := range byte(fuzzWays) {
				f.Add(seed, byte(shape), way)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, shape, way byte) {
		if len(data) > 1<<20 {
			t.Skip("larger than needed")
		}
		s := shapes[int(shape)%len(shapes)]
		before := runtime.NumGoroutine()
		var c *wire.Conn
		var err error
		done := false
		used := allocated(func() {
			c, _ = runningFake(t, data)
			done, err = fuzzOne(t, c, s.build(), way%fuzzWays)
			if err := c.Close(context.Background()); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		if most := uint64(2<<20 + 60*len(data)); used > most {
			t.Errorf("%d bytes of memory for %d bytes read", used, len(data))
		}
		kinds := ""
		for _, m := range parseSimply(data, wire.MessageLimit) {
			if m[0] != 'N' && m[0] != 'S' && m[0] != 'A' {
				kinds += m[:1]
			}
		}
		if done && !s.answer.MatchString(kinds) {
			t.Errorf("%q was taken for an answer to shape %d", kinds, shape)
		}
		for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("%d goroutines before, %d after: %v", before, runtime.NumGoroutine(), err)
			}
		}
	})
}

// fuzzOne runs one flight and says whether it was answered to its end.
func fuzzOne(t *testing.T, c *wire.Conn, f *wire.Flight, way byte) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if way == fuzzLazy {
		if err := c.SendLazy(f); err != nil {
			t.Errorf("SendLazy: %v", err)
		}
		_, err := exchange(ctx, c, flightOf(doWhole("y")))
		return false, err
	}
	if err := c.Send(ctx, f); err != nil {
		t.Errorf("Send: %v", err)
		return false, err
	}
	if way == fuzzAbandon {
		f.Abandon()
		idle := make(chan struct{})
		c.WhenIdle(func() { close(idle) })
		<-idle
		return false, nil
	}
	_, err := read(f)
	if ctx.Err() != nil {
		t.Fatalf("it did not end: %v", err)
	}
	if (err == nil) != (c.Err() == nil) {
		t.Errorf("the flight: %v; the connection: %v", err, c.Err())
	}
	if f.Unsent() {
		t.Error("it was sent")
	}
	if way == fuzzLone && err == nil {
		next := flightOf(doWhole("y"))
		next.Lone = true
		_, _ = exchange(ctx, c, next)
	}
	return err == nil, err
}
