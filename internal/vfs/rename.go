package vfs

import "github.com/tinevm/tine/internal/linux"

// renaming is one call of rename: what is moved, and where to.
type renaming struct {
	c        *Context
	from, to *walker // at the directories
	old, new *Dentry // the entries; new may be negative
	flags    uint32
	oldDir   bool // old is a directory
	newDir   bool
}

// RenameAt is renameat2(2).
func RenameAt(c *Context, oldStart Path, oldName string, start Path, name string, flags uint32) linux.Errno {
	const both = linux.RENAME_NOREPLACE | linux.RENAME_EXCHANGE
	if flags&^(both|linux.RENAME_WHITEOUT) != 0 || flags&both == both {
		return linux.EINVAL
	}
	if flags&linux.RENAME_WHITEOUT != 0 {
		return linux.EINVAL // no file system here supports it
	}
	from, errno := parentOf(c, oldStart, oldName)
	if errno != 0 {
		return errno
	}
	defer from.done()
	to, errno := parentOf(c, start, name)
	if errno != 0 {
		return errno
	}
	defer to.done()
	r := renaming{c: c, from: from, to: to, flags: flags}
	if errno := r.resolve(); errno != 0 {
		return errno
	}
	if r.old.inode == r.new.inode {
		return 0 // two names of one file
	}
	if errno := r.check(); errno != 0 {
		return errno
	}
	return r.perform()
}

// resolve finds the two entries and rules out what can never be.
func (r *renaming) resolve() (errno linux.Errno) {
	exchange := r.flags&linux.RENAME_EXCHANGE != 0
	switch {
	case r.from.cur.Mount != r.to.cur.Mount:
		return linux.EXDEV
	case r.from.kind() != lastNorm:
		return linux.EBUSY
	case r.to.kind() != lastNorm && r.flags&linux.RENAME_NOREPLACE != 0:
		return linux.EEXIST
	case r.to.kind() != lastNorm:
		return linux.EBUSY
	case r.from.cur.ReadOnly():
		return linux.EROFS
	}
	if r.old, errno = r.from.child(); errno != 0 {
		return errno
	}
	if r.old.inode == nil {
		return linux.ENOENT
	}
	if r.new, errno = r.to.child(); errno != 0 {
		return errno
	}
	if r.new.inode == nil && (exchange || closed(r.to.cur.Dentry.inode)) {
		return linux.ENOENT
	}
	if r.new.inode != nil && r.flags&linux.RENAME_NOREPLACE != 0 {
		return linux.EEXIST
	}
	r.oldDir, r.newDir = isDir(r.old), isDir(r.new)
	if !r.oldDir && (r.from.slash || !exchange && r.to.slash) {
		return linux.ENOTDIR
	}
	if exchange && !r.newDir && r.to.slash {
		return linux.ENOTDIR
	}
	if r.old.isAncestor(r.to.cur.Dentry) {
		return linux.EINVAL // into its own subtree
	}
	if r.new.isAncestor(r.from.cur.Dentry) {
		if exchange {
			return linux.EINVAL
		}
		return linux.ENOTEMPTY
	}
	return 0
}

func isDir(d *Dentry) bool {
	a, errno := d.attr()
	return errno == 0 && a.IsDir()
}

// check makes the checks of permission.
func (r *renaming) check() linux.Errno {
	if errno := mayDelete(r.c, r.from.cur, r.old, r.oldDir); errno != 0 {
		return errno
	}
	exchange := r.flags&linux.RENAME_EXCHANGE != 0
	var errno linux.Errno
	switch {
	case r.new.inode == nil:
		errno = r.c.permission(r.to.cur.Dentry.inode, MayWrite|MayExec)
	case exchange:
		errno = mayDelete(r.c, r.to.cur, r.new, r.newDir)
	default:
		errno = mayDelete(r.c, r.to.cur, r.new, r.oldDir)
	}
	if errno != 0 {
		return errno
	}
	if r.from.cur.Dentry != r.to.cur.Dentry {
		// A directory that moves gets another "..".
		if r.oldDir {
			errno = r.c.permission(r.old.inode, MayWrite)
		}
		if errno == 0 && exchange && r.newDir {
			errno = r.c.permission(r.new.inode, MayWrite)
		}
		if errno != 0 {
			return errno
		}
	}
	if r.old.mounts > 0 || r.new.mounts > 0 {
		return linux.EBUSY
	}
	return 0
}

// perform moves the file in the file system and then the dentries.
func (r *renaming) perform() linux.Errno {
	oldParent, newParent := r.from.cur.Dentry, r.to.cur.Dentry
	req := Rename{
		OldName: r.old.name, Child: r.old.inode, NewDir: newParent.inode, NewName: r.new.name,
		Target: r.new.inode, Flags: r.flags & linux.RENAME_EXCHANGE,
	}
	if errno := oldParent.inode.Rename(r.c, &req); errno != 0 {
		return errno
	}
	r.old.get()
	r.new.get()
	oldName := r.old.name
	target := r.new.inode
	if r.flags&linux.RENAME_EXCHANGE == 0 {
		noteRemoved(r.new)
	}
	r.new.unhash()
	r.old.move(newParent, req.NewName)
	if r.flags&linux.RENAME_EXCHANGE != 0 {
		r.new.hashed = false
		r.new.move(oldParent, oldName)
	}
	r.tell(oldParent, oldName, target)
	r.new.put()
	r.old.put()
	return 0
}

// tell sends the events of the rename.
func (r *renaming) tell(oldParent *Dentry, oldName string, target Inode) {
	newParent := r.old.parent
	r.tellMoved(r.old.inode, oldParent.inode, oldName, newParent.inode, r.old.name)
	if r.flags&linux.RENAME_EXCHANGE != 0 {
		r.tellMoved(target, newParent.inode, r.old.name, oldParent.inode, oldName)
	} else if target != nil {
		notifySelf(target, linux.IN_ATTRIB, 0)
	}
}

// tellMoved sends the events of one file's move; a cookie joins them.
func (r *renaming) tellMoved(i, from Inode, oldName string, to Inode, newName string) {
	sys := r.c.Mounts.Sys
	sys.nextCookie++
	notifyName(from, i, linux.IN_MOVED_FROM, sys.nextCookie, oldName)
	notifyName(to, i, linux.IN_MOVED_TO, sys.nextCookie, newName)
	send(i, linux.IN_MOVE_SELF, 0, "") // which never tells that it is a directory
}
