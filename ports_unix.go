//go:build unix

package tine

import (
	"os"

	"golang.org/x/sys/unix"
)

// readerGone reports whether f is a pipe or a socket whose other end is closed
// (POLLERR in poll(2)).
func readerGone(f *os.File) (gone bool) {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	conn.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(p, 0)
		gone = err == nil && n == 1 && p[0].Revents&unix.POLLERR != 0
	})
	return gone
}
