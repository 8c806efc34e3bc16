//go:build unix

package pgtest_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/duetdb/duet/internal/pgtest"
)

func TestServerDiesWithItsProgram(t *testing.T) {
	pgtest.Shared(t) // so that a PostgreSQL is there
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "interrupted": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), victimEnv+"=1")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			stdin, err1 := cmd.StdinPipe()
			stdout, err2 := cmd.StdoutPipe()
			if err := errors.Join(err1, err2, cmd.Start()); err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			line, err := bufio.NewReader(stdout).ReadString('\n')
			fields := strings.Fields(line)
			if err != nil || len(fields) != 3 || fields[0] != "started" {
				t.Fatalf("the victim said %q, %v", line, err)
			}
			pid, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			// The whole process group, as a terminal does.
			if err := syscall.Kill(-cmd.Process.Pid, sig); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			waitGone(t, pid, filepath.Dir(fields[2]))
		})
	}
}

// waitGone waits until neither the process nor the folder is there.
func waitGone(t *testing.T, pid int, dir string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) && !running(pid) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s: running %v, folder %v", running(pid), err)
		}
	}
}

// running says whether a process runs; a zombie, which waits for a parent that
// may never ask, does not.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: not root, so every test here runs as an ordinary user already")
	}
	pgtest.Shared(t) // so that a PostgreSQL is there
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("skipped: there is no user nobody to run as: %v", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	// go test puts the binary where only root can read it.
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(reachableDir(t), "pgtest.test")
	if err := os.WriteFile(copied, code, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), copied, "-test.v", "-test.run", "^(TestStartStopRestart|TestTLS|TestServerDiesWithItsProgram|TestReplica)$")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "HOME=/nonexistent", "XDG_CACHE_HOME=", "GOCOVERDIR=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "SKIP") || strings.Count(string(out), "\n--- PASS: Test") != 4 {
		t.Errorf("as %s: %v\n%s", u.Username, err, out)
	}
}
