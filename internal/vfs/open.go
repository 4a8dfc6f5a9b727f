package vfs

import "github.com/tinevm/tine/internal/linux"

// creationFlags are those that only matter while a file is being opened.
const creationFlags = linux.O_CREAT | linux.O_EXCL | linux.O_NOCTTY | linux.O_TRUNC | linux.O_CLOEXEC

// pathFlags are the only flags that count with O_PATH.
const pathFlags = linux.O_DIRECTORY | linux.O_NOFOLLOW | linux.O_PATH

// oTmpfile is the bit of O_TMPFILE without that of O_DIRECTORY.
const oTmpfile = linux.O_TMPFILE &^ linux.O_DIRECTORY

// How is struct open_how of openat2(2).
type How struct{ Flags, Mode, Resolve uint64 }

// Open opens a file as openat(2) does; start is where a relative name begins.
func Open(c *Context, start Path, name string, flags, mode uint32) (*File, linux.Errno) {
	return OpenHow(c, start, name, How{Flags: uint64(flags), Mode: uint64(mode)})
}

// OpenHow opens a file as openat2(2) does. Flags that do not exist and a mode
// without O_CREAT have been refused by the caller.
func OpenHow(c *Context, start Path, name string, how How) (*File, linux.Errno) {
	flags := uint32(how.Flags)
	if flags&linux.O_PATH != 0 {
		flags &= pathFlags
	}
	switch {
	case flags&oTmpfile != 0 && (flags&linux.O_DIRECTORY == 0 || flags&linux.O_CREAT != 0):
		return nil, linux.EINVAL
	case flags&oTmpfile != 0 && flags&linux.O_ACCMODE == linux.O_RDONLY:
		return nil, linux.EINVAL
	case flags&oTmpfile == 0 && flags&(linux.O_CREAT|linux.O_DIRECTORY) == linux.O_CREAT|linux.O_DIRECTORY:
		return nil, linux.EINVAL
	case how.Resolve&linux.RESOLVE_CACHED != 0 && flags&(linux.O_TRUNC|linux.O_CREAT|oTmpfile) != 0:
		return nil, linux.EAGAIN // looking is quick, changing may not be
	}
	if errno := checkName(name); errno != 0 {
		return nil, errno
	}
	w := newWalker(c, start, how.Resolve)
	defer w.done()
	o := opening{c: c, w: w, flags: flags, mode: uint32(how.Mode) & 0o7777}
	switch {
	case flags&oTmpfile != 0:
		return o.tmpfile(name)
	case flags&linux.O_CREAT != 0:
		return o.create(name)
	}
	if errno := w.walk(name, flags&linux.O_NOFOLLOW == 0); errno != 0 {
		return nil, errno
	}
	return o.open(false)
}

// opening is one call of open.
type opening struct {
	c     *Context
	w     *walker
	flags uint32
	mode  uint32
}

// create opens a file that is made if it does not exist.
func (o *opening) create(name string) (*File, linux.Errno) {
	w := o.w
	for {
		if errno := w.walkParent(name); errno != 0 {
			return nil, errno
		}
		if w.kind() != lastNorm || w.slash {
			return nil, o.createDir()
		}
		parent := w.cur
		if errno := w.step(w.last); errno != 0 {
			return nil, errno
		}
		if w.cur.Dentry.inode == nil {
			if closed(parent.Dentry.inode) {
				return nil, linux.ENOENT
			}
			return o.createNew(parent)
		}
		if o.flags&linux.O_EXCL != 0 {
			return nil, linux.EEXIST
		}
		if o.flags&linux.O_NOFOLLOW != 0 {
			return o.open(false)
		}
		link, errno := w.follow(parent)
		if errno != 0 {
			return nil, errno
		}
		if link == "" {
			return o.openExisting(parent)
		}
		name = link
	}
}

// createDir is the error for a name that can only be a directory.
func (o *opening) createDir() linux.Errno {
	if o.w.kind() == lastNorm {
		if errno := o.w.searchable(); errno != 0 {
			return errno
		}
		return linux.EISDIR
	}
	if errno := o.w.step(o.w.last); errno != 0 {
		return errno
	}
	if o.flags&linux.O_EXCL != 0 {
		return linux.EEXIST
	}
	return linux.EISDIR
}

// openExisting opens what O_CREAT found.
func (o *opening) openExisting(parent Path) (*File, linux.Errno) {
	a, errno := o.w.cur.Attr()
	if errno != 0 {
		return nil, errno
	}
	if a.IsDir() {
		return nil, linux.EISDIR
	}
	return o.open(false)
}

// createNew makes the file; the walker is at its negative dentry.
func (o *opening) createNew(parent Path) (*File, linux.Errno) {
	if parent.ReadOnly() {
		return nil, linux.EROFS
	}
	dir, d := parent.Dentry.inode, o.w.cur.Dentry
	if errno := o.c.permission(dir, MayWrite|MayExec); errno != 0 {
		return nil, errno
	}
	i, errno := dir.Create(o.c, d.name, o.mode&^o.c.Umask)
	if errno != 0 {
		return nil, errno
	}
	d.setInode(i)
	notifyDir(parent.Dentry, d, linux.IN_CREATE, 0)
	return o.open(true)
}

// tmpfile makes and opens a file without a name in the directory name.
func (o *opening) tmpfile(name string) (*File, linux.Errno) {
	if errno := o.w.walk(name, true); errno != 0 {
		return nil, errno
	}
	p := o.w.cur
	if errno := o.w.mustBeDir(); errno != 0 {
		return nil, errno
	}
	if p.ReadOnly() {
		return nil, linux.EROFS
	}
	if errno := o.c.permission(p.Dentry.inode, MayWrite|MayExec); errno != 0 {
		return nil, errno
	}
	i, errno := p.Dentry.inode.Tmpfile(o.c, o.mode&^o.c.Umask)
	if errno != 0 {
		return nil, errno
	}
	i.Common().linkable = o.flags&linux.O_EXCL == 0
	a, _ := i.Attr()
	d := &Dentry{sb: p.Dentry.sb, parent: p.Dentry.get(), name: "#" + utoa(a.Ino)}
	d.setInode(i)
	noteRemoved(d)
	o.w.cur = Path{p.Mount, d}
	d.refs++ // so that the walker's place is a dentry like others
	f, errno := o.open(true)
	d.put()
	return f, errno
}

// open opens the walker's place. created says that the caller has just made
// it, so that its own permissions do not count.
func (o *opening) open(created bool) (*File, linux.Errno) {
	p, flags := o.w.cur, o.flags
	a, errno := p.Attr()
	if errno != 0 {
		return nil, errno
	}
	if flags&linux.O_DIRECTORY != 0 && flags&oTmpfile == 0 && !a.IsDir() {
		return nil, linux.ENOTDIR
	}
	if flags&linux.O_PATH != 0 {
		f := NewFile(pathOps{}, flags)
		f.Path = p.Get()
		return f, 0
	}
	if errno := o.mayOpen(p, &a, created); errno != 0 {
		return nil, errno
	}
	return o.openInode(p, &a, created)
}

// mayOpen makes the checks of opening an existing file.
func (o *opening) mayOpen(p Path, a *Attr, created bool) linux.Errno {
	mask := openMask(o.flags)
	switch a.Type() {
	case linux.S_IFLNK:
		return linux.ELOOP
	case linux.S_IFDIR:
		if mask&MayWrite != 0 {
			return linux.EISDIR
		}
	case linux.S_IFCHR, linux.S_IFBLK:
		if p.Mount.Flags&linux.MS_NODEV != 0 {
			return linux.EACCES
		}
	}
	if created {
		return 0
	}
	if mask&MayWrite != 0 && p.ReadOnly() && (a.IsRegular() || a.IsDir()) {
		return linux.EROFS
	}
	if errno := o.c.permission(p.Dentry.inode, mask); errno != 0 {
		return errno
	}
	if o.flags&linux.O_NOATIME != 0 && !o.c.owns(a) {
		return linux.EPERM
	}
	return 0
}

// openMask is the permission that flags need.
func openMask(flags uint32) (mask uint32) {
	switch flags & linux.O_ACCMODE {
	case linux.O_RDONLY:
		mask = MayRead
	case linux.O_WRONLY:
		mask = MayWrite
	default:
		mask = MayRead | MayWrite
	}
	if flags&linux.O_TRUNC != 0 {
		mask |= MayWrite
	}
	return mask
}

// openInode makes the open file.
func (o *opening) openInode(p Path, a *Attr, created bool) (*File, linux.Errno) {
	i := p.Dentry.inode
	if an, ok := i.(*anonInode); ok {
		return an.reopen(o.c, o.flags)
	}
	f := NewFile(nil, o.flags&^creationFlags)
	if a.IsRegular() {
		if errno := o.openRegular(f, p); errno != 0 {
			return nil, errno
		}
	}
	trunc := o.flags&linux.O_TRUNC != 0 && a.IsRegular() && !created
	ops, errno := o.ops(i, a, o.flags)
	if errno != 0 {
		f.closeCounts(p)
		return nil, errno
	}
	f.Ops, f.Path = ops, p.Get()
	notify(p.Dentry, linux.IN_OPEN)
	if trunc {
		if errno := truncateInode(o.c, p, a, 0); errno != 0 {
			f.Put()
			return nil, errno
		}
	}
	return f, 0
}

// openRegular counts the opening of a regular file, and waits for the leases in
// its way.
func (o *opening) openRegular(f *File, p Path) linux.Errno {
	if !f.Writable() {
		f.openReader(p)
	} else if errno := f.openWriter(p); errno != 0 {
		return errno
	}
	errno := o.c.breakLeases(p.Dentry.inode.Common(), f.Writable(), o.flags&linux.O_NONBLOCK != 0)
	if errno != 0 {
		f.closeCounts(p)
	}
	return errno
}

// ops makes the operations by kind of file.
func (o *opening) ops(i Inode, a *Attr, flags uint32) (FileOps, linux.Errno) {
	sys := o.c.Mounts.Sys
	if fi, ok := i.(Foreign); ok && !a.IsRegular() && !a.IsDir() && fi.Foreign() {
		return nil, linux.ENXIO
	}
	switch a.Type() {
	case linux.S_IFCHR, linux.S_IFBLK:
		if d, ok := i.(DeviceInode); ok {
			return d.OpenDevice(o.c, flags)
		}
		if open := sys.device(a); open != nil {
			o.c.Opening = o.w.cur
			return open(o.c, a.Rdev, flags)
		}
	case linux.S_IFIFO:
		if sys.OpenFIFO != nil {
			return sys.OpenFIFO(o.c, i, flags)
		}
		return nil, linux.ENXIO
	case linux.S_IFSOCK:
		return nil, linux.ENXIO
	}
	return i.Open(o.c, flags)
}

// OpenExec opens a program for execve(2). As long as the file is open nobody
// can open it for writing. flags are linux.AT_EMPTY_PATH and
// linux.AT_SYMLINK_NOFOLLOW.
func OpenExec(c *Context, start Path, name string, flags uint64) (*File, linux.Errno) {
	p, errno := Lookup(c, start, name, flags)
	if errno != 0 {
		return nil, errno
	}
	defer p.Put()
	a, errno := p.Attr()
	switch {
	case errno != 0:
		return nil, errno
	case a.IsSymlink():
		return nil, linux.ELOOP
	case !a.IsRegular(), p.NoExec():
		return nil, linux.EACCES
	}
	if errno := c.permission(p.Dentry.inode, MayExec); errno != 0 {
		return nil, errno
	}
	if errno := c.breakLeases(p.Dentry.inode.Common(), false, false); errno != 0 {
		return nil, errno
	}
	f := NewFile(nil, linux.O_RDONLY)
	if errno := f.denyWriters(p); errno != 0 {
		return nil, errno
	}
	ops, errno := p.Dentry.inode.Open(c, linux.O_RDONLY)
	if errno != 0 {
		f.closeCounts(p)
		return nil, errno
	}
	f.Ops, f.Path = ops, p.Get()
	notify(p.Dentry, linux.IN_OPEN)
	return f, 0
}

// pathOps are the operations of a file opened with O_PATH: none.
type pathOps struct{ NoOps }

// Stat implements FileOps.
func (pathOps) Stat(f *File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// MayNoAtime checks that the caller may set O_NOATIME: it must own the file.
func MayNoAtime(c *Context, f *File) linux.Errno {
	if f.Path.Dentry == nil {
		return 0
	}
	a, errno := f.Path.Attr()
	if errno == 0 && !c.owns(&a) {
		errno = linux.EPERM
	}
	return errno
}

// Fstat is fstat(2): for a file with a name the inode's attributes, for others
// what the operations tell.
func Fstat(f *File) (linux.Stat, linux.Errno) {
	if f.Path.Dentry != nil {
		return f.Path.Stat()
	}
	return f.Ops.Stat(f)
}

// utoa formats a number.
func utoa(n uint64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}
