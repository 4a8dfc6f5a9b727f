package vfs

import "github.com/tinevm/tine/internal/linux"

// EWAIT is returned by operations that must wait for something else than the
// readiness of an open file; Context.WaitOn names the queue. The kernel blocks
// the caller on it and calls again from the top. It never reaches a guest.
const EWAIT linux.Errno = 600

// Cred is what the file tree must know of a caller's credentials.
type Cred struct {
	FSUID, FSGID uint32
	Groups       []uint32 // supplementary groups
	Caps         uint64   // effective capabilities
	// IDs is the caller's user namespace; nil if that is the machine's first.
	IDs IDMap
}

// IDMap tells which ids a user namespace has numbers for.
type IDMap interface {
	MapsUID(id uint32) bool
	MapsGID(id uint32) bool
	// UID and GID translate a number of the namespace to the machine's.
	UID(id uint32) (uint32, bool)
	GID(id uint32) (uint32, bool)
}

// Capable reports whether c has a capability (linux.CAP_...) over the machine.
func (c *Cred) Capable(capability int) bool { return c.IDs == nil && c.Caps>>capability&1 != 0 }

// capableOver reports whether c has a capability over a file: its owner and
// group must have numbers in the caller's user namespace.
func (c *Cred) capableOver(a *Attr, capability int) bool {
	return c.Caps>>capability&1 != 0 && (c.IDs == nil || c.IDs.MapsUID(a.UID) && c.IDs.MapsGID(a.GID))
}

// OwnUID and OwnGID translate a number that the caller has given. It must be
// valid and one of the caller's user namespace.
func (c *Cred) OwnUID(id uint32, valid bool) (uint32, bool) {
	if !valid || c.IDs == nil {
		return id, valid
	}
	return c.IDs.UID(id)
}

// OwnGID is OwnUID for groups.
func (c *Cred) OwnGID(id uint32, valid bool) (uint32, bool) {
	if !valid || c.IDs == nil {
		return id, valid
	}
	return c.IDs.GID(id)
}

// InGroup reports whether gid is the file system group or a supplementary one.
func (c *Cred) InGroup(gid uint32) bool {
	if c.FSGID == gid {
		return true
	}
	for _, g := range c.Groups {
		if g == gid {
			return true
		}
	}
	return false
}

// Context is the caller of an operation.
type Context struct {
	Root, Cwd Path
	Umask     uint32
	Cred      *Cred
	Mounts    *Namespace
	// MayMount: the caller may change Mounts. It is set for those calls only.
	MayMount bool

	// Now is CLOCK_REALTIME.
	Now func() (sec, nsec int64)

	// Task is the calling task, for devices such as /dev/tty.
	Task any

	// Opening is the place of the device that is being opened.
	Opening Path

	// WaitOn is set together with EWAIT.
	WaitOn *WaitQueue
}

// Wait makes the caller wait on q: return its result.
func (c *Context) Wait(q *WaitQueue) linux.Errno {
	c.WaitOn = q
	return EWAIT
}

func (c *Context) capable(capability int) bool { return c.Cred.Capable(capability) }

// The kinds of permission; the values are those of the mode bits.
const (
	MayExec  = 1
	MayWrite = 2
	MayRead  = 4
)

// Permitter is implemented by inodes that decide about access themselves.
type Permitter interface {
	Permission(c *Context, mask uint32) linux.Errno
}

// Allowed checks mask against the mode bits and the capabilities that override
// them. The rules are in path_resolution(7) and capabilities(7).
func (c *Context) Allowed(a *Attr, mask uint32) linux.Errno {
	bits := a.Mode
	switch {
	case c.Cred.FSUID == a.UID:
		bits >>= 6
	case c.Cred.InGroup(a.GID):
		bits >>= 3
	}
	if mask&^bits&7 == 0 {
		return 0
	}
	if a.IsDir() || mask&MayExec == 0 || a.Mode&0o111 != 0 {
		if c.Cred.capableOver(a, linux.CAP_DAC_OVERRIDE) {
			return 0
		}
	}
	if mask == MayRead || a.IsDir() && mask&MayWrite == 0 {
		if c.Cred.capableOver(a, linux.CAP_DAC_READ_SEARCH) {
			return 0
		}
	}
	return linux.EACCES
}

// permission checks access to an inode.
func (c *Context) permission(i Inode, mask uint32) linux.Errno {
	if p, ok := i.(Permitter); ok {
		return p.Permission(c, mask)
	}
	a, errno := i.Attr()
	if errno != 0 {
		return errno
	}
	return c.Allowed(&a, mask)
}

// Permission checks access to what is at a place.
func Permission(c *Context, p Path, mask uint32) linux.Errno {
	return c.permission(p.Dentry.inode, mask)
}

// owns reports whether the caller may act as the owner of a file.
func (c *Context) owns(a *Attr) bool {
	return c.Cred.FSUID == a.UID || c.Cred.capableOver(a, linux.CAP_FOWNER)
}

// now is the current time.
func (c *Context) now() Time {
	if c == nil || c.Now == nil {
		return Time{}
	}
	sec, nsec := c.Now()
	return Time{sec, nsec}
}
