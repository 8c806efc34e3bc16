// Duet is the command of the duet library: a demo, and tools to look at a DSN, a
// server, and whether a backend keeps the library's promises.
//
//	go run github.com/duetdb/duet/cmd/duet demo
//
// It exits with 0 where all went well, with 1 where something failed, and with 2
// for wrong usage or a DSN that is wrong.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	code := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}
