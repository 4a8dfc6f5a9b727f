package vfs

import (
	"maps"
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// Dentry is a name in the tree. Those of names that do not exist (negative
// dentries) have no inode.
//
// A dentry refers to its parent, so what has children in memory stays. It is
// hashed as long as its parent's children name it; after an unlink it lives on,
// unhashed, for those who have the file open.
type Dentry struct {
	sb       *Superblock
	parent   *Dentry // nil for the root of a file system
	name     string
	inode    Inode
	children map[string]*Dentry
	refs     int
	mounts   int // mounts on top of it, in all namespaces
	hashed   bool

	// Place in the list of unused dentries while refs is 0.
	lruPrev, lruNext *Dentry
}

// dentryList is the list of unused dentries, least recently used first.
type dentryList struct {
	head, tail *Dentry
	n          int
}

func (l *dentryList) add(d *Dentry) {
	d.lruPrev, d.lruNext = l.tail, nil
	if l.tail != nil {
		l.tail.lruNext = d
	} else {
		l.head = d
	}
	l.tail = d
	l.n++
}

func (l *dentryList) remove(d *Dentry) {
	if d.lruPrev != nil {
		d.lruPrev.lruNext = d.lruNext
	} else {
		l.head = d.lruNext
	}
	if d.lruNext != nil {
		d.lruNext.lruPrev = d.lruPrev
	} else {
		l.tail = d.lruPrev
	}
	d.lruPrev, d.lruNext = nil, nil
	l.n--
}

// Inode is the file of the name; nil for a negative dentry.
func (d *Dentry) Inode() Inode { return d.inode }

// Name is the last component of the name; "" for the root of a file system.
func (d *Dentry) Name() string { return d.name }

// Superblock is the file system it belongs to.
func (d *Dentry) Superblock() *Superblock { return d.sb }

// attr returns the attributes of the inode.
func (d *Dentry) attr() (Attr, linux.Errno) {
	if d.inode == nil {
		return Attr{}, linux.ENOENT
	}
	return d.inode.Attr()
}

func (d *Dentry) setInode(i Inode) {
	d.inode = i
	if i != nil {
		HoldInode(i)
	}
}

func (d *Dentry) dropInode() {
	if i := d.inode; i != nil {
		d.inode = nil
		if len(i.Common().watches) != 0 {
			noteDeleted(i)
		}
		DropInode(i)
	}
}

// get takes a reference.
func (d *Dentry) get() *Dentry {
	if d.refs == 0 {
		d.sb.sys.lru.remove(d)
	}
	d.refs++
	return d
}

// put drops a reference. An unused dentry stays cached if it still names
// something.
func (d *Dentry) put() {
	for d != nil {
		if d.refs--; d.refs > 0 {
			return
		}
		if d.hashed && d.parent != nil {
			sys := d.sb.sys
			sys.lru.add(d)
			for sys.lru.n > sys.lruMax {
				sys.lru.head.kill()
			}
			return
		}
		parent := d.parent
		d.dropInode()
		d = parent
	}
}

// kill forgets an unused dentry.
func (d *Dentry) kill() {
	d.sb.sys.lru.remove(d)
	d.unhash()
	d.dropInode()
	d.parent.put()
}

// touch marks an unused dentry as recently used.
func (d *Dentry) touch() {
	if d.refs == 0 {
		d.sb.sys.lru.remove(d)
		d.sb.sys.lru.add(d)
	}
}

// unhash makes the name free: lookups no longer find d.
func (d *Dentry) unhash() {
	if d.hashed && d.parent != nil && d.parent.children[d.name] == d {
		delete(d.parent.children, d.name)
	}
	d.hashed = false
}

// drop unhashes d, and forgets it if nobody uses it.
func (d *Dentry) drop() {
	if d.refs == 0 {
		d.kill()
		return
	}
	d.unhash()
}

// add makes a child dentry, unused and hashed; i may be nil.
func (d *Dentry) add(name string, i Inode) *Dentry {
	c := &Dentry{sb: d.sb, parent: d.get(), name: name, hashed: true}
	c.setInode(i)
	if d.children == nil {
		d.children = make(map[string]*Dentry)
	}
	d.children[name] = c
	c.sb.sys.lru.add(c)
	return c
}

// lookup finds or makes the child with a name, possibly a negative one.
func (d *Dentry) lookup(c *Context, name string) (*Dentry, linux.Errno) {
	if len(name) > linux.NAME_MAX {
		return nil, linux.ENAMETOOLONG
	}
	if ch := d.children[name]; ch != nil {
		if rv, ok := d.inode.(Revalidator); !ok || rv.Revalidate(c, name, ch.inode) {
			ch.touch()
			return ch, 0
		}
		if ch.busyTree() {
			return ch, 0 // a mount below, or a working directory: it stays
		}
		ch.shrink()
		ch.drop()
	}
	i, errno := d.inode.Lookup(c, name)
	if errno != 0 && errno != linux.ENOENT {
		return nil, errno
	}
	if errno == linux.ENOENT {
		i = nil
	}
	if ch := d.children[name]; ch != nil && ch.inode == nil {
		ch.setInode(i)
		return ch, 0
	}
	return d.add(name, i), 0
}

// busyTree reports whether something is mounted on d or below it.
func (d *Dentry) busyTree() bool {
	if d.mounts > 0 {
		return true
	}
	for _, ch := range d.children {
		if ch.busyTree() {
			return true
		}
	}
	return false
}

// shrink forgets all unused dentries below d, in an order that watchers of
// deleted files may see.
func (d *Dentry) shrink() {
	for _, name := range slices.Sorted(maps.Keys(d.children)) {
		ch := d.children[name]
		ch.shrink()
		if ch.refs == 0 {
			ch.kill()
		}
	}
}

// move gives d another place in the tree, where no dentry is hashed.
func (d *Dentry) move(parent *Dentry, name string) {
	d.unhash()
	old := d.parent
	d.parent, d.name, d.hashed = parent.get(), name, true
	if parent.children == nil {
		parent.children = make(map[string]*Dentry)
	}
	parent.children[name] = d
	old.put()
}

// isAncestor reports whether d is other or lies above it.
func (d *Dentry) isAncestor(other *Dentry) bool {
	for ; other != nil; other = other.parent {
		if other == d {
			return true
		}
	}
	return false
}
