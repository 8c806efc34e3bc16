package pool

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrClosed is returned by acquires from a pool that is closed or being
	// closed.
	ErrClosed = errors.New("pool: closed")
	// ErrNone is returned by TryAcquire when no connection is idle.
	ErrNone = errors.New("pool: no connection is idle")
	// ErrExhausted is matched by every [*ExhaustedError].
	ErrExhausted = errors.New("pool: exhausted")
)

// ExhaustedError is returned by an acquire that ended without a connection. It
// matches [ErrExhausted], and where the caller's ctx ended the wait, also ctx's
// error and cause; a wait that AcquireTimeout ended matches neither.
type ExhaustedError struct {
	// Waited is how long the acquire waited.
	Waited time.Duration
	// MaxSize, InUse, Connecting and Closing are the pool's figures then.
	MaxSize, InUse, Connecting, Closing int32
	// Waiting counts the other acquires that waited.
	Waiting int32
	// Dialing says that a connection was being made for this acquire: the server
	// was slow, rather than the pool too small.
	Dialing bool
	// Own is how many connections the acquirer's own ctx carried where these were
	// all of the pool's, otherwise 0. There was no wait then.
	Own int32
	// Crossed says that all connections were held by acquirers who waited for
	// another one, the caller among them, and none of them for less than a second.
	// There was no wait then.
	Crossed bool
	// Holders are those who had connections longest, at most three.
	Holders []Holder
	// ConnectErr is the error of the last attempt to connect, where it failed. It
	// is not unwrapped.
	ConnectErr error
	// Err and Cause are ctx's error and its cause where ctx ended the wait.
	Err, Cause error
}

func (p *Pool[T]) exhaustedError(waited time.Duration, own int32) *ExhaustedError {
	p.exhausted.Add(1)
	s := p.Stat()
	e := &ExhaustedError{
		Waited: waited, MaxSize: s.MaxSize, InUse: s.InUse, Connecting: s.Connecting, Closing: s.Closing,
		Waiting: s.Waiting, Own: own, Holders: p.holders(),
	}
	if own == 0 {
		e.Waiting = max(0, e.Waiting-1) // without this one
	}
	p.mu.Lock()
	e.ConnectErr = p.lastErr
	p.mu.Unlock()
	return e
}

// Error says how long was waited for what, who holds the connections, and what
// can be done.
func (e *ExhaustedError) Error() string {
	var b strings.Builder
	if e.Own > 0 {
		fmt.Fprintf(&b, "pool: the caller already holds all %d connections of the pool and would wait for itself; "+
			"use what it holds, or raise MaxSize", e.Own)
		return b.String()
	}
	if e.Crossed {
		fmt.Fprintf(&b, "pool: all %d connections are held by callers who wait for another one, and none would come back soon; held longest: ", e.MaxSize)
		writeHolders(&b, e.Holders)
		b.WriteString("; use what is held, or raise MaxSize")
		return b.String()
	}
	fmt.Fprintf(&b, "pool: no connection after %v", e.Waited.Round(time.Microsecond))
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	if e.Dialing {
		b.WriteString(": connecting was not done")
	}
	fmt.Fprintf(&b, ": %d of %d in use", e.InUse, e.MaxSize)
	for _, n := range []struct {
		n    int32
		what string
	}{{e.Connecting, "being made"}, {e.Closing, "being closed"}, {e.Waiting, "others waiting"}} {
		if n.n > 0 {
			fmt.Fprintf(&b, ", %d %s", n.n, n.what)
		}
	}
	if len(e.Holders) > 0 {
		b.WriteString("; held longest: ")
		writeHolders(&b, e.Holders)
	}
	if e.ConnectErr != nil {
		fmt.Fprintf(&b, "; connecting failed last with: %v", e.ConnectErr)
	}
	if !e.Dialing && e.InUse > 0 {
		b.WriteString("; release sooner, or raise MaxSize")
	}
	return b.String()
}

func writeHolders(b *strings.Builder, hs []Holder) {
	for i, h := range hs {
		if i > 0 {
			b.WriteString(", ")
		}
		if h.Name == "" {
			b.WriteString("unnamed")
		} else {
			fmt.Fprintf(b, "%q", h.Name)
		}
		fmt.Fprintf(b, " %v", h.Held.Round(time.Microsecond))
		if h.Wants {
			b.WriteString(" (waits for another one itself)")
		}
		// The innermost frames: the pool's caller and who called that.
		for j, f := range h.Stack[:min(len(h.Stack), 4)] {
			sep := " < "
			if j == 0 {
				sep = " at "
			}
			fmt.Fprintf(b, "%s%s:%d", sep, f.Function, f.Line)
		}
	}
}

// Is matches [ErrExhausted].
func (e *ExhaustedError) Is(target error) bool { return target == ErrExhausted }

// Unwrap gives ctx's error and cause, if any.
func (e *ExhaustedError) Unwrap() []error {
	var errs []error
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	if e.Cause != nil {
		errs = append(errs, e.Cause)
	}
	return errs
}

// HookError is the error of a function of [Config] other than Connect, or a
// panic in one.
type HookError struct {
	// Hook is the name of the field of Config.
	Hook string
	// Err is what it failed with.
	Err error
}

// Error names the hook.
func (e *HookError) Error() string { return "pool: " + e.Hook + ": " + e.Err.Error() }

// Unwrap gives the hook's own error.
func (e *HookError) Unwrap() error { return e.Err }

// PanicError is a panic, or runtime.Goexit, of a function that ran in a
// goroutine of the pool.
type PanicError struct {
	// Value is the panic's; nil for runtime.Goexit.
	Value any
	// Stack is the stack of the panic. Error does not show it.
	Stack []byte
}

// Error says what the panic was.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return "ended by runtime.Goexit"
	}
	return fmt.Sprintf("panic: %v", e.Value)
}

// CloseError is returned by a Close whose ctx ended before everything was closed.
type CloseError struct {
	// Out is how many connections were still lent, and have been terminated.
	Out int32
	// Other is how many were neither: in the making, idle or being closed.
	Other int32
	// Holders are those who had connections longest, at most three.
	Holders []Holder
	// Err is ctx's error.
	Err error
}

// Error says how many connections were left and who had them.
func (e *CloseError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pool: close: %v: %d connections were still out and were terminated", e.Err, e.Out)
	if e.Other > 0 {
		fmt.Fprintf(&b, ", %d more were being made or closed", e.Other)
	}
	if len(e.Holders) > 0 {
		b.WriteString("; held longest: ")
		writeHolders(&b, e.Holders)
	}
	return b.String()
}

// Unwrap gives ctx's error.
func (e *CloseError) Unwrap() error { return e.Err }
