// Package anon has files that have no name: event counters and epoll
// instances.
package anon

import "github.com/tinevm/tine/internal/linux"

// Stat is what fstat(2) tells of an anonymous inode.
func Stat() linux.Stat { return linux.Stat{Mode: 0o600, Nlink: 1, Blksize: 4096} }
