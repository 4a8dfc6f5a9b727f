package hostfs

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
)

// canAllocate: the host has fallocate(2).
const canAllocate = true

func allocate(f *os.File, mode uint32, off, length int64) linux.Errno {
	for {
		err := unix.Fallocate(int(f.Fd()), mode, off, length)
		if err != unix.EINTR {
			return toErrno(err)
		}
	}
}
