//go:build unix

package dsn

import (
	"io/fs"
	"syscall"
)

// deviceOf gives the number of the file system that holds a file, where that is
// known.
func deviceOf(info fs.FileInfo) (device uint64, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(stat.Dev), true
}
