package control

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// private relies on the folder for temporary files, which is in the user's
// profile and as private as that.
func private(fs.FileInfo) bool { return true }

// lock keeps other processes from changing the folder until unlock is called.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped)); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func listen(path string) (net.Listener, error) { return net.Listen("unix", path) }

// refused reports whether nobody listens at a socket that is there.
func refused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }
