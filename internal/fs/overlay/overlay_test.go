//go:build linux

package overlay_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/fs/fstest"
	"github.com/tinevm/tine/internal/fs/hostfs"
	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/fs/overlay"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// tree makes an overlay over a host folder at /dir.
func tree(t *testing.T, host string, o hostfs.Options) (*vfs.Context, *mm.Account) {
	t.Helper()
	clock := int64(1000)
	acct := mm.NewAccount(1 << 24)
	now := func() (int64, int64) { clock++; return clock, 0 }
	fs := overlay.New(memfs.Options{Account: acct, Now: now})
	if err := fs.AddHost("/dir", host, o); err != nil {
		t.Fatal(err)
	}
	ns := vfs.NewNamespace(vfs.NewSystem(), fs, "overlay", 0)
	c := &vfs.Context{Mounts: ns, MayMount: true, Cred: &vfs.Cred{Caps: ^uint64(0)}, Now: now}
	c.Root = ns.Root()
	c.Cwd = c.Root.Get()
	t.Cleanup(func() {
		c.Cwd.Put()
		c.Root.Put()
		ns.Close()
		hostfs.DropCaches()
		if !acct.Close() {
			t.Errorf("%d bytes of memory left after close", acct.Used())
		}
	})
	return c, acct
}

// populate makes the same random-ish tree in a directory.
func populate(t *testing.T, dir string) {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.MkdirAll(dir+"/a/b", 0o755))
	check(os.MkdirAll(dir+"/b/c", 0o700))
	check(os.WriteFile(dir+"/a/c", []byte(strings.Repeat("low", 3000)), 0o644))
	check(os.WriteFile(dir+"/b/c/a", []byte(strings.Repeat("deep", 100)), 0o600))
	check(os.WriteFile(dir+"/c", []byte("c"), 0o755))
	check(os.Link(dir+"/c", dir+"/b/a"))
	check(os.Symlink("a/b", dir+"/l"))
}

func TestAgainstHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("compares what root may do")
	}
	for seed := range uint64(30) {
		low, host := filepath.Join(t.TempDir(), "low"), fstest.HostDir(t)
		populate(t, low)
		populate(t, host)
		c, _ := tree(t, low, hostfs.Options{Stable: seed%2 == 0})
		fstest.CompareFrom(t, c, "dir", host, seed, 300)
		if b, err := os.ReadFile(low + "/a/c"); err != nil || string(b) != strings.Repeat("low", 3000) {
			t.Fatalf("seed %d: the lower file was changed: %v", seed, err)
		}
	}
}

func TestCopyUpIsLazy(t *testing.T) {
	low := t.TempDir()
	os.WriteFile(low+"/big", []byte(strings.Repeat("x", 100*mm.PageSize)), 0o644)
	c, acct := tree(t, low, hostfs.Options{})
	if errno := chmod(c, "dir/big", 0o600); errno != 0 {
		t.Fatal(errno)
	}
	f, errno := vfs.Open(c, c.Cwd, "dir/big", linux.O_RDWR, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer f.Put()
	if acct.Used() != 0 {
		t.Errorf("opening took %d bytes", acct.Used())
	}
	f.Ops.Write(f, []byte("yy"), 5*mm.PageSize-1)
	if acct.Used() != 2*mm.PageSize {
		t.Errorf("a write across two pages took %d bytes", acct.Used())
	}
	buf := make([]byte, 4)
	f.Ops.Read(f, buf, 5*mm.PageSize-2)
	if string(buf) != "xyyx" {
		t.Errorf("read %q", buf)
	}
	st, _ := vfs.Fstat(f)
	if st.Mode&0o777 != 0o600 || st.Size != 100*mm.PageSize {
		t.Errorf("mode %o, size %d", st.Mode, st.Size)
	}
	if b, _ := os.ReadFile(low + "/big"); strings.Contains(string(b), "y") {
		t.Error("the lower file was written")
	}
}

func chmod(c *vfs.Context, name string, mode uint32) linux.Errno {
	p, errno := vfs.Lookup(c, c.Cwd, name, 0)
	if errno != 0 {
		return errno
	}
	defer p.Put()
	return vfs.Chmod(c, p, mode)
}

func TestTruncatedLowerDataDoesNotComeBack(t *testing.T) {
	low := t.TempDir()
	os.WriteFile(low+"/f", []byte(strings.Repeat("x", 3*mm.PageSize)), 0o644)
	c, _ := tree(t, low, hostfs.Options{})
	for _, size := range []int64{10, 3 * mm.PageSize} {
		if errno := vfs.Truncate(c, c.Cwd, "dir/f", size); errno != 0 {
			t.Fatal(errno)
		}
	}
	f, _ := vfs.Open(c, c.Cwd, "dir/f", linux.O_RDONLY, 0)
	defer f.Put()
	buf := make([]byte, 3*mm.PageSize)
	n, _ := f.Ops.Read(f, buf, 0)
	if got := strings.TrimRight(string(buf[:n]), "\x00"); got != strings.Repeat("x", 10) || n != len(buf) {
		t.Errorf("%d bytes, %d of them old", n, len(got))
	}
}

func TestInodeNumbersAreStable(t *testing.T) {
	low := t.TempDir()
	populate(t, low)
	c, _ := tree(t, low, hostfs.Options{})
	before, _ := vfs.Stat(c, c.Cwd, "dir/c", 0)
	link, _ := vfs.Stat(c, c.Cwd, "dir/b/a", 0)
	if before.Ino != link.Ino || before.Nlink != 2 {
		t.Errorf("hard links: inodes %d and %d, %d links", before.Ino, link.Ino, before.Nlink)
	}
	f, errno := vfs.Open(c, c.Cwd, "dir/c", linux.O_RDWR|linux.O_APPEND, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	f.Ops.Write(f, []byte("more"), 1)
	f.Put()
	after, _ := vfs.Stat(c, c.Cwd, "dir/b/a", 0)
	if after.Ino != before.Ino || after.Size != 5 {
		t.Errorf("after copy-up through the other name: inode %d, was %d; size %d", after.Ino, before.Ino, after.Size)
	}
}

func TestSkeletonAndUnreadable(t *testing.T) {
	low := t.TempDir()
	os.MkdirAll(low+"/x", 0o755)
	os.WriteFile(low+"/x/f", []byte("f"), 0o644)
	os.Symlink("x", low+"/link")
	fs := overlay.New(memfs.Options{})
	for path, host := range map[string]string{"/usr/share/x": low + "/x", "/link": low + "/link", "/etc/one": low + "/x/f"} {
		if err := fs.AddHost(path, host, hostfs.Options{Stable: true}); err != nil {
			t.Fatal(err)
		}
	}
	fs.WriteFile("/etc/hostname", []byte("tine\n"), 0o644)
	ns := vfs.NewNamespace(vfs.NewSystem(), fs, "overlay", 0)
	defer ns.Close()
	c := &vfs.Context{Mounts: ns, Cred: &vfs.Cred{Caps: ^uint64(0)}}
	c.Root = ns.Root()
	defer c.Root.Put()
	c.Cwd = c.Root
	for _, name := range []string{"/usr/share/x/f", "/etc/one", "/etc/hostname"} {
		if st, errno := vfs.Stat(c, c.Cwd, name, 0); errno != 0 || st.Size == 0 {
			t.Errorf("%s: %v, size %d", name, errno, st.Size)
		}
	}
	if s, errno := vfs.Readlink(c, c.Cwd, "/link"); s != "x" {
		t.Errorf("link: %q, %v", s, errno)
	}
}

func TestHostChangesAreSeen(t *testing.T) {
	low := t.TempDir()
	c, _ := tree(t, low, hostfs.Options{})
	exists := func(name string) bool {
		_, errno := vfs.Stat(c, c.Cwd, name, 0)
		return errno == 0
	}
	if exists("dir/f") {
		t.Fatal("f is there already")
	}
	os.WriteFile(low+"/f", []byte("1"), 0o644)
	if !exists("dir/f") {
		t.Error("a new file is not seen")
	}
	os.Remove(low + "/f")
	if exists("dir/f") {
		t.Error("a removed file is still seen")
	}
	os.WriteFile(low+"/f", []byte("22"), 0o644)
	if st, _ := vfs.Stat(c, c.Cwd, "dir/f", 0); st.Size != 2 {
		t.Errorf("size %d after replacement", st.Size)
	}
	if errno := vfs.Unlink(c, c.Cwd, "dir/f"); errno != 0 || exists("dir/f") {
		t.Errorf("unlink: %v, exists %v", errno, exists("dir/f"))
	}
}
