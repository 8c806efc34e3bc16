package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress writes a line again and again while work goes on: in place on a
// terminal, else now and then below the last one.
type progress struct {
	out     io.Writer
	inPlace bool
	line    func() string
	quit    chan struct{}
	done    chan struct{}
}

// startProgress begins; stop ends it and writes the last state.
func startProgress(out io.Writer, plain bool, line func() string) *progress {
	p := &progress{out: out, inPlace: !plain && isTerminal(out), line: line, quit: make(chan struct{}), done: make(chan struct{})}
	every := 2 * time.Second
	if p.inPlace {
		every = 100 * time.Millisecond
	}
	go p.run(every)
	return p
}

func (p *progress) run(every time.Duration) {
	defer close(p.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.write("")
		case <-p.quit:
			p.write("\n")
			return
		}
	}
}

func (p *progress) write(end string) {
	if p.inPlace {
		fmt.Fprint(p.out, "\r"+p.line()+"\x1b[K"+end) // and clear the rest of the line
		return
	}
	fmt.Fprintln(p.out, p.line())
}

func (p *progress) stop() {
	close(p.quit)
	<-p.done
}

// isTerminal says whether somebody watches.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
