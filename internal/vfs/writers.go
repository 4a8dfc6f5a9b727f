package vfs

import "github.com/tinevm/tine/internal/linux"

// What keeps a mount or a file system from being made read-only: files that are
// open for writing, and files that have no name any more but are in use, whose
// end will change the file system.

// openWriter counts an opening of a regular file for writing, at a place.
func (f *File) openWriter(p Path) linux.Errno {
	if errno := p.Dentry.inode.Common().getWrite(); errno != 0 {
		return errno
	}
	f.inodeCount = 1
	p.Mount.writers++
	p.Mount.sb.writers++
	return 0
}

// denyWriters counts an execution of the file at a place.
func (f *File) denyWriters(p Path) linux.Errno {
	if errno := p.Dentry.inode.Common().denyWrite(); errno != 0 {
		return errno
	}
	f.inodeCount = -1
	f.openReader(p)
	return 0
}

// openReader counts an opening of a regular file that is not for writing.
func (f *File) openReader(p Path) {
	f.reader = true
	p.Dentry.inode.Common().readers++
}

// closeCounts undoes openWriter, openReader and denyWriters.
func (f *File) closeCounts(p Path) {
	if f.reader {
		f.reader = false
		p.Dentry.inode.Common().readers--
	}
	if f.inodeCount == 0 {
		return
	}
	p.Dentry.inode.Common().writers -= f.inodeCount
	if f.inodeCount > 0 {
		p.Mount.writers--
		p.Mount.sb.writers--
	}
	f.inodeCount = 0
}

// noteRemoved counts the file of d, which has just lost a name, if that was the
// last.
func noteRemoved(d *Dentry) {
	if d.inode == nil || d.inode.Common().orphanOf != nil {
		return
	}
	if a, errno := d.inode.Attr(); errno == 0 && (a.Nlink == 0 || a.IsDir()) {
		d.inode.Common().orphanOf = d.sb
		d.sb.orphans++
	}
}

// adopted undoes noteRemoved: the inode has a name again, or has ended.
func (n *InodeCommon) adopted() {
	if n.orphanOf != nil {
		n.orphanOf.orphans--
		n.orphanOf = nil
	}
}

// busyWriting refuses to make a file system read-only while it may still change.
func (sb *Superblock) busyWriting() bool { return sb.writers > 0 || sb.orphans > 0 }
