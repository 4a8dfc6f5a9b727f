package vfs

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// The operations that mount(2) selects by flag, in the order it looks.
const propagationFlags = linux.MS_SHARED | linux.MS_PRIVATE | linux.MS_SLAVE | linux.MS_UNBINDABLE

// timeFlags are those that say what is done with access times.
const timeFlags = linux.MS_NOATIME | linux.MS_NODIRATIME | linux.MS_RELATIME

// MountArgs are the arguments of mount(2).
type MountArgs struct {
	Source, Target, FSType string
	Flags                  uint64
	Data                   string
	NoType                 bool // no file system type is given, not even an empty one
}

// DoMount is mount(2).
func DoMount(c *Context, a *MountArgs) linux.Errno {
	at, errno := Lookup(c, c.Cwd, a.Target, 0)
	if errno != 0 {
		return errno
	}
	defer at.Put()
	if !c.MayMount {
		return linux.EPERM
	}
	if a.Flags&linux.MS_MGC_MSK == linux.MS_MGC_VAL {
		a.Flags &^= linux.MS_MGC_MSK
	}
	flags := mountOptions(a.Flags)
	if a.Flags&linux.MS_REMOUNT != 0 && a.Flags&(timeFlags|linux.MS_STRICTATIME) == 0 {
		flags = flags&^timeFlags | at.Mount.Flags&timeFlags // what a remount does not name stays
	}
	switch {
	case a.Flags&(linux.MS_REMOUNT|linux.MS_BIND) == linux.MS_REMOUNT|linux.MS_BIND:
		return remount(c, at, flags, "", true)
	case a.Flags&linux.MS_REMOUNT != 0:
		return remount(c, at, flags, a.Data, false)
	case a.Flags&linux.MS_BIND != 0:
		return bindMount(c, at, a.Source, a.Flags&linux.MS_REC != 0)
	case a.Flags&propagationFlags != 0:
		return setPropagation(at, a.Flags)
	}
	// What is mounted there already is mounted over.
	at = at.over().Get()
	defer at.Put()
	switch at.Mount.ns {
	case c.Mounts:
	case nil:
		return linux.ENOENT
	default:
		return linux.EINVAL
	}
	if a.Flags&linux.MS_MOVE != 0 {
		return moveMount(c, at, a.Source)
	}
	return newMount(c, at, a, flags)
}

// mountOptions are the flags of the mount; like mount(2), relatime unless
// something else is asked for.
func mountOptions(flags uint64) uint64 {
	m := flags & mountFlags
	if m&linux.MS_NOATIME == 0 && flags&linux.MS_STRICTATIME == 0 {
		m |= linux.MS_RELATIME
	}
	if m&linux.MS_NOATIME != 0 || flags&linux.MS_STRICTATIME != 0 {
		m &^= linux.MS_RELATIME
	}
	return m
}

func newMount(c *Context, at Path, a *MountArgs, flags uint64) linux.Errno {
	if a.NoType {
		return linux.EINVAL
	}
	t, ok := c.Mounts.Sys.fstype(a.FSType)
	if !ok {
		return linux.ENODEV
	}
	if c.Cred.IDs != nil && !t.UserNS {
		return linux.EPERM
	}
	fs, errno := t.Mount(c, a.Source, a.Flags, a.Data)
	if errno != 0 {
		return errno
	}
	source := a.Source
	if source == "" {
		source = "none"
	}
	return at.Mount.ns.mountFS(at, fs, source, flags)
}

// remount changes the flags of a mount, and of its file system unless only is
// set.
func remount(c *Context, at Path, flags uint64, data string, only bool) linux.Errno {
	m := at.Mount
	if at.Dentry != m.root || m.ns != c.Mounts {
		return linux.EINVAL
	}
	if !m.mayRemount(flags) {
		return linux.EPERM
	}
	readOnly := flags&linux.MS_RDONLY != 0
	switch {
	case only && readOnly && m.Flags&linux.MS_RDONLY == 0 && m.writers > 0,
		!only && readOnly && !m.sb.ReadOnly && m.sb.busyWriting():
		return linux.EBUSY
	}
	if r, ok := m.sb.FS.(Remounter); ok && !only {
		if errno := r.Remount(c, data); errno != 0 {
			return errno
		}
	}
	if !only {
		m.sb.ReadOnly = readOnly
	}
	m.Flags = flags
	m.ns.changed()
	return 0
}

// bindMount makes the tree at source visible at another place too.
func bindMount(c *Context, at Path, source string, rec bool) linux.Errno {
	if source == "" {
		return linux.EINVAL
	}
	from, errno := Lookup(c, c.Cwd, source, 0)
	if errno != 0 {
		return errno
	}
	defer from.Put()
	at = at.over()
	sys := c.Mounts.Sys
	file, bindable := from.bindable()
	switch {
	case from.Mount.ns != c.Mounts && bindable == nil || at.Mount.ns != c.Mounts, from.Mount.unbindable, !rec && from.hasLocked():
		return linux.EINVAL
	}
	n := 1
	if rec {
		n = from.Mount.count()
	}
	if errno := sys.tooMany(n); errno != 0 {
		return errno
	}
	var m *Mount
	if bindable != nil {
		p, _ := AnonPathOwning(c.Mounts, file.Get())
		m = p.Mount
		m.Source = m.sb.FS.Type()
		p.Dentry.put()
	} else if rec {
		m = sys.copyTree(from.Mount, from.Dentry, 0, nil)
	} else {
		m = sys.copyMount(from.Mount, from.Dentry, 0)
	}
	m.locked = false
	errno = graftable(m, at)
	if errno == 0 && m.holds(c.Mounts) {
		errno = linux.EINVAL
	}
	if errno == 0 {
		errno = m.graft(at)
	}
	if errno != 0 {
		m.umount(false)
	}
	return errno
}

// hasLocked reports whether something is mounted at p or below that hides what
// the caller may not see.
func (p Path) hasLocked() bool {
	for _, c := range p.Mount.children {
		if c.locked && p.Dentry.isAncestor(c.mountpoint) {
			return true
		}
	}
	return false
}

// moveMount moves a mount to another place.
func moveMount(c *Context, at Path, source string) linux.Errno {
	if source == "" {
		return linux.EINVAL
	}
	from, errno := Lookup(c, c.Cwd, source, 0)
	if errno != 0 {
		return errno
	}
	defer from.Put()
	m := from.Mount
	switch {
	case from.Dentry != m.root || m.parent == nil || m.ns != c.Mounts || m.locked,
		m.parent.peers != nil,
		at.Mount.peers != nil && slices.ContainsFunc(m.tree(), func(x *Mount) bool { return x.unbindable }):
		return linux.EINVAL
	}
	for p := at.Mount; p != nil; p = p.parent {
		if p == m {
			return linux.ELOOP
		}
	}
	if errno := graftable(m, at); errno != 0 {
		return errno
	}
	return m.graft(at)
}

// Umount is umount2(2).
func Umount(c *Context, name string, flags uint64) linux.Errno {
	const known = linux.MNT_FORCE | linux.MNT_DETACH | linux.MNT_EXPIRE | linux.UMOUNT_NOFOLLOW
	if flags&^known != 0 {
		return linux.EINVAL
	}
	at := uint64(0)
	if flags&linux.UMOUNT_NOFOLLOW != 0 {
		at = linux.AT_SYMLINK_NOFOLLOW
	}
	p, errno := Lookup(c, c.Cwd, name, at)
	if errno != 0 {
		return errno
	}
	top := p.over().Get() // also of "."
	marked := top.Mount.expiring
	p.Put()
	m, expiring := top.Mount, false
	defer func() {
		top.Put()
		m.expiring = expiring
	}()
	const own = 1 // reference of the caller
	switch {
	case !c.MayMount:
		return linux.EPERM
	case top.Dentry != m.root || m.ns != c.Mounts || m.parent == nil || m.locked:
		return linux.EINVAL
	case flags&linux.MNT_EXPIRE != 0 && (flags&(linux.MNT_FORCE|linux.MNT_DETACH) != 0 || m == c.Root.Mount):
		return linux.EINVAL
	case flags&linux.MNT_EXPIRE != 0 && m.busy(own):
		return linux.EBUSY
	case flags&linux.MNT_EXPIRE != 0 && !marked:
		expiring = true // unless somebody comes by before the next call
		return linux.EAGAIN
	case flags&linux.MNT_DETACH != 0:
		m.umount(true)
		return 0
	case m.busy(own):
		return linux.EBUSY
	}
	m.umount(true)
	return 0
}

// PivotRoot is pivot_root(2): newRoot becomes the root of the namespace and the
// old root is moved to putOld. move are the root and working directories of
// the namespace's processes: those at the old root go to the new one.
func PivotRoot(c *Context, newRoot, putOld string, move []*Path) linux.Errno {
	if !c.MayMount {
		return linux.EPERM
	}
	n, errno := Lookup(c, c.Cwd, newRoot, 0)
	if errno != 0 {
		return errno
	}
	defer n.Put()
	o, errno := Lookup(c, c.Cwd, putOld, 0)
	if errno != 0 {
		return errno
	}
	defer o.Put()
	o = o.over().Get()
	defer o.Put()
	root := c.Root
	switch {
	case !isDir(n.Dentry) || !isDir(o.Dentry):
		return linux.ENOTDIR
	case o.Mount.peers != nil || n.Mount.parent != nil && n.Mount.parent.peers != nil ||
		root.Mount.parent != nil && root.Mount.parent.peers != nil, // moves do not propagate
		n.Mount.ns != c.Mounts || root.Mount.ns != c.Mounts || n.Mount.locked:
		return linux.EINVAL
	case n.Mount == root.Mount || o.Mount == root.Mount:
		return linux.EBUSY
	case n.Dentry != n.Mount.root || root.Dentry != root.Mount.root || n.Mount.parent == nil:
		return linux.EINVAL
	case !below(o, n) || !below(n, root):
		return linux.EINVAL
	}
	pivot(root, n, o, move)
	return 0
}

// below reports whether p lies in the tree at top.
func below(p, top Path) bool {
	for p.Mount != top.Mount {
		if p.Mount.parent == nil {
			return false
		}
		p = Path{p.Mount.parent, p.Mount.mountpoint}
	}
	return top.Dentry.isAncestor(p.Dentry)
}

func pivot(root, n, o Path, move []*Path) {
	ns := n.Mount.ns
	n.Mount.detach()
	if root.Mount.parent != nil {
		at := Path{root.Mount.parent, root.Mount.mountpoint}.Get()
		root.Mount.detach()
		n.Mount.attach(at)
		at.Put()
	} else {
		ns.root = n.Mount
	}
	root.Mount.attach(o)
	n.Mount.locked, root.Mount.locked = root.Mount.locked, false
	for _, p := range move {
		if *p == root {
			old := *p
			*p = n.Get()
			old.Put()
		}
	}
}
