package devfs_test

import (
	"bytes"
	"testing"

	"github.com/tinevm/tine/internal/fs/devfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

func TestDevices(t *testing.T) {
	sys := vfs.NewSystem()
	tty := func(*vfs.Context, uint64, uint32) (vfs.FileOps, linux.Errno) { return nil, linux.ENXIO }
	fs, errno := devfs.New(sys, devfs.Options{
		Entropy: func(p []byte) {
			for i := range p {
				p[i] = 0xa5
			}
		},
		TTY: tty,
	})
	if errno != 0 {
		t.Fatal(errno)
	}
	ns := vfs.NewNamespace(sys, fs, "devtmpfs", 0)
	defer ns.Close()
	c := &vfs.Context{Mounts: ns, Cred: &vfs.Cred{FSUID: 1000}}
	c.Root = ns.Root()
	defer c.Root.Put()
	c.Cwd = c.Root

	for _, tt := range []struct {
		name     string
		open     linux.Errno
		read     []byte
		write    int
		writeErr linux.Errno
	}{
		{"null", 0, nil, 3, 0},
		{"zero", 0, []byte{0, 0, 0, 0}, 3, 0},
		{"full", 0, []byte{0, 0, 0, 0}, 0, linux.ENOSPC},
		{"urandom", 0, []byte{0xa5, 0xa5, 0xa5, 0xa5}, 3, 0},
		{"random", 0, []byte{0xa5, 0xa5, 0xa5, 0xa5}, 3, 0},
		{"tty", linux.ENXIO, nil, 0, 0},
		{"ptmx", linux.ENXIO, nil, 0, 0},
		{"console", linux.EACCES, nil, 0, 0},
	} {
		f, errno := vfs.Open(c, c.Cwd, tt.name, linux.O_RDWR, 0)
		if errno != tt.open {
			t.Errorf("open %s = %v, want %v", tt.name, errno, tt.open)
		}
		if errno != 0 {
			continue
		}
		p := []byte{1, 2, 3, 4}
		n, _ := f.Ops.Read(f, p, 0)
		if !bytes.Equal(p[:n], tt.read) {
			t.Errorf("%s reads % x", tt.name, p[:n])
		}
		if n, errno := f.Ops.Write(f, []byte("abc"), 0); n != tt.write || errno != tt.writeErr {
			t.Errorf("write %s = %d, %v", tt.name, n, errno)
		}
		st, _ := f.Ops.Stat(f)
		if st.Mode != linux.S_IFCHR|0o666 || st.Rdev>>8 != 1 {
			t.Errorf("%s: mode %o, device %#x", tt.name, st.Mode, st.Rdev)
		}
		f.Put()
	}
	if s, errno := vfs.Readlink(c, c.Cwd, "fd"); s != "/proc/self/fd" {
		t.Errorf("fd: %q, %v", s, errno)
	}
}
