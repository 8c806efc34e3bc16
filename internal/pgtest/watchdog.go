package pgtest

import (
	"fmt"
	"io"
	"os/exec"
	"runtime"
)

// watchdog ends a server whose program died. pg_ctl leaves the server without a
// parent, so a program that is killed, or that ends without Close, would leave
// it behind. The watchdog is a shell that reads from a pipe which only this
// program holds open: a line means that all is well and it may go; the end of
// the pipe means that the program is gone, and it stops the server and removes
// the folder. It costs no goroutine, and works after SIGKILL too.
type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// The postmaster is found by its pid file, which it removes when it has stopped.
const watchdogScript = `read -r line && exit 0
pidfile=$1/data/postmaster.pid
pid=$(head -n 1 "$pidfile" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
n=0
while [ -e "$pidfile" ] && [ "$n" -lt 100 ]; do sleep 0.1; n=$((n+1)); done
rm -rf "$1"`

func startWatchdog(dir string, user *runAs) (*watchdog, error) {
	if runtime.GOOS == "windows" {
		return nil, nil // no shell there: a killed program leaves its server
	}
	cmd := exec.Command("/bin/sh", "-c", watchdogScript, "duet-pgtest-watchdog", dir)
	cmd.Dir = dir
	user.apply(cmd)
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("pgtest: starting the server's watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("pgtest: starting the server's watchdog: %w", err)
	}
	return &watchdog{cmd: cmd, pipe: pipe}, nil
}

// dismiss ends the watchdog without letting it do anything.
func (w *watchdog) dismiss() {
	if w == nil {
		return
	}
	_, _ = io.WriteString(w.pipe, "ok\n")
	_ = w.pipe.Close()
	_ = w.cmd.Wait()
}
