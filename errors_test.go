package duet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/duetdb/duet"
)

var sentinels = map[duet.Kind]error{
	duet.KindNoData: duet.ErrNoData, duet.KindCardinality: duet.ErrCardinality,
	duet.KindUniqueViolation: duet.ErrUniqueViolation, duet.KindForeignKeyViolation: duet.ErrForeignKeyViolation,
	duet.KindNotNullViolation: duet.ErrNotNullViolation, duet.KindCheckViolation: duet.ErrCheckViolation,
	duet.KindSerialization: duet.ErrSerialization, duet.KindDeadlock: duet.ErrDeadlock, duet.KindSyntax: duet.ErrSyntax,
	duet.KindUndefined: duet.ErrUndefined, duet.KindInvalidArgument: duet.ErrInvalidArgument, duet.KindInvalidResult: duet.ErrInvalidResult,
	duet.KindReadOnly: duet.ErrReadOnly, duet.KindAuthentication: duet.ErrAuthentication, duet.KindPermission: duet.ErrPermission,
	duet.KindUnavailable: duet.ErrUnavailable, duet.KindClosed: duet.ErrClosed, duet.KindUnsupported: duet.ErrUnsupported,
	duet.KindCommitUnknown: duet.ErrCommitUnknown, duet.KindPoolExhausted: duet.ErrPoolExhausted,
}

// Each sentinel stands for its own kind, and for no other.
func TestSentinels(t *testing.T) {
	for kind := duet.KindOther; kind <= duet.KindConfig; kind++ {
		err := fmt.Errorf("wrapped: %w", &duet.Error{Kind: kind})
		for of, sentinel := range sentinels {
			if got := errors.Is(err, sentinel); got != (of == kind) {
				t.Errorf("errors.Is(an error of kind %v, %v) is %v", kind, sentinel, got)
			}
		}
		if got := duet.KindOf(err); got != kind {
			t.Errorf("KindOf is %v, want %v", got, kind)
		}
		if got := errors.Is(err, errors.ErrUnsupported); got != (kind == duet.KindUnsupported) {
			t.Errorf("an error of kind %v is errors.ErrUnsupported: %v", kind, got)
		}
	}
	for kind, sentinel := range sentinels {
		if duet.KindOf(sentinel) != kind || !strings.HasPrefix(sentinel.Error(), "duet: ") {
			t.Errorf("%v is of kind %v", sentinel, duet.KindOf(sentinel))
		}
	}
	if !errors.Is(duet.ErrUnsupported, errors.ErrUnsupported) {
		t.Error("ErrUnsupported is not errors.ErrUnsupported")
	}
}

func TestKindOf(t *testing.T) {
	first, second := &duet.Error{Kind: duet.KindSyntax}, &duet.Error{Kind: duet.KindClosed}
	tests := []struct {
		name string
		err  error
		want duet.Kind
	}{
		{"nil", nil, duet.KindOther},
		{"foreign", io.EOF, duet.KindOther},
		{"joined", errors.Join(io.EOF, first, second), duet.KindSyntax},
		{"below another", &duet.Error{Kind: duet.KindUnavailable, Err: first}, duet.KindUnavailable},
		{"a wrapped sentinel", fmt.Errorf("x: %w", duet.ErrNoData), duet.KindNoData},
	}
	for _, tt := range tests {
		if got := duet.KindOf(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	tests := []struct {
		name string
		err  duet.Error
		want string
	}{
		{"zero", duet.Error{}, "duet: other"},
		{"kind alone", duet.Error{Kind: duet.KindNoData, Phase: duet.PhaseRun}, "duet: no data"},
		{"cause alone", duet.Error{Kind: duet.KindUnavailable, Err: io.EOF}, "duet: EOF"},
		{"message and cause", duet.Error{Message: "reading", Err: io.EOF}, "duet: reading: EOF"},
		{"server's", duet.Error{Message: "no", Code: "23505", Name: "unique_violation"}, "duet: no (23505 unique_violation)"},
		{"code alone", duet.Error{Message: "no", Code: "ZZ999"}, "duet: no (ZZ999)"},
		{"connecting", duet.Error{Phase: duet.PhaseConnect, Host: "db:5432", Message: "no"}, "duet: connecting to db:5432: no"},
		{"running elsewhere", duet.Error{Phase: duet.PhaseRun, Host: "db:5432", Message: "no"}, "duet: no"},
		{"committing", duet.Error{Phase: duet.PhaseCommit, Message: "no", Code: "40001"}, "duet: committing: no (40001)"},
		{"unknown", duet.Error{Message: "lost", Outcome: duet.OutcomeUnknown}, "duet: lost; the command may have taken effect"},
		{"applied", duet.Error{Message: "no", Outcome: duet.OutcomeApplied, Hint: "h"}, "duet: no; the command took effect\nhint: h"},
		{
			"all lines", duet.Error{Message: "no", Detail: "d", Hint: "h", Excerpt: "LINE 1: x\n        ^"},
			"duet: no\nLINE 1: x\n        ^\ndetail: d\nhint: h",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
	withCommand := duet.Error{Message: "no", Command: "select 's3cr3t'"}
	if strings.Contains(withCommand.Error(), "s3cr3t") {
		t.Errorf("the whole command is in the text: %s", withCommand.Error())
	}
}

func TestErrorUnwraps(t *testing.T) {
	err := &duet.Error{Kind: duet.KindCanceled, Err: fmt.Errorf("x: %w", context.Canceled)}
	if !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) {
		t.Errorf("the causes of %v are not its own", err)
	}
}

func TestErrorf(t *testing.T) {
	err := duet.Errorf(duet.KindClosed, "postgres", duet.PhasePool, "taking %d: %w", 5, io.EOF)
	if !errors.Is(err, io.EOF) || !errors.Is(err, duet.ErrClosed) || err.Message != "taking 5" {
		t.Errorf("%+v", err)
	}
	if got, want := err.Error(), "duet: waiting for the pool: taking 5: EOF"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	plain := duet.Errorf(duet.KindClosed, "postgres", duet.PhaseRun, "gone")
	if plain.Err != nil || plain.Error() != "duet: gone" {
		t.Errorf("%+v: %v", plain, plain)
	}
}
