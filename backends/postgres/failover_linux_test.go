package postgres_test

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
)

// blackHole makes an address whose host is there and answers no SYN: its queue
// of connections is full.
func blackHole(t *testing.T, ip [4]byte, port int) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	must(t, syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: ip}))
	must(t, syscall.Listen(fd, 0))
	at := net.JoinHostPort(net.IP(ip[:]).String(), itoa(port))
	for range 10 {
		nc, err := net.DialTimeout("tcp", at, 300*time.Millisecond)
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			return
		}
		must(t, err)
		t.Cleanup(func() { _ = nc.Close() })
	}
	t.Skip("skipped: this system's queues never fill")
}

// Each address of a name has its share of the time.
func TestSilentAddress(t *testing.T) {
	s := pgtest.Shared(t)
	if s.DataDir() == "" {
		t.Skip("skipped: the server is not ours")
	}
	if testing.Short() {
		t.Skip("skipped: -short, and it waits for a timeout")
	}
	blackHole(t, [4]byte{127, 0, 0, 2}, s.Port)
	start := time.Now()
	c := openDSN(t, "postgres://postgres@db.example:"+itoa(s.Port)+"/postgres?sslmode=disable&connect_timeout=4", postgres.Config{
		LookupFunc: func(context.Context, string) ([]string, error) { return []string{"127.0.0.2", "127.0.0.1"}, nil },
	})
	run(t, c, "select 1")
	if took := time.Since(start); took < time.Second {
		t.Errorf("it took %v: the first address was not silent", took)
	}
}

// The old primary freezes: its connections stay open and say nothing, and so do
// new ones. Calls end by their Options.Timeout, what they leave behind by
// CancelTimeout, and connecting by the time that a host has.
func TestPromotionWhileThePrimaryIsFrozen(t *testing.T) {
	var frozen []int
	thaw := func() {
		for _, pid := range frozen {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}
	defer thaw()
	promoteUnderLoad(t, postgres.Config{CancelTimeout: time.Second, Options: duet.Options{Timeout: time.Second}},
		func(_ context.Context, a, _ *pgtest.Server) error {
			out, err := exec.Command("ps", "-o", "pid=", "--ppid", itoa(a.PID())).Output()
			if err != nil {
				return err
			}
			for _, field := range append(strings.Fields(string(out)), itoa(a.PID())) {
				pid, err := strconv.Atoi(field)
				if err != nil {
					return err
				}
				if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
					return err
				}
				frozen = append(frozen, pid)
			}
			return nil
		},
		func(ctx context.Context, a *pgtest.Server) error {
			thaw()
			return a.Stop(ctx, "immediate")
		})
}
