package vfs

import "github.com/tinevm/tine/internal/linux"

// Stat resolves a name and describes the file (fstatat(2)).
func Stat(c *Context, start Path, name string, flags uint64) (linux.Stat, linux.Errno) {
	p, errno := Lookup(c, start, name, flags)
	if errno != 0 {
		return linux.Stat{}, errno
	}
	defer p.Put()
	return p.Stat()
}

// Access checks permission as faccessat(2) does for the credentials in c. mask
// is a combination of linux.R_OK and so on; 0 asks for existence.
func Access(c *Context, start Path, name string, mask uint32, flags uint64) linux.Errno {
	p, errno := Lookup(c, start, name, flags)
	if errno != 0 {
		return errno
	}
	defer p.Put()
	a, errno := p.Attr()
	if errno != 0 || mask == 0 {
		return errno
	}
	if mask&MayExec != 0 && a.IsRegular() && p.NoExec() {
		return linux.EACCES
	}
	if errno := c.permission(p.Dentry.inode, mask&7); errno != 0 {
		return errno
	}
	if mask&MayWrite != 0 && p.ReadOnly() && (a.IsRegular() || a.IsDir() || a.IsSymlink()) {
		return linux.EROFS
	}
	return 0
}

// Readlink gives the target of a symbolic link (readlinkat(2)).
func Readlink(c *Context, start Path, name string) (string, linux.Errno) {
	flags := uint64(linux.AT_SYMLINK_NOFOLLOW)
	if start.Dentry != nil {
		if a, _ := start.Attr(); a.IsSymlink() {
			flags |= linux.AT_EMPTY_PATH // a link opened with O_PATH
		}
	}
	p, errno := Lookup(c, start, name, flags)
	if errno != 0 {
		return "", errno
	}
	defer p.Put()
	a, errno := p.Attr()
	if errno != 0 {
		return "", errno
	}
	if !a.IsSymlink() {
		return "", linux.EINVAL
	}
	return p.Dentry.inode.Readlink(c)
}

// Chdir resolves a name to a directory that the caller may enter (chdir(2),
// chroot(2)). The Path has a reference.
func Chdir(c *Context, name string) (Path, linux.Errno) {
	p, errno := Lookup(c, c.Cwd, name, 0)
	if errno != 0 {
		return Path{}, errno
	}
	if errno := MayEnter(c, p); errno != 0 {
		p.Put()
		return Path{}, errno
	}
	return p, 0
}

// MayEnter checks that p can become a working directory.
func MayEnter(c *Context, p Path) linux.Errno {
	w := walker{c: c, cur: p}
	if p.Dentry == nil {
		return linux.ENOTDIR
	}
	return w.searchable()
}

// newEntry resolves a name that is to be made, up to the negative dentry. The
// caller calls done on the walker, whose place is the parent directory.
func newEntry(c *Context, start Path, name string, dir bool) (*walker, *Dentry, linux.Errno) {
	w, errno := parentOf(c, start, name)
	if errno != 0 {
		return nil, nil, errno
	}
	d, errno := w.newEntry(dir)
	if errno == 0 {
		errno = w.mayCreate()
	}
	if errno != 0 {
		w.done()
		return nil, nil, errno
	}
	return w, d, 0
}

func (w *walker) newEntry(dir bool) (*Dentry, linux.Errno) {
	if w.kind() != lastNorm {
		return nil, linux.EEXIST
	}
	d, errno := w.child()
	switch {
	case errno != 0:
		return nil, errno
	case d.inode != nil:
		return nil, linux.EEXIST
	case closed(w.cur.Dentry.inode):
		return nil, linux.ENOENT
	case w.slash && !dir:
		return nil, linux.ENOENT
	case w.cur.ReadOnly():
		return nil, linux.EROFS
	}
	return d, 0
}

// mayCreate checks that the caller may make names in the directory.
func (w *walker) mayCreate() linux.Errno {
	return w.c.permission(w.cur.Dentry.inode, MayWrite|MayExec)
}

// made makes a new inode known under its dentry.
func (w *walker) made(d *Dentry, i Inode, errno linux.Errno) linux.Errno {
	if errno != 0 {
		return errno
	}
	d.setInode(i)
	notifyDir(w.cur.Dentry, d, linux.IN_CREATE, 0)
	return 0
}

// Mkdir is mkdirat(2).
func Mkdir(c *Context, start Path, name string, mode uint32) linux.Errno {
	w, d, errno := newEntry(c, start, name, true)
	if errno != 0 {
		return errno
	}
	defer w.done()
	i, errno := w.cur.Dentry.inode.Mkdir(c, d.name, mode&0o1777&^c.Umask)
	return w.made(d, i, errno)
}

// Mknod is mknodat(2).
func Mknod(c *Context, start Path, name string, mode uint32, rdev uint64) linux.Errno {
	i, errno := mknod(c, start, name, mode, rdev)
	if errno == 0 {
		DropInode(i)
	}
	return errno
}

// BindSocket makes a socket node and returns its inode, which holds a
// reference that DropInode drops.
func BindSocket(c *Context, start Path, name string, mode uint32) (Inode, linux.Errno) {
	return mknod(c, start, name, linux.S_IFSOCK|mode, 0)
}

func mknod(c *Context, start Path, name string, mode uint32, rdev uint64) (Inode, linux.Errno) {
	switch mode & linux.S_IFMT {
	case 0:
		mode |= linux.S_IFREG
	case linux.S_IFREG, linux.S_IFIFO, linux.S_IFSOCK, linux.S_IFCHR, linux.S_IFBLK:
	case linux.S_IFDIR:
		return nil, linux.EPERM
	default:
		return nil, linux.EINVAL
	}
	w, d, errno := newEntry(c, start, name, false)
	if errno != 0 {
		return nil, errno
	}
	defer w.done()
	typ := mode & linux.S_IFMT
	if (typ == linux.S_IFCHR || typ == linux.S_IFBLK) && !c.capable(linux.CAP_MKNOD) {
		return nil, linux.EPERM
	}
	dir := w.cur.Dentry.inode
	mode = typ | mode&0o7777&^c.Umask
	var i Inode
	if typ == linux.S_IFREG {
		i, errno = dir.Create(c, d.name, mode&0o7777)
	} else {
		i, errno = dir.Mknod(c, d.name, mode, rdev)
	}
	if errno := w.made(d, i, errno); errno != 0 {
		return nil, errno
	}
	HoldInode(i)
	return i, 0
}

// Symlink is symlinkat(2).
func Symlink(c *Context, target string, start Path, name string) linux.Errno {
	if errno := checkName(target); errno != 0 {
		return errno
	}
	w, d, errno := newEntry(c, start, name, false)
	if errno != 0 {
		return errno
	}
	defer w.done()
	i, errno := w.cur.Dentry.inode.Symlink(c, d.name, target)
	return w.made(d, i, errno)
}

// Link is linkat(2); flags are linux.AT_SYMLINK_FOLLOW and
// linux.AT_EMPTY_PATH.
func Link(c *Context, oldStart Path, oldName string, start Path, name string, flags uint64) linux.Errno {
	at := uint64(linux.AT_SYMLINK_NOFOLLOW)
	if flags&linux.AT_SYMLINK_FOLLOW != 0 {
		at = 0
	}
	if flags&linux.AT_EMPTY_PATH != 0 {
		if !c.capable(linux.CAP_DAC_READ_SEARCH) {
			return linux.ENOENT
		}
		at |= linux.AT_EMPTY_PATH
	}
	old, errno := Lookup(c, oldStart, oldName, at)
	if errno != 0 {
		return errno
	}
	defer old.Put()
	w, errno := parentOf(c, start, name)
	if errno != 0 {
		return errno
	}
	defer w.done()
	d, errno := w.newEntry(false)
	if errno != 0 {
		return errno
	}
	return w.link(old, d)
}

func (w *walker) link(old Path, d *Dentry) linux.Errno {
	if old.Mount != w.cur.Mount {
		return linux.EXDEV
	}
	i := old.Dentry.inode
	a, errno := i.Attr()
	switch {
	case errno != 0:
		return errno
	case w.c.Mounts.Sys.ProtectedHardlinks && !mayLink(w.c, i, &a):
		return linux.EPERM
	}
	if errno := w.mayCreate(); errno != 0 {
		return errno
	}
	if a.IsDir() {
		return linux.EPERM
	}
	if a.Nlink == 0 && !i.Common().linkable {
		return linux.ENOENT
	}
	if errno := w.cur.Dentry.inode.Link(w.c, d.name, i); errno != 0 {
		return errno
	}
	d.setInode(i)
	i.Common().linkable = false // once
	i.Common().adopted()
	notifySelf(i, linux.IN_ATTRIB, 0)
	notifyDir(w.cur.Dentry, d, linux.IN_CREATE, 0)
	return 0
}

// mayLink is the rule of fs.protected_hardlinks: other people's files can be
// linked to only if they could be copied as well.
func mayLink(c *Context, i Inode, a *Attr) bool {
	if c.owns(a) {
		return true
	}
	const setgidExec = linux.S_ISGID | 0o010
	return a.IsRegular() && a.Mode&linux.S_ISUID == 0 && a.Mode&setgidExec != setgidExec &&
		c.permission(i, MayRead|MayWrite) == 0
}

// mayDelete checks that the caller may remove victim from the directory dir.
func mayDelete(c *Context, dir Path, victim *Dentry, isDir bool) linux.Errno {
	a, errno := victim.attr()
	if errno != 0 {
		return errno
	}
	da, errno := dir.Attr()
	if errno != 0 {
		return errno
	}
	if errno := c.permission(dir.Dentry.inode, MayWrite|MayExec); errno != 0 {
		return errno
	}
	if da.Mode&linux.S_ISVTX != 0 && a.UID != c.Cred.FSUID && da.UID != c.Cred.FSUID && !c.capable(linux.CAP_FOWNER) {
		return linux.EPERM
	}
	switch {
	case isDir && !a.IsDir():
		return linux.ENOTDIR
	case !isDir && a.IsDir():
		return linux.EISDIR
	}
	return 0
}

// Unlink is unlinkat(2) without AT_REMOVEDIR.
func Unlink(c *Context, start Path, name string) linux.Errno {
	w, errno := parentOf(c, start, name)
	if errno != 0 {
		return errno
	}
	defer w.done()
	if w.kind() != lastNorm {
		return linux.EISDIR
	}
	if w.cur.ReadOnly() {
		return linux.EROFS
	}
	d, errno := w.child()
	if errno != 0 {
		return errno
	}
	a, errno := d.attr()
	if errno != 0 {
		return errno
	}
	if w.slash {
		if a.IsDir() {
			return linux.EISDIR
		}
		return linux.ENOTDIR
	}
	if errno := mayDelete(c, w.cur, d, false); errno != 0 {
		return errno
	}
	if d.mounts > 0 {
		return linux.EBUSY
	}
	return w.remove(d, w.cur.Dentry.inode.Unlink(c, d.name, d.inode))
}

// remove makes the removal of d's file from the file system known. If nobody
// has the file open it ends here, before the directory's watchers are told.
func (w *walker) remove(d *Dentry, errno linux.Errno) linux.Errno {
	if errno != 0 {
		return errno
	}
	i, name := d.inode, d.name
	HoldInode(i)
	if isDir(d) {
		d.shrink() // names that were looked for in it hold it
	} else {
		notifySelf(i, linux.IN_ATTRIB, 0) // of its number of links
	}
	noteRemoved(d)
	d.drop()
	notifyName(w.cur.Dentry.inode, i, linux.IN_DELETE, 0, name)
	DropInode(i)
	return 0
}

// Rmdir is unlinkat(2) with AT_REMOVEDIR.
func Rmdir(c *Context, start Path, name string) linux.Errno {
	w, errno := parentOf(c, start, name)
	if errno != 0 {
		return errno
	}
	defer w.done()
	switch w.kind() {
	case lastDotDot:
		return linux.ENOTEMPTY
	case lastDot:
		return linux.EINVAL
	case lastRoot:
		return linux.EBUSY
	}
	if w.cur.ReadOnly() {
		return linux.EROFS
	}
	d, errno := w.child()
	if errno != 0 {
		return errno
	}
	if errno := mayDelete(c, w.cur, d, true); errno != 0 {
		return errno
	}
	if d.mounts > 0 {
		return linux.EBUSY
	}
	return w.remove(d, w.cur.Dentry.inode.Rmdir(c, d.name, d.inode))
}
