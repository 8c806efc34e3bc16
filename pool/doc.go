// Package pool lends connections of one kind, whatever they are: it is generic
// over the connection and knows no database. Sizes and the queue of waiters are
// those of puddle; on top of it come lifetimes, hooks, replacing of all
// connections, closing that is bounded by a context, and an error for an
// exhausted pool that says who holds the connections.
//
// What holds for every pool:
//
//   - The queue is fair: who waits longer is served first. An acquirer whose
//     connection turned out to be dead queues again.
//   - At most MaxSize connections exist at any time, those being made and those
//     being closed counted: a slot is free only once the connection in it is
//     closed.
//   - Making a connection outlives the caller who asked for it. Who gives up
//     waiting leaves the connection to the next; who waits in the queue while
//     connecting fails for another makes an attempt of his own.
//   - A panic or runtime.Goexit in a function of [Config] loses no slot. In
//     functions that run in the acquirer's or releaser's goroutine it passes
//     through; in the others (Connect, OnConnect, Close, Terminate, OnClose) it
//     becomes a [*HookError] or is dropped.
package pool
