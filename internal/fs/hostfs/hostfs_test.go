//go:build linux

package hostfs_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tinevm/tine/internal/fs/fstest"
	"github.com/tinevm/tine/internal/fs/hostfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// tree mounts a host folder as the root.
func tree(t *testing.T, dir string, o hostfs.Options) *vfs.Context {
	t.Helper()
	fs, err := hostfs.New(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	flags := uint64(0)
	if o.ReadOnly {
		flags = linux.MS_RDONLY
	}
	ns := vfs.NewNamespace(vfs.NewSystem(), fs, "none", flags)
	c := &vfs.Context{Mounts: ns, MayMount: true, Cred: &vfs.Cred{Caps: ^uint64(0)}, Now: func() (int64, int64) { return 5, 0 }}
	c.Root = ns.Root()
	c.Cwd = c.Root.Get()
	t.Cleanup(func() {
		c.Cwd.Put()
		c.Root.Put()
		ns.Close()
	})
	return c
}

func TestAgainstHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("compares what root may do")
	}
	for seed := range uint64(20) {
		top := t.TempDir()
		os.Mkdir(filepath.Join(top, "dir"), 0o755)
		c := tree(t, top, hostfs.Options{})
		fstest.Compare(t, c, "dir", seed, 400)
	}
}

func write(t *testing.T, name, s string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(s), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c *vfs.Context, name string) string {
	t.Helper()
	f, errno := vfs.Open(c, c.Cwd, name, linux.O_RDONLY, 0)
	if errno != 0 {
		t.Fatalf("open %s: %v", name, errno)
	}
	defer f.Put()
	buf := make([]byte, 1<<20)
	n, errno := f.Ops.Read(f, buf, 0)
	if errno != 0 {
		t.Fatalf("read %s: %v", name, errno)
	}
	return string(buf[:n])
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/f", "text")
	c := tree(t, dir, hostfs.Options{ReadOnly: true})
	if got := read(t, c, "f"); got != "text" {
		t.Errorf("read %q", got)
	}
	for name, errno := range map[string]linux.Errno{
		"mkdir":  vfs.Mkdir(c, c.Cwd, "d", 0o755),
		"unlink": vfs.Unlink(c, c.Cwd, "f"),
		"rename": vfs.RenameAt(c, c.Cwd, "f", c.Cwd, "g", 0),
		"trunc":  vfs.Truncate(c, c.Cwd, "f", 0),
	} {
		if errno != linux.EROFS {
			t.Errorf("%s = %v, want EROFS", name, errno)
		}
	}
	if _, errno := vfs.Open(c, c.Cwd, "f", linux.O_RDWR, 0); errno != linux.EROFS {
		t.Errorf("open for writing = %v", errno)
	}
}

func TestLinksDoNotLeadOut(t *testing.T) {
	out := t.TempDir()
	write(t, out+"/secret", "secret")
	dir := t.TempDir()
	os.Symlink(out, dir+"/abs")
	os.Symlink("../"+filepath.Base(out)+"/secret", dir+"/rel")
	c := tree(t, dir, hostfs.Options{})
	for _, name := range []string{"abs/secret", "rel", "../secret", "/" + out + "/secret"} {
		if f, errno := vfs.Open(c, c.Cwd, name, linux.O_RDONLY, 0); errno == 0 {
			f.Put()
			t.Errorf("%s can be opened", name)
		}
	}
	// A directory that the host replaces by a link under our hands.
	os.Mkdir(dir+"/d", 0o755)
	write(t, dir+"/d/secret", "mine")
	p, errno := vfs.Lookup(c, c.Cwd, "d", 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer p.Put()
	os.RemoveAll(dir + "/d")
	os.Symlink(out, dir+"/d")
	if f, errno := vfs.Open(c, p, "secret", linux.O_RDONLY, 0); errno == 0 {
		f.Put()
		t.Error("a replaced directory leads out")
	}
}

func TestHostChangesAreSeen(t *testing.T) {
	dir := t.TempDir()
	c := tree(t, dir, hostfs.Options{})
	if _, errno := vfs.Stat(c, c.Cwd, "f", 0); errno != linux.ENOENT {
		t.Fatalf("stat = %v", errno)
	}
	write(t, dir+"/f", "one")
	if got := read(t, c, "f"); got != "one" {
		t.Errorf("read %q", got)
	}
	write(t, dir+"/f", "three")
	if got := read(t, c, "f"); got != "three" {
		t.Errorf("after a change: read %q", got)
	}
	write(t, dir+"/g", "other")
	os.Rename(dir+"/g", dir+"/f")
	if got := read(t, c, "f"); got != "other" {
		t.Errorf("after a replacement: read %q", got)
	}
	f, _ := vfs.Open(c, c.Cwd, "f", linux.O_RDONLY, 0)
	defer f.Put()
	buf := make([]byte, 100)
	f.Ops.Read(f, buf, 0)
	h, _ := os.OpenFile(dir+"/f", os.O_APPEND|os.O_WRONLY, 0)
	h.WriteString("more")
	h.Close()
	if n, _ := f.Ops.Read(f, buf, 5); string(buf[:n]) != "more" {
		t.Errorf("growth: read %q", buf[:n])
	}
}

func TestSharedMappingIsWrittenBack(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/f", strings.Repeat("x", 5000))
	c := tree(t, dir, hostfs.Options{})
	f, errno := vfs.Open(c, c.Cwd, "f", linux.O_RDWR, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	pages, _ := f.Ops.Pages(f)
	frame, errno := pages.Page(1, true)
	if errno != 0 {
		t.Fatal(errno)
	}
	copy(frame.Bytes()[:3], "abc")
	frame.Put()
	if errno := f.Ops.Sync(f); errno != 0 {
		t.Errorf("sync: %v", errno)
	}
	if b, _ := os.ReadFile(dir + "/f"); len(b) != 5000 || string(b[4095:4100]) != "xabcx" {
		t.Errorf("host has %d bytes, %q", len(b), b[4095:4100])
	}
	f.Put()
}

func TestPagesAreShared(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/f", strings.Repeat("x", 5000))
	var frames [2]any
	for i := range frames {
		c := tree(t, dir, hostfs.Options{ReadOnly: true})
		f, _ := vfs.Open(c, c.Cwd, "f", linux.O_RDONLY, 0)
		pages, _ := f.Ops.Pages(f)
		frame, _ := pages.Page(0, false)
		frames[i] = frame
		frame.Put()
		f.Put()
	}
	if frames[0] != frames[1] {
		t.Error("two machines have two copies of a host file")
	}
	hostfs.DropCaches()
}

// TestConcurrentMachines reads and writes the same files from several machines,
// each with its own lock, for the race detector.
func TestConcurrentMachines(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		write(t, dir+"/"+name, strings.Repeat(name, 200_000))
	}
	var wg sync.WaitGroup
	for m := range 3 {
		c := tree(t, dir, hostfs.Options{})
		wg.Go(func() {
			for k := range 60 {
				name := string(rune('a' + k%3))
				f, errno := vfs.Open(c, c.Cwd, name, linux.O_RDWR, 0)
				if errno != 0 {
					t.Errorf("open %s: %v", name, errno)
					return
				}
				buf := make([]byte, 3000)
				f.Ops.Pages(f)
				f.Ops.Read(f, buf, int64(k*1000))
				if strings.Trim(string(buf), name) != "" {
					t.Errorf("machine %d: %s has other bytes", m, name)
				}
				f.Ops.Write(f, buf[:100], int64(k*3000))
				f.Put()
			}
		})
	}
	wg.Wait()
}

func TestSpecialFiles(t *testing.T) {
	c := tree(t, "/dev", hostfs.Options{ReadOnly: true})
	st, errno := vfs.Stat(c, c.Cwd, "null", 0)
	if errno != 0 || st.Mode&linux.S_IFMT != linux.S_IFCHR || st.Rdev != vfs.MakeDev(1, 3) {
		t.Errorf("stat /dev/null: %v, %o, %#x", errno, st.Mode, st.Rdev)
	}
	if _, errno := vfs.Open(c, c.Cwd, "null", linux.O_RDONLY, 0); errno != linux.ENXIO {
		t.Errorf("open = %v, want ENXIO", errno)
	}
}

// Attributes are those of the moment, but for what the guest changes itself.
func TestMoment(t *testing.T) {
	dir, now := t.TempDir(), uint64(1)
	write(t, dir+"/f", "one")
	c := tree(t, dir, hostfs.Options{Moment: &now})
	open := func(flags uint32) *vfs.File {
		t.Helper()
		f, errno := vfs.Open(c, c.Cwd, "f", flags, 0)
		if errno != 0 {
			t.Fatal(errno)
		}
		return f
	}
	f := open(linux.O_RDONLY)
	defer f.Put()
	check := func(when string, want int64) {
		t.Helper()
		if st, errno := f.Path.Stat(); errno != 0 || st.Size != want {
			t.Errorf("%s: size %d, %v; want %d", when, st.Size, errno, want)
		}
	}
	check("at first", 3)
	write(t, dir+"/f", "three")
	check("in the same moment", 3)
	now++
	check("in the next", 5)
	w := open(linux.O_WRONLY)
	w.Ops.Write(w, []byte("longer"), 0)
	check("after a write", 6)
	write(t, dir+"/f", "four")
	check("with a writer", 4)
	w.Put()
	write(t, dir+"/f", "one")
	check("in the moment of a change", 3)
	now++
	check("later", 3)
	vfs.Truncate(c, c.Cwd, "f", 10)
	check("cut off", 10)
}

func TestSingleFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/f", "text")
	write(t, dir+"/other", "no")
	fs, err := hostfs.New(dir+"/f", hostfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	a, errno := fs.Root().Attr()
	if errno != 0 || !a.IsRegular() || a.Size != 4 {
		t.Errorf("root is %o, size %d, %v", a.Mode, a.Size, errno)
	}
}
