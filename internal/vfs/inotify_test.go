//go:build linux

package vfs_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// decode lists events; cookies are numbered in order of appearance.
func decode(b []byte) string {
	var out []string
	cookies := map[uint32]int{0: 0}
	for len(b) >= 16 {
		cookie := binary.LittleEndian.Uint32(b[8:])
		if _, ok := cookies[cookie]; !ok {
			cookies[cookie] = len(cookies)
		}
		n := binary.LittleEndian.Uint32(b[12:])
		name, _, _ := bytes.Cut(b[16:16+n], []byte{0})
		out = append(out, fmt.Sprintf("wd%d %#x cookie%d %q(%d)", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), cookies[cookie], name, n))
		b = b[16+n:]
	}
	return strings.Join(out, "\n")
}

// TestInotifyAgainstHost does the same on the host and here and compares the
// events.
func TestInotifyAgainstHost(t *testing.T) {
	steps := []string{
		"create f", "write f", "chmod f", "read f", "link f g", "rename f h", "mkdir sub", "rename h sub/h", "mkdir d2",
		"exchange g sub", "unlink g", "trunc sub", "rmdir d2", "symlink x y", "unlink y", "create a", "rename a sub", "unlink sub",
	}
	masks := []uint32{
		unix.IN_ALL_EVENTS, unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVE, unix.IN_MODIFY | unix.IN_ONESHOT,
		unix.IN_ALL_EVENTS | unix.IN_EXCL_UNLINK, unix.IN_CLOSE_WRITE | unix.IN_ATTRIB,
	}
	for _, mask := range masks {
		for _, watched := range []string{".", "w", "both"} {
			c := tree(t)
			dir := t.TempDir()
			fd, err := unix.InotifyInit1(unix.IN_NONBLOCK)
			if err != nil {
				t.Skip(err)
			}
			in := vfs.NewInotify(linux.O_NONBLOCK)
			os.WriteFile(dir+"/w", nil, 0o644)
			touch(t, c, "w")
			for _, name := range []string{".", "w"} {
				if watched == name || watched == "both" {
					unix.InotifyAddWatch(fd, dir+"/"+name, mask)
					if _, errno := in.Ops.(*vfs.Inotify).AddWatch(c, name, mask); errno != 0 {
						t.Fatal(errno)
					}
				}
			}
			for _, s := range append(steps, "write w", "read w", "link w w2", "unlink w2", "unlink w") {
				hostStep(t, dir, s)
				guestStep(t, c, s)
			}
			buf := make([]byte, 1<<16)
			n, _ := unix.Read(fd, buf)
			want := decode(buf[:max(n, 0)])
			n, _ = in.Ops.Read(in, buf, 0)
			if got := decode(buf[:n]); got != want {
				t.Errorf("mask %#x on %s:\n%s\nwant:\n%s", mask, watched, got, want)
			}
			unix.Close(fd)
			in.Put()
		}
	}
}

func hostStep(t *testing.T, dir, s string) {
	t.Helper()
	w := strings.Fields(s)
	name := dir + "/" + w[1]
	var err error
	openClose := func(flags int, data string) error {
		fd, err := unix.Open(name, flags, 0o644)
		if err != nil {
			return err
		}
		if data != "" {
			unix.Write(fd, []byte(data))
		} else if flags&unix.O_ACCMODE == unix.O_RDONLY {
			unix.Read(fd, make([]byte, 10))
		}
		return unix.Close(fd)
	}
	switch w[0] {
	case "create":
		err = openClose(unix.O_CREAT|unix.O_WRONLY, "")
	case "write":
		err = openClose(unix.O_WRONLY, "data")
	case "read":
		err = openClose(unix.O_RDONLY, "")
	case "trunc":
		err = unix.Truncate(name, 0)
	case "chmod":
		err = unix.Chmod(name, 0o600)
	case "link":
		err = unix.Link(name, dir+"/"+w[2])
	case "rename":
		err = unix.Rename(name, dir+"/"+w[2])
	case "exchange":
		err = unix.Renameat2(unix.AT_FDCWD, name, unix.AT_FDCWD, dir+"/"+w[2], unix.RENAME_EXCHANGE)
	case "mkdir":
		err = unix.Mkdir(name, 0o755)
	case "rmdir":
		err = unix.Rmdir(name)
	case "symlink":
		err = unix.Symlink(w[1], dir+"/"+w[2])
	case "unlink":
		err = unix.Unlink(name)
	}
	if err != nil {
		t.Logf("host %s: %v", s, err)
	}
}

func guestStep(t *testing.T, c *vfs.Context, s string) {
	t.Helper()
	w := strings.Fields(s)
	openClose := func(flags uint32, data string) linux.Errno {
		f, errno := vfs.Open(c, c.Cwd, w[1], flags, 0o644)
		if errno != 0 {
			return errno
		}
		if data != "" {
			f.Ops.Write(f, []byte(data), 0)
			vfs.NotifyModify(f)
		} else if f.Readable() {
			f.Ops.Read(f, make([]byte, 10), 0)
			vfs.NotifyAccess(f)
		}
		f.Put()
		return 0
	}
	var errno linux.Errno
	switch w[0] {
	case "create":
		errno = openClose(linux.O_CREAT|linux.O_WRONLY, "")
	case "write":
		errno = openClose(linux.O_WRONLY, "data")
	case "read":
		errno = openClose(linux.O_RDONLY, "")
	case "trunc":
		errno = vfs.Truncate(c, c.Cwd, w[1], 0)
	case "chmod":
		p, _ := vfs.Lookup(c, c.Cwd, w[1], 0)
		errno = vfs.Chmod(c, p, 0o600)
		p.Put()
	case "link":
		errno = vfs.Link(c, c.Cwd, w[1], c.Cwd, w[2], 0)
	case "rename":
		errno = vfs.RenameAt(c, c.Cwd, w[1], c.Cwd, w[2], 0)
	case "exchange":
		errno = vfs.RenameAt(c, c.Cwd, w[1], c.Cwd, w[2], linux.RENAME_EXCHANGE)
	case "mkdir":
		errno = vfs.Mkdir(c, c.Cwd, w[1], 0o755)
	case "rmdir":
		errno = vfs.Rmdir(c, c.Cwd, w[1])
	case "symlink":
		errno = vfs.Symlink(c, w[1], c.Cwd, w[2])
	case "unlink":
		errno = vfs.Unlink(c, c.Cwd, w[1])
	}
	if errno != 0 {
		t.Logf("guest %s: %v", s, errno)
	}
}
