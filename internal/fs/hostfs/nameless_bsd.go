//go:build unix && !linux

package hostfs

import (
	"os"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Such hosts make no files without a name, and those that have lost theirs can
// only be read and written.

func namelessHandle(*os.File) handle { return nil }

func (unixDir) tmpfile(uint32) (*os.File, linux.Errno)  { return nil, linux.EOPNOTSUPP }
func (unixDir) reopen(bool) (*os.File, linux.Errno)     { return nil, linux.ENOENT }
func (unixDir) linkFile(unixDir, string) linux.Errno    { return linux.ENOENT }
func (unixDir) setTimes(vfs.Time, vfs.Time) linux.Errno { return linux.ENOENT }
