package edgedb

import (
	"context"
	"testing"
	"time"
)

// What edgedb-go asks its context, in the order in which it does.
func TestWorkContext(t *testing.T) {
	type want struct{ unsent, gone bool }
	request := func(c *workContext) { c.Done(); c.Deadline() }
	dial := func(c *workContext) {
		c.Deadline()
		ctx, stop := context.WithTimeout(c, time.Second)
		defer stop()
		if c.gone != (ctx.Err() != nil) {
			t.Error("the dial's context does not follow")
		}
	}
	tests := []struct {
		name string
		do   func(*workContext)
		want want
	}{
		{"nothing", func(*workContext) {}, want{true, false}},
		{"found closed", func(c *workContext) { c.Done() }, want{true, false}},
		{"a request", func(c *workContext) { c.Done(); request(c) }, want{false, false}},
		{"two requests", func(c *workContext) { request(c); request(c) }, want{false, false}},
		{"a dial before", func(c *workContext) { c.Done(); dial(c) }, want{true, true}},
		{"a dial at once", dial, want{true, true}},
		{"a dial after a request", func(c *workContext) { request(c); dial(c) }, want{true, true}},
		{"a request, begun anew, a dial", func(c *workContext) { request(c); c.restart(); c.Done(); dial(c) }, want{true, true}},
		{"two requests and a dial", func(c *workContext) { request(c); request(c); dial(c) }, want{false, true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &workContext{}
			c.begin(time.Now().Add(time.Hour))
			tt.do(c)
			if got := (want{c.unsent(), c.gone}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if c.gone != (c.Err() != nil) {
				t.Errorf("gone is %v, and the error %v", c.gone, c.Err())
			}
			c.begin(time.Time{})
			if _, ok := c.Deadline(); ok || c.gone != tt.want.gone {
				t.Errorf("begun anew: %+v", c)
			}
		})
	}
}
