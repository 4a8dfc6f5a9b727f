package vfs

import (
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// maxXattrSize is XATTR_SIZE_MAX.
const maxXattrSize = 65536

// xattrPermission makes the checks of xattr(7) for one attribute.
func xattrPermission(c *Context, p Path, name string, mask uint32) linux.Errno {
	a, errno := p.Attr()
	if errno != 0 {
		return errno
	}
	denied := linux.Errno(linux.EPERM)
	if mask == MayRead {
		denied = linux.ENODATA
	}
	write := mask&MayWrite != 0
	space, _, _ := strings.Cut(name, ".")
	switch space {
	case "security":
		if write && !c.capable(linux.CAP_SYS_ADMIN) && !(name == "security.capability" && c.capable(linux.CAP_SETFCAP)) {
			return linux.EPERM
		}
		return 0
	case "system":
		return 0
	case "trusted":
		if !c.capable(linux.CAP_SYS_ADMIN) {
			return denied
		}
		return 0
	case "user":
		if !a.IsRegular() && !a.IsDir() {
			return denied
		}
		if a.IsDir() && a.Mode&linux.S_ISVTX != 0 && write && !c.owns(&a) {
			return linux.EPERM
		}
	}
	return c.permission(p.Dentry.inode, mask)
}

// checkXattrName checks the length of a name.
func checkXattrName(name string) linux.Errno {
	if name == "" || len(name) > linux.XATTR_NAME_MAX {
		return linux.ERANGE
	}
	return 0
}

// GetXattr is getxattr(2) for the file at p.
func GetXattr(c *Context, p Path, name string) ([]byte, linux.Errno) {
	if errno := checkXattrName(name); errno != 0 {
		return nil, errno
	}
	if p.Dentry == nil {
		return nil, linux.EOPNOTSUPP
	}
	if errno := xattrPermission(c, p, name, MayRead); errno != 0 {
		return nil, errno
	}
	return p.Dentry.inode.GetXattr(name)
}

// SetXattr is setxattr(2); flags are linux.XATTR_CREATE and
// linux.XATTR_REPLACE.
func SetXattr(c *Context, p Path, name string, value []byte, flags int) linux.Errno {
	if flags&^(linux.XATTR_CREATE|linux.XATTR_REPLACE) != 0 {
		return linux.EINVAL
	}
	if errno := checkXattrName(name); errno != 0 {
		return errno
	}
	if len(value) > maxXattrSize {
		return linux.E2BIG
	}
	return changeXattr(c, p, name, func(i Inode) linux.Errno { return i.SetXattr(c, name, value, flags) })
}

// RemoveXattr is removexattr(2).
func RemoveXattr(c *Context, p Path, name string) linux.Errno {
	if errno := checkXattrName(name); errno != 0 {
		return errno
	}
	return changeXattr(c, p, name, func(i Inode) linux.Errno { return i.RemoveXattr(c, name) })
}

func changeXattr(c *Context, p Path, name string, fn func(Inode) linux.Errno) linux.Errno {
	switch {
	case p.Dentry == nil:
		return linux.EOPNOTSUPP
	case p.ReadOnly():
		return linux.EROFS
	}
	if errno := xattrPermission(c, p, name, MayWrite); errno != 0 {
		return errno
	}
	if errno := fn(p.Dentry.inode); errno != 0 {
		return errno
	}
	notify(p.Dentry, linux.IN_ATTRIB)
	return 0
}

// ListXattr is listxattr(2): the names, each with a zero byte behind.
func ListXattr(c *Context, p Path) ([]byte, linux.Errno) {
	if p.Dentry == nil {
		return nil, linux.EOPNOTSUPP
	}
	names, errno := p.Dentry.inode.ListXattr()
	if errno != 0 {
		return nil, errno
	}
	var b []byte
	for _, n := range names {
		if strings.HasPrefix(n, "trusted.") && !c.capable(linux.CAP_SYS_ADMIN) {
			continue
		}
		b = append(append(b, n...), 0)
	}
	return b, 0
}
