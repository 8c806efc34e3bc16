package committoken

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestTokensDifferAndAreOrdered(t *testing.T) {
	seen := map[Token]bool{}
	for range 100_000 {
		token := New()
		if seen[token] || seen[token.Twin()] || token == token.Twin() || token.Twin().Twin() != token.Twin() {
			t.Fatalf("%x is not new, or has no twin of its own", token)
		}
		seen[token] = true
		if token[6]>>4 != 7 || token[8]>>6 != 2 {
			t.Fatalf("%x is no UUID of version 7", token)
		}
	}
}

func TestTokensFollowTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tokens [][]byte
		for range 100 {
			token := New()
			tokens = append(tokens, token[:])
			time.Sleep(time.Millisecond)
		}
		if !slices.IsSortedFunc(tokens, bytes.Compare) {
			t.Error("tokens made a millisecond apart are not in order")
		}
	})
}

func TestPruner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pruner
		due := 0
		for range 60 {
			for range 10 {
				if p.Due() {
					due++
				}
			}
			time.Sleep(time.Minute)
		}
		if due != 6 {
			t.Errorf("due %d times in an hour, want 6", due)
		}
		due = 0
		for range 10 * pruneAfter { // faster than time
			if p.Due() {
				due++
			}
		}
		if due < 9 || due > 11 {
			t.Errorf("due %d times for %d tokens, want 10", due, 10*pruneAfter)
		}
	})
}

func TestString(t *testing.T) {
	token := Token{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xee}
	if got := token.Twin().String(); got != "01234567-89ab-cdef-0123-456789abcdef" {
		t.Errorf("got %s", got)
	}
}

func TestGrace(t *testing.T) {
	for set, want := range map[time.Duration]time.Duration{0: time.Second, -1: 0, time.Minute: time.Minute} {
		if got := Grace(set); got != want {
			t.Errorf("%v: got %v, want %v", set, got, want)
		}
	}
}
