package vfs_test

import (
	"testing"

	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

var rootCred = vfs.Cred{Caps: ^uint64(0)}

// tree makes a namespace with an empty memfs as root, and root as the caller.
func tree(t *testing.T) *vfs.Context {
	t.Helper()
	clock := int64(1000)
	now := func() (int64, int64) { clock++; return clock, 0 }
	ns := vfs.NewNamespace(vfs.NewSystem(), memfs.New(memfs.Options{Now: now, Mode: 0o755}), "none", 0)
	c := &vfs.Context{Mounts: ns, MayMount: true, Cred: &rootCred, Now: now}
	c.Root = ns.Root()
	c.Cwd = c.Root.Get()
	t.Cleanup(func() {
		c.Cwd.Put()
		c.Root.Put()
		ns.Close()
	})
	return c
}

func must(t *testing.T, errno linux.Errno) {
	t.Helper()
	if errno != 0 {
		t.Fatalf("unexpected %v", errno)
	}
}

// touch makes a file with contents equal to its name.
func touch(t *testing.T, c *vfs.Context, name string) {
	t.Helper()
	f := open(t, c, name, linux.O_CREAT|linux.O_WRONLY)
	f.Ops.Write(f, []byte(name), 0)
	f.Put()
}

func open(t *testing.T, c *vfs.Context, name string, flags uint32) *vfs.File {
	t.Helper()
	f, errno := vfs.Open(c, c.Cwd, name, flags, 0o644)
	if errno != 0 {
		t.Fatalf("open %s: %v", name, errno)
	}
	return f
}

func read(t *testing.T, c *vfs.Context, name string) string {
	t.Helper()
	f := open(t, c, name, linux.O_RDONLY)
	defer f.Put()
	p := make([]byte, 1000)
	n, errno := f.Ops.Read(f, p, 0)
	must(t, errno)
	return string(p[:n])
}

func TestPermissions(t *testing.T) {
	c := tree(t)
	must(t, vfs.Mkdir(c, c.Cwd, "sticky", 0o777))
	for name, mode := range map[string]uint32{"sticky": 0o1777, "/": 0o755} {
		p, _ := vfs.Lookup(c, c.Cwd, name, 0)
		must(t, vfs.Chmod(c, p, mode))
		p.Put()
	}
	touch(t, c, "sticky/root")
	touch(t, c, "file")
	must(t, vfs.Mkdir(c, c.Cwd, "secret", 0o700))
	touch(t, c, "secret/file")
	user := *c
	user.Cred = &vfs.Cred{FSUID: 1000, FSGID: 1000, Groups: []uint32{4}}
	user.MayMount = false
	u := &user
	file, _ := vfs.Lookup(c, c.Cwd, "file", 0)
	defer file.Put()
	for name, tt := range map[string]struct{ got, want linux.Errno }{
		"read others' file":     {vfs.Access(u, c.Cwd, "file", linux.R_OK, 0), 0},
		"write others' file":    {vfs.Access(u, c.Cwd, "file", linux.W_OK, 0), linux.EACCES},
		"execute plain file":    {vfs.Access(c, c.Cwd, "file", linux.X_OK, 0), linux.EACCES},
		"search secret":         {vfs.Access(u, c.Cwd, "secret/file", 0, 0), linux.EACCES},
		"root searches secret":  {vfs.Access(c, c.Cwd, "secret/file", linux.R_OK, 0), 0},
		"create in /":           {vfs.Mkdir(u, c.Cwd, "d", 0o755), linux.EACCES},
		"remove in sticky":      {vfs.Unlink(u, c.Cwd, "sticky/root"), linux.EPERM},
		"create in sticky":      {vfs.Mkdir(u, c.Cwd, "sticky/own", 0o755), 0},
		"chmod others' file":    {vfs.Chmod(u, file, 0o777), linux.EPERM},
		"chown":                 {vfs.Chown(u, file, 1000, ^uint32(0)), linux.EPERM},
		"set explicit time":     {vfs.Utimes(u, file, &[2]vfs.Time{{Sec: 1}, {Sec: 1}}), linux.EPERM},
		"set present time":      {vfs.Utimes(u, file, nil), linux.EACCES},
		"make a device":         {vfs.Mknod(u, c.Cwd, "sticky/dev", linux.S_IFCHR, 0), linux.EPERM},
		"remove own in sticky":  {vfs.Rmdir(u, c.Cwd, "sticky/own"), 0},
		"mount":                 {vfs.DoMount(u, &vfs.MountArgs{Target: "/sticky", FSType: "tmpfs"}), linux.EPERM},
		"user attr on own":      {vfs.SetXattr(u, file, "user.x", nil, 0), linux.EACCES},
		"trusted attr":          {vfs.SetXattr(u, file, "trusted.x", nil, 0), linux.EPERM},
		"link by empty path":    {vfs.Link(u, file, "", c.Cwd, "sticky/l", linux.AT_EMPTY_PATH), linux.ENOENT},
		"read search override":  {vfs.Access(withCap(u, linux.CAP_DAC_READ_SEARCH), c.Cwd, "secret/file", linux.R_OK, 0), 0},
		"write search override": {vfs.Access(withCap(u, linux.CAP_DAC_READ_SEARCH), c.Cwd, "file", linux.W_OK, 0), linux.EACCES},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
}

func withCap(c *vfs.Context, capability int) *vfs.Context {
	d := *c
	cred := *c.Cred
	cred.Caps |= 1 << capability
	d.Cred = &cred
	return &d
}

func TestSetIDBits(t *testing.T) {
	c := tree(t)
	touch(t, c, "f")
	p, _ := vfs.Lookup(c, c.Cwd, "f", 0)
	defer p.Put()
	must(t, vfs.Chown(c, p, 1000, 1000))
	must(t, vfs.Chmod(c, p, 0o6755))
	user := *c
	user.Cred = &vfs.Cred{FSUID: 1000, FSGID: 1000}
	must(t, vfs.RemovePriv(&user, p))
	if a, _ := p.Attr(); a.Mode&0o7777 != 0o755 {
		t.Errorf("mode %o after a write", a.Mode)
	}
	must(t, vfs.Chmod(c, p, 0o6755))
	must(t, vfs.Chown(c, p, 1000, 1000))
	if a, _ := p.Attr(); a.Mode&0o7777 != 0o755 {
		t.Errorf("mode %o after chown", a.Mode)
	}
	must(t, vfs.Chown(c, p, 1000, 50))
	must(t, vfs.Chmod(&user, p, 0o2755))
	if a, _ := p.Attr(); a.Mode&linux.S_ISGID != 0 {
		t.Error("set-group-ID for a group the caller is not in")
	}
}

func TestMounts(t *testing.T) {
	c := tree(t)
	c.Mounts.Sys.RegisterFilesystem(vfs.FSType{Name: "tmpfs", NoDev: true, Mount: memfs.Mount(memfs.Options{})})
	must(t, vfs.Mkdir(c, c.Cwd, "mnt", 0o755))
	must(t, vfs.Mkdir(c, c.Cwd, "bind", 0o755))
	touch(t, c, "mnt/below")
	mount := func(source, target, typ string, flags uint64) linux.Errno {
		return vfs.DoMount(c, &vfs.MountArgs{Source: source, Target: target, FSType: typ, Flags: flags})
	}
	must(t, mount("none", "/mnt", "tmpfs", linux.MS_NOSUID))
	if _, errno := vfs.Stat(c, c.Cwd, "mnt/below", 0); errno != linux.ENOENT {
		t.Errorf("covered file: %v", errno)
	}
	touch(t, c, "mnt/f")
	if errno := mount("", "/mnt", "nosuchfs", 0); errno != linux.ENODEV {
		t.Errorf("unknown type: %v", errno)
	}
	if errno := mount("", "/mnt/f", "tmpfs", 0); errno != linux.ENOTDIR {
		t.Errorf("directory on a file: %v", errno)
	}
	if errno := vfs.Rmdir(c, c.Cwd, "mnt"); errno != linux.EBUSY {
		t.Errorf("rmdir of a mount point: %v", errno)
	}
	if errno := vfs.Link(c, c.Cwd, "mnt/f", c.Cwd, "f", 0); errno != linux.EXDEV {
		t.Errorf("link across mounts: %v", errno)
	}
	must(t, mount("/mnt", "/bind", "", linux.MS_BIND))
	if got := read(t, c, "bind/f"); got != "mnt/f" {
		t.Errorf("bind mount: %q", got)
	}
	must(t, mount("", "/bind", "", linux.MS_REMOUNT|linux.MS_BIND|linux.MS_RDONLY))
	if _, errno := vfs.Open(c, c.Cwd, "bind/f", linux.O_RDWR, 0); errno != linux.EROFS {
		t.Errorf("write to a read-only bind mount: %v", errno)
	}
	touch(t, c, "mnt/g") // the other one is still writable

	f := open(t, c, "bind/f", linux.O_RDONLY)
	if errno := vfs.Umount(c, "/bind", 0); errno != linux.EBUSY {
		t.Errorf("umount of a busy mount: %v", errno)
	}
	must(t, vfs.Umount(c, "/bind", linux.MNT_DETACH))
	if name, reachable := f.Path.Name(c.Root); name != "/f" || reachable {
		t.Errorf("name in a detached mount: %q, %v", name, reachable)
	}
	f.Put()
	must(t, mount("/mnt", "/bind", "", linux.MS_MOVE))
	if got := read(t, c, "bind/f"); got != "mnt/f" {
		t.Errorf("moved mount: %q", got)
	}
	if got := read(t, c, "mnt/below"); got != "mnt/below" {
		t.Errorf("uncovered file: %q", got)
	}
	must(t, vfs.Umount(c, "/bind", 0))
	if errno := vfs.Umount(c, "/bind", 0); errno != linux.EINVAL {
		t.Errorf("umount of a plain directory: %v", errno)
	}
}

func TestMountinfo(t *testing.T) {
	c := tree(t)
	must(t, vfs.Mkdir(c, c.Cwd, "a b", 0o755))
	must(t, c.Mounts.Mount(c, "/a b", memfs.New(memfs.Options{Size: 1 << 20}), "src", linux.MS_NOSUID|linux.MS_RDONLY))
	list := c.Mounts.List(c.Root)
	const want = `1 1 0:20 / / rw - tmpfs none rw,mode=755
2 1 0:21 / /a\040b ro,nosuid - tmpfs src ro,size=1024k
`
	if got := vfs.MountinfoText(list); got != want {
		t.Errorf("mountinfo:\n%swant:\n%s", got, want)
	}
	const mounts = `none / tmpfs rw,mode=755 0 0
src /a\040b tmpfs ro,nosuid,size=1024k 0 0
`
	if got := vfs.MountsText(list); got != mounts {
		t.Errorf("mounts:\n%s", got)
	}
}

func TestNamespaceClone(t *testing.T) {
	c := tree(t)
	must(t, vfs.Mkdir(c, c.Cwd, "m", 0o755))
	d := *c
	d.Root, d.Cwd = c.Root.Get(), c.Cwd.Get()
	d.Mounts = c.Mounts.Clone(c.Mounts.Owner, &d.Root, &d.Cwd)
	must(t, d.Mounts.Mount(&d, "/m", memfs.New(memfs.Options{}), "x", 0))
	touch(t, &d, "m/f")
	if _, errno := vfs.Stat(c, c.Cwd, "m/f", 0); errno != linux.ENOENT {
		t.Errorf("a mount in one namespace shows in another: %v", errno)
	}
	touch(t, c, "both")
	if got := read(t, &d, "both"); got != "both" {
		t.Errorf("file systems are not shared: %q", got)
	}
	d.Root.Put()
	d.Cwd.Put()
	d.Mounts.Put()
}

func TestChroot(t *testing.T) {
	c := tree(t)
	must(t, vfs.Mkdir(c, c.Cwd, "jail", 0o755))
	touch(t, c, "jail/in")
	touch(t, c, "out")
	must(t, vfs.Symlink(c, "/in", c.Cwd, "jail/link"))
	d := *c
	root, errno := vfs.Chdir(c, "jail")
	must(t, errno)
	defer root.Put()
	d.Root, d.Cwd = root, root
	for name, want := range map[string]linux.Errno{"/in": 0, "link": 0, "../../in": 0, "../out": linux.ENOENT} {
		if _, errno := vfs.Stat(&d, d.Cwd, name, 0); errno != want {
			t.Errorf("%s: %v, want %v", name, errno, want)
		}
	}
	d.Cwd = c.Root // left outside
	if s, _ := vfs.Getcwd(&d); s != "(unreachable)/" {
		t.Errorf("getcwd outside: %q", s)
	}
}

func TestGetcwd(t *testing.T) {
	c := tree(t)
	must(t, vfs.Mkdir(c, c.Cwd, "a", 0o755))
	must(t, vfs.Mkdir(c, c.Cwd, "a/b", 0o755))
	cwd, errno := vfs.Chdir(c, "a/b")
	must(t, errno)
	defer cwd.Put()
	d := *c
	d.Cwd = cwd
	must(t, vfs.RenameAt(c, c.Cwd, "a", c.Cwd, "z", 0))
	if s, _ := vfs.Getcwd(&d); s != "/z/b" {
		t.Errorf("after a rename: %q", s)
	}
	must(t, vfs.Rmdir(c, c.Cwd, "z/b"))
	if _, errno := vfs.Getcwd(&d); errno != linux.ENOENT {
		t.Errorf("removed: %v", errno)
	}
	if s := cwd.String(); s != "/z/b (deleted)" {
		t.Errorf("name %q", s)
	}
	if errno := vfs.Mkdir(&d, d.Cwd, "new", 0o755); errno != linux.ENOENT {
		t.Errorf("mkdir in a removed directory: %v", errno)
	}
}

func TestOpenat2(t *testing.T) {
	c := tree(t)
	must(t, vfs.Mkdir(c, c.Cwd, "d", 0o755))
	must(t, vfs.Mkdir(c, c.Cwd, "d/m", 0o755))
	touch(t, c, "d/f")
	touch(t, c, "f")
	must(t, vfs.Symlink(c, "f", c.Cwd, "d/rel"))
	must(t, vfs.Symlink(c, "/f", c.Cwd, "d/abs"))
	must(t, vfs.Symlink(c, "../f", c.Cwd, "d/up"))
	must(t, c.Mounts.Mount(c, "/d/m", memfs.New(memfs.Options{}), "x", 0))
	start, _ := vfs.Lookup(c, c.Cwd, "d", 0)
	defer start.Put()
	for _, tt := range []struct {
		name    string
		resolve uint64
		want    linux.Errno
	}{
		{"rel", 0, 0}, {"rel", linux.RESOLVE_NO_SYMLINKS, linux.ELOOP}, {"f", linux.RESOLVE_NO_SYMLINKS, 0},
		{"abs", linux.RESOLVE_BENEATH, linux.EXDEV}, {"up", linux.RESOLVE_BENEATH, linux.EXDEV},
		{"rel", linux.RESOLVE_BENEATH, 0}, {"../f", linux.RESOLVE_BENEATH, linux.EXDEV}, {"/f", linux.RESOLVE_BENEATH, linux.EXDEV},
		{"abs", linux.RESOLVE_IN_ROOT, 0}, {"up", linux.RESOLVE_IN_ROOT, 0}, {"../../f", linux.RESOLVE_IN_ROOT, 0},
		{"m", linux.RESOLVE_NO_XDEV, linux.EXDEV}, {"m", 0, 0}, {"m/../f", linux.RESOLVE_NO_XDEV, linux.EXDEV},
		{"f", linux.RESOLVE_CACHED, 0},
	} {
		f, errno := vfs.OpenHow(c, start, tt.name, vfs.How{Resolve: tt.resolve})
		if errno != tt.want {
			t.Errorf("%s with %#x: %v, want %v", tt.name, tt.resolve, errno, tt.want)
		}
		if errno == 0 {
			if st, _ := vfs.Fstat(f); tt.resolve == linux.RESOLVE_IN_ROOT && st.Size != int64(len("d/f")) {
				t.Errorf("%s leads out of the root", tt.name)
			}
			f.Put()
		}
	}
}

func TestTextBusy(t *testing.T) {
	c := tree(t)
	touch(t, c, "prog")
	p, _ := vfs.Lookup(c, c.Cwd, "prog", 0)
	defer p.Put()
	if _, errno := vfs.OpenExec(c, c.Cwd, "prog", 0); errno != linux.EACCES {
		t.Errorf("exec without permission: %v", errno)
	}
	must(t, vfs.Chmod(c, p, 0o755))
	x, errno := vfs.OpenExec(c, c.Cwd, "prog", 0)
	must(t, errno)
	if _, errno := vfs.Open(c, c.Cwd, "prog", linux.O_RDWR, 0); errno != linux.ETXTBSY {
		t.Errorf("write while executing: %v", errno)
	}
	if errno := vfs.Truncate(c, c.Cwd, "prog", 0); errno != linux.ETXTBSY {
		t.Errorf("truncate while executing: %v", errno)
	}
	x.Put()
	w := open(t, c, "prog", linux.O_WRONLY)
	if _, errno := vfs.OpenExec(c, c.Cwd, "prog", 0); errno != linux.ETXTBSY {
		t.Errorf("exec while writing: %v", errno)
	}
	w.Put()
	x, errno = vfs.OpenExec(c, c.Cwd, "prog", 0)
	must(t, errno)
	x.Put()
}

// magic is a link that jumps.
type magic struct {
	vfs.InodeCommon
	vfs.NoInode
	to vfs.Path
}

func (*magic) Attr() (vfs.Attr, linux.Errno) {
	return vfs.Attr{Ino: 7, Mode: linux.S_IFLNK | 0o777, Nlink: 1}, 0
}
func (m *magic) Readlink(*vfs.Context) (string, linux.Errno) { return "elsewhere", 0 }
func (m *magic) Follow(*vfs.Context) (vfs.Path, linux.Errno) { return m.to.Get(), 0 }

// magicFS is a file system whose root directory has one magic link.
type magicFS struct {
	vfs.InodeCommon
	vfs.NoInode
	link *magic
}

func (f *magicFS) Type() string                      { return "magic" }
func (f *magicFS) Root() vfs.Inode                   { return f }
func (f *magicFS) Statfs() (vfs.StatFS, linux.Errno) { return vfs.StatFS{}, 0 }
func (f *magicFS) Close()                            {}
func (f *magicFS) Attr() (vfs.Attr, linux.Errno) {
	return vfs.Attr{Ino: 1, Mode: linux.S_IFDIR | 0o755, Nlink: 2}, 0
}
func (f *magicFS) Lookup(_ *vfs.Context, name string) (vfs.Inode, linux.Errno) {
	if name != "link" {
		return nil, linux.ENOENT
	}
	return f.link, 0
}

func TestMagicLink(t *testing.T) {
	c := tree(t)
	must(t, vfs.Mkdir(c, c.Cwd, "m", 0o755))
	must(t, vfs.Mkdir(c, c.Cwd, "d", 0o755))
	touch(t, c, "d/f")
	d, _ := vfs.Lookup(c, c.Cwd, "d", 0)
	must(t, c.Mounts.Mount(c, "/m", &magicFS{link: &magic{to: d}}, "x", 0))
	must(t, vfs.RenameAt(c, c.Cwd, "d", c.Cwd, "renamed", 0))
	if got := read(t, c, "m/link/f"); got != "d/f" {
		t.Errorf("through the link: %q", got)
	}
	if s, _ := vfs.Readlink(c, c.Cwd, "m/link"); s != "elsewhere" {
		t.Errorf("readlink: %q", s)
	}
	if _, errno := vfs.OpenHow(c, c.Cwd, "m/link/f", vfs.How{Resolve: linux.RESOLVE_NO_MAGICLINKS}); errno != linux.ELOOP {
		t.Errorf("NO_MAGICLINKS: %v", errno)
	}
	d.Put()
}

func TestPivotRoot(t *testing.T) {
	c := tree(t)
	touch(t, c, "old")
	must(t, vfs.Mkdir(c, c.Cwd, "new", 0o755))
	must(t, c.Mounts.Mount(c, "/new", memfs.New(memfs.Options{}), "x", 0))
	must(t, vfs.Mkdir(c, c.Cwd, "new/put", 0o755))
	touch(t, c, "new/f")
	if errno := vfs.PivotRoot(c, "/new", "/", nil); errno != linux.EBUSY {
		t.Errorf("old root on itself: %v", errno)
	}
	must(t, vfs.PivotRoot(c, "/new", "/new/put", []*vfs.Path{&c.Root, &c.Cwd}))
	if got := read(t, c, "/f"); got != "new/f" {
		t.Errorf("new root: %q", got)
	}
	if got := read(t, c, "/put/old"); got != "old" {
		t.Errorf("old root: %q", got)
	}
	must(t, vfs.Umount(c, "/put", linux.MNT_DETACH))
}

func TestMountLimit(t *testing.T) {
	c := tree(t)
	must(t, vfs.Mkdir(c, c.Cwd, "a", 0o755))
	errno := linux.Errno(0)
	for range 40 { // each doubles the number of mounts
		if errno = vfs.DoMount(c, &vfs.MountArgs{Source: "/", Target: "/a", Flags: linux.MS_BIND | linux.MS_REC}); errno != 0 {
			break
		}
	}
	if errno != linux.ENOSPC {
		t.Errorf("recursive bind mounts end with %v", errno)
	}
}
