//go:build !unix

package postgres_test

import "testing"

// fullListener gives an address where dialling gets no answer.
func fullListener(t *testing.T) string {
	t.Skip("how to fill a listener's queue is known for Unix only")
	return ""
}
