package tine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/tinevm/tine/internal/fs/devfs"
	"github.com/tinevm/tine/internal/fs/hostfs"
	"github.com/tinevm/tine/internal/fs/iofs"
	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/fs/overlay"
	"github.com/tinevm/tine/internal/fs/pipefs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Mount is something to be shown in the machine's file tree.
type Mount struct {
	target string
	kind   string // for error messages
	host   string // host path, if it is one
	make   func(b *treeBuilder) (vfs.FileSystem, error)
	flags  uint64
}

// HostDir shows a folder or a file of the host at target. If writable, what the
// machine writes there is written on the host; otherwise writing fails with
// EROFS.
func HostDir(host, target string, writable bool) Mount {
	m := Mount{target: target, kind: "host folder " + host, host: host}
	if !writable {
		m.flags = linux.MS_RDONLY
	}
	m.make = func(b *treeBuilder) (vfs.FileSystem, error) {
		return hostfs.New(host, hostfs.Options{ReadOnly: !writable, Moment: b.m.k.Moment()})
	}
	return m
}

// FS shows a Go file system at target, read-only.
func FS(fsys fs.FS, target string) Mount {
	return Mount{target: target, kind: "file system", flags: linux.MS_RDONLY, make: func(b *treeBuilder) (vfs.FileSystem, error) {
		return iofs.New(fsys, b.m.k.Account()), nil
	}}
}

// Tmpfs mounts an empty file system in memory at target, of at most size bytes;
// 0 is no limit but the machine's memory.
func Tmpfs(target string, size int64) Mount {
	return Mount{target: target, kind: "tmpfs", make: func(b *treeBuilder) (vfs.FileSystem, error) {
		o := b.memOptions()
		o.Size = size
		return memfs.New(o), nil
	}}
}

// systemFolders are what a machine sees of the host by default.
var systemFolders = []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr", "/etc", "/opt", "/var", "/srv"}

// ownFolders are made in the machine, with their permissions.
var ownFolders = []struct {
	path string
	mode uint32
}{
	{"/dev", 0o755}, {"/proc", 0o555}, {"/sys", 0o555}, {"/run", 0o755}, {"/mnt", 0o755},
	{"/root", 0o700}, {"/home", 0o755}, {"/tmp", linux.S_ISVTX | 0o777},
}

// treeBuilder makes a machine's file tree.
type treeBuilder struct {
	m    *Machine
	root *overlay.FS
	sys  *vfs.System
}

func (b *treeBuilder) memOptions() memfs.Options {
	return memfs.Options{Account: b.m.k.Account(), Now: b.m.k.Realtime}
}

// buildTree makes the file tree that cfg asks for.
func (m *Machine) buildTree(cfg *Config) error {
	b := &treeBuilder{m: m, sys: vfs.NewSystem()}
	o := b.memOptions()
	o.Mode = 0o755
	b.root = overlay.New(o)
	b.sys.OpenFIFO = pipefs.OpenFIFO
	b.registerTypes()
	if cfg.Root != "" {
		if err := b.hostRoot(cfg.Root); err != nil {
			b.root.Close()
			return err
		}
	}
	for _, f := range ownFolders {
		if _, errno := b.root.Mkdir(f.path, f.mode); errno != 0 && errno != linux.EEXIST {
			b.root.Close()
			return fmt.Errorf("tine: make %s: %s", f.path, errno.Message())
		}
	}
	if err := b.hostView(cfg); err != nil {
		b.root.Close()
		return err
	}
	for _, mt := range cfg.Mounts {
		if err := b.mountPoint(&mt); err != nil {
			b.root.Close()
			return err
		}
	}
	rootFlags := uint64(0)
	if cfg.ReadOnly {
		rootFlags = linux.MS_RDONLY
	}
	ns := vfs.NewNamespace(b.sys, b.root, "overlay", rootFlags)
	m.k.SetRoot(ns)
	if err := b.mountSystem(ns); err != nil {
		return err
	}
	for _, mt := range cfg.Mounts {
		fsys, err := mt.make(b)
		if err != nil {
			return fmt.Errorf("tine: %s: %w", mt.kind, err)
		}
		source := mt.host
		if source == "" {
			source = fsys.Type()
		}
		if err := b.mount(ns, mt.target, fsys, source, mt.flags); err != nil {
			return err
		}
	}
	return nil
}

// registerTypes makes the kinds of file systems known that mount(2) can make.
func (b *treeBuilder) registerTypes() {
	k := b.m.k
	tmpfs, ramfs := b.memOptions(), b.memOptions()
	ramfs.Type, ramfs.Magic, ramfs.Mode = "ramfs", linux.RAMFS_MAGIC, 0o755
	made := func(make func(c *vfs.Context) vfs.FileSystem) vfs.Mounter {
		return func(c *vfs.Context, _ string, _ uint64, _ string) (vfs.FileSystem, linux.Errno) { return make(c), 0 }
	}
	for _, t := range []struct {
		name  string
		mount vfs.Mounter
	}{
		{"sysfs", made(func(*vfs.Context) vfs.FileSystem { return k.NewSysFS() })},
		{"tmpfs", memfs.Mount(tmpfs)},
		{"ramfs", memfs.Mount(ramfs)},
		{"proc", made(k.NewProcFS)},
		{"devpts", k.Terminals().MountDevpts},
		{"cgroup2", func(c *vfs.Context, _ string, _ uint64, data string) (vfs.FileSystem, linux.Errno) {
			return k.NewCgroupFS(c, data)
		}},
	} {
		b.sys.RegisterFilesystem(vfs.FSType{Name: t.name, NoDev: true, UserNS: true, Mount: t.mount})
	}
}

// hostRoot shows a folder of the host as the root. The machine's own file
// systems are mounted on the rest.
func (b *treeBuilder) hostRoot(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("tine: show the root folder: %w", err)
	}
	for _, e := range entries {
		switch e.Name() {
		case "dev", "proc", "sys":
			continue
		}
		if err := b.root.AddHost("/"+e.Name(), filepath.Join(dir, e.Name()), hostfs.Options{Moment: b.m.k.Moment()}); err != nil {
			return fmt.Errorf("tine: show the root folder: %w", err)
		}
	}
	return nil
}

// hostView shows the host's system folders and the current folder.
func (b *treeBuilder) hostView(cfg *Config) error {
	b.m.dir = cfg.Dir
	if cfg.Bare || cfg.Root != "" {
		return nil
	}
	for _, dir := range systemFolders {
		err := b.root.AddHost(dir, filepath.FromSlash(dir), hostfs.Options{Stable: true})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("tine: show %s: %w", dir, err)
		}
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil // a removed folder: nothing to show
	}
	guest := guestPath(cwd)
	if b.m.dir == "" {
		b.m.dir = guest
	}
	for _, dir := range append(systemFolders, "/") {
		if guest == dir || dir != "/" && strings.HasPrefix(guest, dir+"/") {
			return nil // it is there already; the whole root is never shown
		}
	}
	if err := b.root.AddHost(guest, cwd, hostfs.Options{Moment: b.m.k.Moment()}); err != nil {
		return fmt.Errorf("tine: show the current folder: %w", err)
	}
	return nil
}

// guestPath is where a host path appears in the machine.
func guestPath(host string) string {
	p := filepath.ToSlash(host)
	if vol := filepath.VolumeName(host); vol != "" {
		p = "/" + strings.TrimSuffix(strings.ToLower(vol), ":") + p[len(vol):]
	}
	return path.Clean(p)
}

// mountPoint makes sure that a mount has a place to be.
func (b *treeBuilder) mountPoint(mt *Mount) error {
	target := path.Clean(mt.target)
	if !path.IsAbs(target) || target == "/" {
		return fmt.Errorf("tine: mount %s: the target %q must be an absolute path below /", mt.kind, mt.target)
	}
	if st, err := os.Stat(mt.host); mt.host != "" && err == nil && !st.IsDir() {
		if errno := b.root.WriteFile(target, nil, 0o644); errno != 0 && errno != linux.EEXIST {
			return fmt.Errorf("tine: make %s: %s", target, errno.Message())
		}
		return nil
	}
	if _, errno := b.root.Mkdir(target, 0o755); errno != 0 && errno != linux.EEXIST {
		return fmt.Errorf("tine: make %s: %s", target, errno.Message())
	}
	return nil
}

// mount mounts a file system at a path.
func (b *treeBuilder) mount(ns *vfs.Namespace, at string, fsys vfs.FileSystem, source string, flags uint64) error {
	root := ns.Root()
	defer root.Put()
	cred := vfs.Cred{Caps: ^uint64(0)}
	c := &vfs.Context{Root: root, Cwd: root, Cred: &cred, Mounts: ns, Now: b.m.k.Realtime}
	if errno := ns.Mount(c, at, fsys, source, flags); errno != 0 {
		return fmt.Errorf("tine: mount %s at %s: %s", source, at, errno.Message())
	}
	return nil
}

// mountSystem mounts the machine's own file systems.
func (b *treeBuilder) mountSystem(ns *vfs.Namespace) error {
	k := b.m.k
	ttys := k.Terminals()
	ttys.Register(b.sys)
	dev, errno := devfs.New(b.sys, devfs.Options{
		Account: k.Account(), Now: k.Realtime, Entropy: k.Entropy,
		TTY: ttys.OpenTTY, Console: ttys.OpenConsole, Ptmx: ttys.OpenPtmx,
	})
	if errno != 0 {
		return fmt.Errorf("tine: make /dev: %s", errno.Message())
	}
	if err := b.mount(ns, "/dev", dev, "udev", linux.MS_NOSUID); err != nil {
		return err
	}
	groups, errno := k.NewCgroupFS(nil, "")
	if errno != 0 {
		return fmt.Errorf("tine: make /sys/fs/cgroup: %s", errno.Message())
	}
	for _, mt := range []struct {
		at    string
		fsys  vfs.FileSystem
		flags uint64
	}{
		{"/dev/pts", ttys.DevptsFS(), linux.MS_NOSUID | linux.MS_NOEXEC},
		{"/dev/shm", memfs.New(b.memOptions()), linux.MS_NOSUID | linux.MS_NODEV},
		{"/proc", k.NewProcFS(nil), linux.MS_NOSUID | linux.MS_NODEV},
		{"/sys", k.NewSysFS(), linux.MS_NOSUID | linux.MS_NODEV},
		{"/sys/fs/cgroup", groups, linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC},
	} {
		if err := b.mount(ns, mt.at, mt.fsys, mt.fsys.Type(), mt.flags); err != nil {
			return err
		}
	}
	return nil
}
