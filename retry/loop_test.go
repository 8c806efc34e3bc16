package retry_test

import (
	"testing"
	"testing/synctest"

	"github.com/duetdb/duet/retry"
)

func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		l := retry.Loop{
			Policy:   retry.Policy{Conflict: retry.Rule{MaxAttempts: 3}},
			Classify: classify,
			Notify:   func(retry.Event) { told++ },
		}
		attempt, made := script(errConflict)
		err := l.Run(t.Context(), attempt)
		if e, ok := err.(*retry.Error); !ok || e.Attempts != 3 || *made != 3 || told != 2 {
			t.Errorf("got %v after %d attempts, told %d times", err, *made, told)
		}
		attempt, _ = script(errConflict)
		if err := (retry.Loop{}).Run(t.Context(), attempt); err != errConflict {
			t.Errorf("the zero Loop gave %v", err)
		}
	})
}
