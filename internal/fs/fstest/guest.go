//go:build linux

package fstest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// guestSide performs operations on the tree under test.
type guestSide struct {
	t   *testing.T
	c   *vfs.Context
	dir vfs.Path
}

func newGuestSide(t *testing.T, c *vfs.Context, dir string) *guestSide {
	p, errno := vfs.Lookup(c, c.Cwd, dir, 0)
	if errno != 0 {
		t.Fatalf("%s: %v", dir, errno)
	}
	return &guestSide{t, c, p}
}

func (g *guestSide) close() { g.dir.Put() }

func (g *guestSide) do(o *op) result {
	c, d := g.c, g.dir
	switch o.kind {
	case "open":
		return g.open(o)
	case "append":
		o2 := *o
		o2.flags = unix.O_WRONLY | unix.O_APPEND | unix.O_NONBLOCK
		return g.open(&o2)
	case "mkdir":
		return result{errno: vfs.Mkdir(c, d, o.name, o.mode)}
	case "rmdir":
		return result{errno: vfs.Rmdir(c, d, o.name)}
	case "unlink":
		return result{errno: vfs.Unlink(c, d, o.name)}
	case "rename":
		return result{errno: vfs.RenameAt(c, d, o.name, d, o.to, uint32(o.flags))}
	case "link":
		return result{errno: vfs.Link(c, d, o.name, d, o.to, uint64(o.flags))}
	case "symlink":
		return result{errno: vfs.Symlink(c, o.to, d, o.name)}
	case "mkfifo":
		return result{errno: vfs.Mknod(c, d, o.name, linux.S_IFIFO|o.mode, 0)}
	case "truncate":
		if o.name == "" {
			return result{errno: linux.ENOENT}
		}
		return result{errno: vfs.Truncate(c, d, o.name, o.size)}
	case "access":
		return result{errno: vfs.Access(c, d, o.name, o.mode&7, 0)}
	case "chmod":
		return g.at(o, func(p vfs.Path) linux.Errno { return vfs.Chmod(c, p, o.chmodMode()) })
	case "utimes":
		return g.at(o, func(p vfs.Path) linux.Errno {
			return vfs.Utimes(c, p, &[2]vfs.Time{{Sec: o.size}, {Sec: o.off}})
		})
	case "readlink":
		s, errno := vfs.Readlink(c, d, o.name)
		return result{errno, s}
	case "stat", "lstat":
		return g.stat(o)
	case "readdir":
		return g.readdir(o)
	}
	panic(o.kind)
}

func (g *guestSide) at(o *op, fn func(vfs.Path) linux.Errno) result {
	p, errno := vfs.Lookup(g.c, g.dir, o.name, 0)
	if errno != 0 {
		return result{errno: errno}
	}
	defer p.Put()
	return result{errno: fn(p)}
}

func (g *guestSide) stat(o *op) result {
	flags := uint64(0)
	if o.kind == "lstat" {
		flags = linux.AT_SYMLINK_NOFOLLOW
	}
	st, errno := vfs.Stat(g.c, g.dir, o.name, flags)
	if errno != 0 {
		return result{errno: errno}
	}
	return result{0, describe(st.Mode, st.Nlink, st.Size)}
}

func (g *guestSide) open(o *op) result {
	if st, errno := vfs.Stat(g.c, g.dir, o.name, 0); errno == 0 && st.Mode&linux.S_IFMT == linux.S_IFIFO {
		return result{}
	}
	f, errno := vfs.Open(g.c, g.dir, o.name, uint32(o.flags), o.mode|0o600)
	if errno != 0 {
		return result{errno: errno}
	}
	defer f.Put()
	if o.flags&unix.O_PATH != 0 {
		return result{}
	}
	st, _ := vfs.Fstat(f)
	if st.Mode&linux.S_IFMT != linux.S_IFREG {
		return result{}
	}
	if o.flags&unix.O_APPEND != 0 {
		vfs.RemovePriv(g.c, f.Path)
		n, errno := f.Ops.Write(f, []byte(o.data), st.Size)
		return result{errno, fmt.Sprint(n)}
	}
	if f.Writable() && len(o.data) > 0 {
		vfs.RemovePriv(g.c, f.Path)
		f.Ops.Write(f, []byte(o.data), o.off)
	}
	if !f.Readable() {
		return result{}
	}
	buf := make([]byte, 30000)
	n, errno := f.Ops.Read(f, buf, o.off/2)
	return result{errno, string(buf[:n])}
}

func (g *guestSide) readdir(o *op) result {
	list, errno := g.list(g.dir, o.name)
	return result{errno, strings.Join(list, " ")}
}

// list returns the names in a directory, a few at a time.
func (g *guestSide) list(start vfs.Path, name string) (list []string, errno linux.Errno) {
	f, errno := vfs.Open(g.c, start, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if errno != 0 {
		return nil, errno
	}
	defer f.Put()
	for pos := int64(0); ; {
		k := 0
		errno := f.Ops.ReadDir(f, g.c, pos, func(name string, _ uint64, _ uint8, next int64) bool {
			if pos = next; name != "." && name != ".." {
				list = append(list, name)
			}
			k++
			return k < 3
		})
		if errno != 0 || k == 0 {
			slices.Sort(list)
			return list, errno
		}
	}
}

// tree lists everything below the directory.
func (g *guestSide) tree() (list []string) {
	user := g.c.Cred
	g.c.Cred = &vfs.Cred{Caps: ^uint64(0)}
	defer func() { g.c.Cred = user }()
	var visit func(name string)
	visit = func(name string) {
		st, errno := vfs.Stat(g.c, g.dir, name, linux.AT_SYMLINK_NOFOLLOW)
		if errno != 0 {
			g.t.Errorf("stat %s: %v", name, errno)
			return
		}
		line := strings.TrimPrefix(name, "./") + " " + describe(st.Mode, st.Nlink, st.Size)
		switch st.Mode & linux.S_IFMT {
		case linux.S_IFREG:
			line += " " + digest(g.contents(name, st.Size))
		case linux.S_IFLNK:
			s, _ := vfs.Readlink(g.c, g.dir, name)
			line += " " + s
		case linux.S_IFDIR:
			names, errno := g.list(g.dir, name)
			if errno != 0 {
				g.t.Errorf("list %s: %v", name, errno)
			}
			for _, n := range names {
				visit(name + "/" + n)
			}
		}
		list = append(list, line)
	}
	visit(".")
	slices.Sort(list)
	return list
}

// contents reads a file in odd pieces.
func (g *guestSide) contents(name string, size int64) (b []byte) {
	f, errno := vfs.Open(g.c, g.dir, name, unix.O_RDONLY, 0)
	if errno != 0 {
		g.t.Errorf("open %s: %v", name, errno)
		return nil
	}
	defer f.Put()
	buf := make([]byte, 4999)
	for {
		n, errno := f.Ops.Read(f, buf, int64(len(b)))
		if errno != 0 {
			g.t.Errorf("read %s: %v", name, errno)
		}
		if n == 0 {
			return b
		}
		b = append(b, buf[:n]...)
	}
}
