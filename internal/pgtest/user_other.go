//go:build !unix

package pgtest

import (
	"os"
	"os/exec"
)

// runAs is the user that the server runs as. Here it is always nil, the
// program's own: pg_ctl drops an administrator's privileges by itself.
type runAs struct{ name string }

func serverUser() (*runAs, error) { return nil, nil }

func (u *runAs) apply(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func (u *runAs) own(string) error { return nil }

func (u *runAs) canReach(string) bool { return true }

// checkPrivate only holds that the folder is there: the temporary folder is the
// user's own.
func checkPrivate(dir string) error {
	_, err := os.Stat(dir)
	return err
}
