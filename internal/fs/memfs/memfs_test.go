package memfs_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// tree makes a namespace with an empty memfs as root, and root as the caller.
func tree(t *testing.T, o memfs.Options) (*vfs.Context, *memfs.FS) {
	t.Helper()
	clock := int64(1000)
	o.Now = func() (int64, int64) { clock++; return clock, 0 }
	fs := memfs.New(o)
	ns := vfs.NewNamespace(vfs.NewSystem(), fs, "none", 0)
	c := &vfs.Context{Mounts: ns, MayMount: true, Cred: &vfs.Cred{Caps: ^uint64(0)}, Now: o.Now}
	c.Root = ns.Root()
	c.Cwd = c.Root.Get()
	t.Cleanup(func() {
		c.Cwd.Put()
		c.Root.Put()
		ns.Close()
		if o.Account != nil && !o.Account.Close() {
			t.Errorf("%d bytes of memory left after close", o.Account.Used())
		}
	})
	return c, fs
}

func must(t *testing.T, errno linux.Errno) {
	t.Helper()
	if errno != 0 {
		t.Fatalf("unexpected %v", errno)
	}
}

func open(t *testing.T, c *vfs.Context, name string, flags uint32) *vfs.File {
	t.Helper()
	f, errno := vfs.Open(c, c.Cwd, name, flags, 0o644)
	if errno != 0 {
		t.Fatalf("open %s: %v", name, errno)
	}
	return f
}

func write(t *testing.T, f *vfs.File, s string, off int64) {
	t.Helper()
	if n, errno := f.Ops.Write(f, []byte(s), off); n != len(s) || errno != 0 {
		t.Fatalf("write = %d, %v", n, errno)
	}
}

func read(t *testing.T, f *vfs.File, n int, off int64) string {
	t.Helper()
	p := make([]byte, n)
	k, errno := f.Ops.Read(f, p, off)
	must(t, errno)
	return string(p[:k])
}

func TestUnlinkedFileLivesUntilClosed(t *testing.T) {
	acct := mm.NewAccount(1 << 20)
	c, _ := tree(t, memfs.Options{Account: acct})
	f := open(t, c, "f", linux.O_CREAT|linux.O_RDWR)
	write(t, f, "hello", 0)
	must(t, vfs.Unlink(c, c.Cwd, "f"))
	if got := read(t, f, 10, 0); got != "hello" {
		t.Errorf("read %q after unlink", got)
	}
	if st, _ := vfs.Fstat(f); st.Nlink != 0 {
		t.Errorf("nlink = %d", st.Nlink)
	}
	if got := f.Path.String(); got != "/f (deleted)" {
		t.Errorf("name %q", got)
	}
	if acct.Used() == 0 {
		t.Error("contents freed while open")
	}
	f.Put()
	if acct.Used() != 0 {
		t.Errorf("%d bytes kept after close", acct.Used())
	}
}

func TestLimits(t *testing.T) {
	c, fs := tree(t, memfs.Options{Size: 3 * mm.PageSize, Inodes: 4})
	f := open(t, c, "f", linux.O_CREAT|linux.O_RDWR)
	defer f.Put()
	buf := bytes.Repeat([]byte("x"), 5*mm.PageSize)
	if n, errno := f.Ops.Write(f, buf, 100); n != 3*mm.PageSize-100 || errno != 0 {
		t.Errorf("write to a full file system = %d, %v", n, errno)
	}
	if _, errno := f.Ops.Write(f, buf, 3*mm.PageSize); errno != linux.ENOSPC {
		t.Errorf("write = %v, want ENOSPC", errno)
	}
	if st, _ := fs.Statfs(); st.Blocks != 3 || st.Free != 0 {
		t.Errorf("statfs: %d blocks, %d free", st.Blocks, st.Free)
	}
	must(t, vfs.Ftruncate(c, f, 0))
	if n, errno := f.Ops.Write(f, buf[:10], 2*mm.PageSize); n != 10 || errno != 0 {
		t.Errorf("write after truncate = %d, %v", n, errno)
	}
	must(t, vfs.Mkdir(c, c.Cwd, "d1", 0o755))
	must(t, vfs.Mkdir(c, c.Cwd, "d2", 0o755))
	if errno := vfs.Mkdir(c, c.Cwd, "d3", 0o755); errno != linux.ENOSPC {
		t.Errorf("mkdir beyond the limit = %v", errno)
	}
	must(t, vfs.Rmdir(c, c.Cwd, "d1"))
	must(t, vfs.Mkdir(c, c.Cwd, "d3", 0o755))
}

func TestSparse(t *testing.T) {
	c, _ := tree(t, memfs.Options{})
	f := open(t, c, "f", linux.O_CREAT|linux.O_RDWR)
	defer f.Put()
	write(t, f, "a", 0)
	write(t, f, "b", 10*mm.PageSize)
	st, _ := vfs.Fstat(f)
	if st.Size != 10*mm.PageSize+1 || st.Blocks != 16 {
		t.Errorf("size %d, %d blocks", st.Size, st.Blocks)
	}
	s := f.Ops.(interface {
		Seek(*vfs.File, int64, int) (int64, linux.Errno)
	})
	for _, tt := range []struct {
		off    int64
		whence int
		want   int64
		err    linux.Errno
	}{
		{0, linux.SEEK_DATA, 0, 0}, {0, linux.SEEK_HOLE, 4096, 0}, {5000, linux.SEEK_DATA, 40960, 0}, {5000, linux.SEEK_HOLE, 5000, 0},
		{40960, linux.SEEK_HOLE, 40961, 0}, {40961, linux.SEEK_DATA, 0, linux.ENXIO},
	} {
		if got, errno := s.Seek(f, tt.off, tt.whence); got != tt.want || errno != tt.err {
			t.Errorf("seek %d whence %d = %d, %v", tt.off, tt.whence, got, errno)
		}
	}
	must(t, f.Ops.Allocate(f, linux.FALLOC_FL_PUNCH_HOLE|linux.FALLOC_FL_KEEP_SIZE, 0, 4096))
	if st, _ := vfs.Fstat(f); st.Blocks != 8 {
		t.Errorf("%d blocks after punching", st.Blocks)
	}
	if got := read(t, f, 1, 0); got != "\x00" {
		t.Errorf("hole reads %q", got)
	}
}

func TestReadDirWhileRemoving(t *testing.T) {
	c, _ := tree(t, memfs.Options{})
	for i := range 100 {
		must(t, vfs.Mkdir(c, c.Cwd, fmt.Sprint(i), 0o755))
	}
	d := open(t, c, ".", linux.O_RDONLY|linux.O_DIRECTORY)
	defer d.Put()
	seen := make(map[string]int)
	for pos := int64(0); ; {
		var names []string
		must(t, d.Ops.ReadDir(d, c, pos, func(name string, _ uint64, _ uint8, next int64) bool {
			names = append(names, name)
			pos = next
			return len(names) < 7
		}))
		if len(names) == 0 {
			break
		}
		for _, n := range names {
			if seen[n]++; n != "." && n != ".." {
				must(t, vfs.Rmdir(c, c.Cwd, n))
			}
		}
	}
	if len(seen) != 102 {
		t.Errorf("saw %d names of 102", len(seen))
	}
}

func TestTmpfileAndLink(t *testing.T) {
	c, _ := tree(t, memfs.Options{})
	f := open(t, c, ".", linux.O_TMPFILE|linux.O_RDWR)
	write(t, f, "data", 0)
	must(t, vfs.Link(c, f.Path, "", c.Cwd, "named", linux.AT_EMPTY_PATH))
	f.Put()
	g := open(t, c, "named", linux.O_RDONLY)
	defer g.Put()
	if got := read(t, g, 10, 0); got != "data" {
		t.Errorf("read %q", got)
	}
}

func TestXattr(t *testing.T) {
	c, _ := tree(t, memfs.Options{})
	f := open(t, c, "f", linux.O_CREAT|linux.O_RDWR)
	defer f.Put()
	must(t, vfs.SetXattr(c, f.Path, "user.b", []byte("2"), 0))
	must(t, vfs.SetXattr(c, f.Path, "user.a", []byte("1"), linux.XATTR_CREATE))
	if errno := vfs.SetXattr(c, f.Path, "user.a", nil, linux.XATTR_CREATE); errno != linux.EEXIST {
		t.Errorf("create again: %v", errno)
	}
	if errno := vfs.SetXattr(c, f.Path, "user.z", nil, linux.XATTR_REPLACE); errno != linux.ENODATA {
		t.Errorf("replace nothing: %v", errno)
	}
	if v, errno := vfs.GetXattr(c, f.Path, "user.b"); string(v) != "2" || errno != 0 {
		t.Errorf("get = %q, %v", v, errno)
	}
	if l, _ := vfs.ListXattr(c, f.Path); string(l) != "user.a\x00user.b\x00" {
		t.Errorf("list = %q", l)
	}
	if _, errno := vfs.GetXattr(c, f.Path, "system.posix_acl_access"); errno != linux.EOPNOTSUPP {
		t.Errorf("acl: %v", errno)
	}
	must(t, vfs.RemoveXattr(c, f.Path, "user.a"))
	if _, errno := vfs.GetXattr(c, f.Path, "user.a"); errno != linux.ENODATA {
		t.Errorf("removed: %v", errno)
	}
}

func TestXattrLimit(t *testing.T) {
	c, _ := tree(t, memfs.Options{Inodes: 100})
	value := make([]byte, 60000)
	errno := linux.Errno(0)
	for i := 0; i < 50 && errno == 0; i++ {
		f := open(t, c, fmt.Sprint(i), linux.O_CREAT|linux.O_RDWR)
		errno = vfs.SetXattr(c, f.Path, "user.x", value, 0)
		f.Put()
	}
	if errno != linux.ENOSPC {
		t.Errorf("3 MB of attributes: %v", errno)
	}
	must(t, vfs.Unlink(c, c.Cwd, "0"))
	f := open(t, c, "1", linux.O_RDWR)
	defer f.Put()
	must(t, vfs.SetXattr(c, f.Path, "user.y", value[:50000], 0))
}
