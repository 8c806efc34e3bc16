//go:build !unix

package dsn

import "io/fs"

// ownedByRoot is false where files have no such owner.
func ownedByRoot(fs.FileInfo) bool { return false }
