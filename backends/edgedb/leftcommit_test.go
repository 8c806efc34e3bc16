package edgedb

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/edgedbtest"
)

// ctx ends while COMMIT is under way.
func TestLeftWhileCommitting(t *testing.T) {
	server := edgedbtest.Shared(t)
	received, answering := edgedbtest.Received, edgedbtest.Answering
	tests := []struct {
		name   string
		fault  edgedbtest.Fault
		target error // nil: told as applied
		added  int64
	}{
		{"the answer comes in time", edgedbtest.Fault{At: answering, Delay: 600 * time.Millisecond}, nil, 1},
		{"the answer is lost in time", edgedbtest.Fault{At: answering, Delay: 600 * time.Millisecond, Cut: true}, nil, 1},
		{"it is done, and the answer does not come", edgedbtest.Fault{At: answering, Delay: 9 * time.Second}, nil, 1},
		{"it is not done in time", edgedbtest.Fault{At: received, Delay: 9 * time.Second}, duet.ErrCommitUnknown, 0},
		{"it is done late", edgedbtest.Fault{At: received, Delay: 3 * time.Second}, nil, 1},
		{"it is lost late", edgedbtest.Fault{At: received, Delay: 3 * time.Second, Cut: true}, context.DeadlineExceeded, 0},
		{"it is lost in time", edgedbtest.Fault{At: received, Delay: 600 * time.Millisecond, Cut: true}, context.DeadlineExceeded, 0},
	}
	for _, tt := range tests {
		for i, way := range ways {
			for _, by := range []string{"deadline", "timeout", "cancel", "deadline"}[i : i+1] {
				t.Run(tt.name+"/"+way.name+"/"+by, func(t *testing.T) {
					t.Parallel()
					c, branch, told := tokened(t, Config{MaxConns: 3, Options: duet.Options{CommitGrace: 4 * time.Second}}, "ada")
					fault := tt.fault
					fault.Branch, fault.Type, fault.Text = branch, 'O', commitText
					defer server.Inject(fault)()
					ctx, target := t.Context(), tt.target
					view := c
					switch by {
					case "deadline":
						var stop context.CancelFunc
						ctx, stop = context.WithTimeout(ctx, 250*time.Millisecond)
						defer stop()
					case "timeout":
						view = c.With(duet.Options{Timeout: 250 * time.Millisecond})
					default:
						var cancel context.CancelFunc
						ctx, cancel = context.WithCancel(ctx)
						defer cancel()
						defer time.AfterFunc(250*time.Millisecond, cancel).Stop()
						if errors.Is(target, context.DeadlineExceeded) {
							target = context.Canceled
						}
					}
					calls := 0
					begun := time.Now()
					err := way.run(ctx, view, adds(t, &calls))
					took := time.Since(begun)
					if target == nil && err != nil || target != nil && !errors.Is(err, target) || target != duet.ErrCommitUnknown && errors.Is(err, duet.ErrCommitUnknown) {
						t.Errorf("got %v, want %v", err, target)
					}
					infos := told.take()
					if target != nil && len(infos) != 1 {
						t.Errorf("the hook is told %+v", infos)
					}
					if took > 8500*time.Millisecond {
						t.Errorf("it took %v", took)
					}
					server.Kill(branch)
					if n := balance(t, c, "ada"); n != 10+tt.added || calls != 1 {
						t.Errorf("the balance is %d after %d attempts", n, calls)
					}
				})
			}
		}
	}
}

// The client is closed by force while COMMIT is under way: it cannot look, but the
// answer may come.
func TestTerminatedWhileCommitting(t *testing.T) {
	for _, applied := range []bool{true, false} {
		_, branch, _ := tokened(t, Config{MaxConns: 1}, "ada")
		c, err := Connect(t.Context(), edgedbtest.Shared(t).DSNFor(branch), Config{MaxConns: 2, Options: duet.Options{ExactlyOnce: duet.On, CommitGrace: 5 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		struck := edgedbtest.Shared(t).Struck()
		defer edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: commitText, Delay: 500 * time.Millisecond, Cut: !applied})()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for edgedbtest.Shared(t).Struck() == struck && t.Context().Err() == nil {
				time.Sleep(time.Millisecond)
			}
			c.Pool().Terminate()
		}()
		calls := 0
		err = c.RetryingTx(t.Context(), adds(t, &calls))
		<-done
		if applied && err != nil || !applied && !errors.Is(err, duet.ErrCommitUnknown) || calls != 1 {
			t.Errorf("applied %v: %d attempts: %v", applied, calls, err)
		}
		shutDown(t, c)
	}
}

// A view whose grace is none hears at once.
func TestNoGrace(t *testing.T) {
	c, branch, told := tokened(t, Config{MaxConns: 2, Options: duet.Options{CommitGrace: -1}}, "ada")
	defer edgedbtest.Shared(t).Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: commitText, Delay: 5 * time.Second})()
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	calls := 0
	begun := time.Now()
	err := c.RetryingTx(ctx, adds(t, &calls))
	if took := time.Since(begun); !errors.Is(err, duet.ErrCommitUnknown) || !errors.Is(err, context.DeadlineExceeded) || took > 3*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	if e, _ := errors.AsType[*duet.Error](err); e == nil || !strings.Contains(e.Hint, "the token is ") {
		t.Errorf("there is no hint: %+v", e)
	}
	if infos := told.take(); len(infos) != 1 || infos[0].Err == nil || infos[0].Proof != "" {
		t.Errorf("the hook is told %+v", infos)
	}
	edgedbtest.Shared(t).Kill(branch)
}
