package vfs

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// mountFlags are the flags that belong to a mount rather than to its file
// system.
const mountFlags = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC |
	linux.MS_NOATIME | linux.MS_NODIRATIME | linux.MS_RELATIME | msNoSymfollow

const msNoSymfollow = 256 // MS_NOSYMFOLLOW

// maxMounts is the sysctl fs.mount-max. It keeps recursive bind mounts from
// doubling the tree without end.
const maxMounts = 100_000

// tooMany checks the limit for n more mounts.
func (s *System) tooMany(n int) linux.Errno {
	if s.mounts+n > maxMounts {
		return linux.ENOSPC
	}
	return 0
}

// count returns the number of mounts from m down.
func (m *Mount) count() int {
	n := 1
	for _, c := range m.children {
		n += c.count()
	}
	return n
}

// Mount makes a tree visible at a place of a namespace.
type Mount struct {
	ID     int
	Source string // what /proc/mounts shows as device
	Flags  uint64 // linux.MS_..., those of mountFlags

	sb         *Superblock
	root       *Dentry    // what it shows of the file system
	ns         *Namespace // nil: not mounted yet, or not any more
	parent     *Mount     // nil: the root of the namespace, or detached
	mountpoint *Dentry    // in parent
	children   []*Mount
	refs       int // paths, children, and one of the namespace
	writers    int // files open for writing through it

	// Propagation; see propagate.go.
	peers      *peerGroup // nil: not shared
	master     *peerGroup // nil: no slave
	peerAt     int        // the places in their lists
	slaveAt    int
	unbindable bool
	expiring   bool // MNT_EXPIRE has marked it, and nobody has used it since
	// Kept from the owner of a lesser user namespace: to unmount it, to clear
	// some of its flags, to change what it does with access times.
	locked      bool
	lockedFlags uint64
	lockedTime  bool
}

// Superblock is the file system that is mounted.
func (m *Mount) Superblock() *Superblock { return m.sb }

// ReadOnly reports whether nothing may be changed through m.
func (m *Mount) ReadOnly() bool { return m.Flags&linux.MS_RDONLY != 0 || m.sb.ReadOnly }

func (m *Mount) get() *Mount {
	m.refs++
	return m
}

func (m *Mount) put() {
	m.expiring = false
	if m.refs--; m.refs == 0 {
		m.sb.sys.mounts--
		m.root.put()
		m.sb.put()
	}
}

// childAt finds what is mounted on a dentry of m.
func (m *Mount) childAt(d *Dentry) *Mount {
	for _, c := range m.children {
		if c.mountpoint == d {
			return c
		}
	}
	return nil
}

// Namespace is a mount namespace (mount_namespaces(7)): the tree of mounts
// that a process sees.
type Namespace struct {
	Sys *System
	// Changed is woken when mounts change: /proc/self/mounts is polled for it.
	Changed WaitQueue
	// Version counts the changes.
	Version uint64
	// Ino and Owner are the kernel's: the number of its file, and the user
	// namespace that it belongs to.
	Ino   uint64
	Owner any

	root *Mount
	refs int
	seq  int // in order of creation
}

// NewNamespace makes a namespace whose root is fs.
func NewNamespace(sys *System, fs FileSystem, source string, flags uint64) *Namespace {
	ns := &Namespace{Sys: sys, refs: 1, seq: sys.nextSeq()}
	sb := sys.NewSuperblock(fs)
	ns.root = sys.newMount(sb, sb.root.get(), source, flags)
	ns.root.setNS(ns)
	return ns
}

// newMount makes a mount that is nowhere yet. It takes over the references on
// sb and root.
func (s *System) newMount(sb *Superblock, root *Dentry, source string, flags uint64) *Mount {
	s.nextMount++
	s.mounts++
	return &Mount{ID: s.nextMount, Source: source, Flags: flags & mountFlags, sb: sb, root: root, refs: 1}
}

// setNS makes m and what is below it part of a namespace.
func (m *Mount) setNS(ns *Namespace) {
	if m.ns == ns {
		return
	}
	m.ns = ns
	for _, c := range m.children {
		c.setNS(ns)
	}
}

// Get takes a reference on the namespace.
func (ns *Namespace) Get() *Namespace {
	ns.refs++
	return ns
}

// Put drops a reference; the last one unmounts everything.
func (ns *Namespace) Put() {
	if ns.refs--; ns.refs == 0 {
		ns.root.umount(false)
	}
}

// Close drops the machine's own reference on its first namespace.
func (ns *Namespace) Close() { ns.Put() }

// Root is the root directory, with a reference.
func (ns *Namespace) Root() Path {
	return Path{ns.root, ns.root.root}.over().Get()
}

// changed tells those who watch the list of mounts.
func (ns *Namespace) changed() {
	if ns == nil {
		return // not mounted yet
	}
	ns.Version++
	ns.Changed.Wake(PollErr | PollPri)
}

// attach puts m at a place.
func (m *Mount) attach(at Path) {
	m.parent, m.mountpoint = at.Mount.get(), at.Dentry.get()
	m.setNS(at.Mount.ns)
	m.mountpoint.mounts++
	m.parent.children = append(m.parent.children, m)
	m.ns.changed()
}

// detach takes m from its place; the namespace's reference is the caller's.
func (m *Mount) detach() {
	p := m.parent
	i := len(p.children) - 1
	for p.children[i] != m { // whole trees go from the last
		i--
	}
	p.children = slices.Delete(p.children, i, i+1)
	m.mountpoint.mounts--
	m.mountpoint.put()
	m.parent, m.mountpoint = nil, nil
	m.ns.changed()
	p.put()
}

// Mount mounts fs on a directory (or on a file, if its root is one). It is for
// those who set a machine up; the system call is DoMount.
func (ns *Namespace) Mount(c *Context, at string, fs FileSystem, source string, flags uint64) linux.Errno {
	p, errno := Lookup(c, c.Root, at, 0)
	if errno != 0 {
		fs.Close()
		return errno
	}
	defer p.Put()
	return ns.mountFS(p, fs, source, flags)
}

func (ns *Namespace) mountFS(at Path, fs FileSystem, source string, flags uint64) linux.Errno {
	sb := ns.Sys.NewSuperblock(fs)
	sb.ReadOnly = flags&linux.MS_RDONLY != 0
	m := ns.Sys.newMount(sb, sb.root.get(), source, flags)
	errno := graftable(m, at)
	if errno == 0 {
		errno = ns.Sys.tooMany(1)
	}
	if errno == 0 {
		errno = m.graft(at)
	}
	if errno != 0 {
		m.put()
	}
	return errno
}

// graftable checks that m may be mounted at a place.
func graftable(m *Mount, at Path) linux.Errno {
	if at.Mount.ns == nil || at.Dentry.parent != nil && !at.Dentry.hashed {
		return linux.ENOENT
	}
	a, errno := at.Dentry.attr()
	b, errno2 := m.root.attr()
	switch {
	case errno != 0:
		return errno
	case errno2 != 0:
		return errno2
	case a.IsDir() != b.IsDir():
		return linux.ENOTDIR
	}
	return 0
}

// Clone makes a copy of the namespace for an owner, as CLONE_NEWNS does. The
// given paths, which hold references, are moved to the copy. If the owner is
// another user namespace, the copy receives what is mounted here but gives
// nothing back, and cannot be taken apart.
func (ns *Namespace) Clone(owner any, move ...*Path) *Namespace {
	n := &Namespace{Sys: ns.Sys, Owner: owner, refs: 1, seq: ns.Sys.nextSeq()}
	how := copyUnbindable
	if owner != ns.Owner {
		how |= copySharedToSlave
	}
	n.root = ns.Sys.copyTree(ns.root, ns.root.root, how, move)
	n.root.setNS(n)
	if owner != ns.Owner {
		n.root.lock()
	}
	return n
}

// copyHow says what becomes of the propagation of a mount that is copied. By
// default the copy is a peer of a shared mount, and a slave if the original is
// one.
type copyHow uint8

const (
	copyShared        copyHow = 1 << iota // it is shared in any case
	copySlave                             // it is a slave of the original
	copySharedToSlave                     // it is, if the original is shared
	copyUnbindable                        // unbindable mounts are copied as well, but not those of mount namespaces
)

// copyTree copies m from root down, with what is mounted there. Paths of move
// that are in the original are moved to the copy.
func (s *System) copyTree(m *Mount, root *Dentry, how copyHow, move []*Path) *Mount {
	c := s.copyMount(m, root, how)
	for _, ch := range m.children {
		if root.isAncestor(ch.mountpoint) && (!ch.unbindable || how&copyUnbindable != 0) && !(how&copyUnbindable != 0 && ch.isMounts()) {
			s.copyTree(ch, ch.root, how, move).attach(Path{c, ch.mountpoint})
		}
	}
	for _, p := range move {
		if p.Mount == m {
			p.Mount = c.get()
			m.put()
		}
	}
	return c
}

// copyMount makes another mount of what m shows, from root down.
func (s *System) copyMount(m *Mount, root *Dentry, how copyHow) *Mount {
	m.sb.refs++
	c := s.newMount(m.sb, root.get(), m.Source, m.Flags)
	c.unbindable, c.locked, c.lockedFlags, c.lockedTime = m.unbindable, m.locked, m.lockedFlags, m.lockedTime
	if how&copySlave != 0 || how&copySharedToSlave != 0 && m.peers != nil {
		c.follow(m.peers)
	} else {
		if m.peers != nil {
			c.join(m.peers)
		}
		c.follow(m.master)
	}
	if how&copyShared != 0 && c.peers == nil {
		c.join(s.newGroup())
	}
	return c
}
