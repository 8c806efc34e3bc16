package faultproxy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Side is one end of a connection.
type Side uint8

const (
	// Client is who connected to the proxy.
	Client Side = iota
	// Server is what the proxy connected to.
	Server
)

// String is "client" or "server".
func (s Side) String() string {
	if s == Server {
		return "server"
	}
	return "client"
}

// Point is where in a message a fault strikes.
type Point uint8

const (
	// Before the message: all earlier messages of its direction have passed, and
	// not one byte of this one.
	Before Point = iota
	// Inside the message: Rule.N bytes of it have passed.
	Inside
	// After the message: all of it has passed, and nothing of the next one.
	After
)

// Action is a kind of harm.
type Action uint8

const (
	// Cut closes both sides at once, after what was let through has been handed
	// to the system for delivery. With Rule.Reset the client gets a RST.
	Cut Action = iota
	// CutClient closes the client's side. What the server still says is read and
	// dropped, and the server's side stays open for Rule.For, or, where that is
	// zero, until the server ends it or the rule is removed: so does a client
	// look whose machine lost its power.
	CutClient
	// HalfClose lets the server see the end of the client's bytes, whichever
	// side's message it was. The server's answers still come, and what the client
	// goes on to send is dropped.
	HalfClose
	// Stall lets nothing more of the message's direction pass for Rule.For, or,
	// where that is zero, until the rule is removed. Nothing is lost: what was
	// held back passes then.
	Stall
	// Delay makes the message, and what follows it, arrive no sooner than
	// Rule.For ± Rule.Jitter from now, in order. As with a slow network, messages
	// travel at the same time: a hundred that are delayed by a second take a
	// second, not a hundred.
	Delay
	// Split sends the message in pieces of up to Rule.Pieces bytes, with pauses of
	// Rule.For between them.
	Split
	// Swallow drops the message.
	Swallow
	// Corrupt changes one byte of the message, at a random place of its body; of a
	// message without a body, its type. Inside changes the byte that follows the
	// first Rule.N.
	Corrupt
)

var actionNames = [...]string{"cut", "cut client", "half-close", "stall", "delay", "split", "swallow", "corrupt"}

// String is the action's name, in lower case.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return "unknown action"
}

// Rule says where harm is done, and which. The zero value cuts, once, before the
// first message of a client.
type Rule struct {
	// Name is what Proxy.Fired counts the rule by. Several may share one.
	Name string

	// From is the side that sends the message.
	From Side
	// Type is the message's type byte (PostgreSQL documentation, "Message
	// Formats"), or Startup, CancelRequest, SSLRequest, GSSENCRequest or
	// SSLAnswer, which have none. 0: any.
	Type byte
	// Text is what the message's text begins with, leading space aside and in
	// upper or lower case; empty: anything. The text is
	//   - of Parse and Query, the command;
	//   - of CommandComplete, the tag;
	//   - of ErrorResponse and NoticeResponse, the SQLSTATE;
	//   - of ReadyForQuery, the transaction's status: I, T or E;
	//   - of Bind, Describe, Execute and Close, the name of the statement or
	//     portal, or the command that it was parsed from on this connection: the
	//     Execute of a prepared COMMIT is a COMMIT.
	// Other messages have none. Only the text's first KeptText bytes are known.
	Text string

	// At is where in the message the harm is done. Split, Swallow and Corrupt take
	// the whole message at Before and at After, and at Inside what follows its
	// first N bytes.
	At Point
	// N is for Inside: so many of the message's bytes, its type and length
	// included, have passed. 0: the header and half of the body. N beyond the
	// message's end is its end.
	N int64

	// Skip lets so many matches pass first, on all connections together.
	Skip int
	// Every takes each Nth match alone, after Skip. 0 and 1: each.
	Every int
	// Chance is the probability with which a match is taken. 0 and 1: always. It
	// is drawn from the connection's own generator.
	Chance float64
	// Times is how often the rule fires. 0: once. Negative: without end.
	Times int

	// Bytes and Age are for connections whose messages are not seen: in raw mode,
	// and under TLS. There a rule matches once on each connection: when Bytes
	// bytes of the side From have passed, or when the connection is Age old, or
	// at once where that was the case before the rule was added. With neither,
	// a rule matches at a raw connection's beginning, and none under TLS.
	// Type, Text and At have no meaning there. Split and Swallow take the next N
	// bytes (0: all), Corrupt the next byte.
	//
	// A rule that has one of them is not applied to messages.
	Bytes int64
	Age   time.Duration

	// Do is what is done.
	Do Action
	// For is how long CutClient, Stall and Delay last, and the pause between the
	// pieces of Split.
	For time.Duration
	// Jitter is for Delay: the delay is between For-Jitter and For+Jitter.
	Jitter time.Duration
	// Pieces is for Split: the longest piece; the sizes are random. 0 and 1:
	// single bytes.
	Pieces int
	// Reset is for Cut and CutClient: the client gets a RST instead of a FIN, so
	// that reading gives ECONNRESET and not io.EOF.
	Reset bool
}

// raw says that the rule is about bytes and time, not about messages.
func (r *Rule) raw() bool { return r.Bytes > 0 || r.Age > 0 }

// errRemoved is what Wait says of a rule that was removed before it fired.
var errRemoved = errors.New("faultproxy: the rule was removed before it fired")

// Planted is a rule that was added to a proxy. It is safe for concurrent use.
type Planted struct {
	rule  Rule
	proxy *Proxy
	count *atomic.Int64 // of the rule's name
	own   atomic.Int64

	struck chan struct{} // closed when it has fired once
	strike sync.Once
	gone   chan struct{} // closed by Remove: ends its stalls
	remove sync.Once

	mu    sync.Mutex
	seen  int
	taken int
}

// Fired is how often the rule has fired. What it does to a connection is seen by
// nobody before it is counted.
func (p *Planted) Fired() int64 { return p.own.Load() }

// Remove takes the rule away and ends what of it lasts: stalls go on, and
// servers whose clients were cut off are let go. It is idempotent.
func (p *Planted) Remove() {
	p.proxy.forget(p)
	p.remove.Do(func() { close(p.gone) })
}

// Wait waits until the rule has fired once and the harm is done (of a stall: has
// begun). It is an error that ctx ends, or that the rule is removed, before.
func (p *Planted) Wait(ctx context.Context) error {
	select {
	case <-p.struck:
		return nil
	default:
	}
	select {
	case <-p.struck:
		return nil
	case <-p.gone:
		return errRemoved
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// take counts a match, and says whether the rule is to fire at it. chance is
// asked only where the rule has one.
func (p *Planted) take(chance func() float64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.rule
	p.seen++
	n := p.seen - r.Skip
	if n <= 0 || r.Every > 1 && n%r.Every != 0 {
		return false
	}
	if times := max(r.Times, 1); r.Times >= 0 && p.taken >= times {
		return false
	}
	if r.Chance > 0 && r.Chance < 1 && chance() >= r.Chance {
		return false
	}
	p.taken++
	return true
}

// fired counts, before the harm is done.
func (p *Planted) fired() {
	p.own.Add(1)
	p.count.Add(1)
}

// done lets those go on who wait for the harm.
func (p *Planted) done() { p.strike.Do(func() { close(p.struck) }) }
