package vfs

import (
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// Path is a place in a namespace. The zero Path is none.
type Path struct {
	Mount  *Mount
	Dentry *Dentry
}

// Get takes a reference and returns p. The zero Path may be used.
func (p Path) Get() Path {
	if p.Dentry != nil {
		p.Mount.get()
		p.Dentry.get()
	}
	return p
}

// Put drops a reference. The zero Path may be used.
func (p Path) Put() {
	if p.Dentry != nil {
		p.Dentry.put()
		p.Mount.put()
	}
}

// Inode is the file there; nil for the zero Path.
func (p Path) Inode() Inode {
	if p.Dentry == nil {
		return nil
	}
	return p.Dentry.inode
}

// Attr returns the attributes of the file there.
func (p Path) Attr() (Attr, linux.Errno) {
	if p.Dentry == nil {
		return Attr{}, linux.ENOENT
	}
	return p.Dentry.attr()
}

// Stat returns what stat(2) shows of the file there.
func (p Path) Stat() (linux.Stat, linux.Errno) {
	a, errno := p.Attr()
	if errno != 0 {
		return linux.Stat{}, errno
	}
	return a.Stat(p.Dentry.sb.Dev), 0
}

// NoSuid reports whether set-user-ID bits do not count there.
func (p Path) NoSuid() bool { return p.Mount != nil && p.Mount.Flags&linux.MS_NOSUID != 0 }

// NoExec reports whether programs cannot be executed from there.
func (p Path) NoExec() bool { return p.Mount != nil && p.Mount.Flags&linux.MS_NOEXEC != 0 }

// ReadOnly reports whether nothing can be changed there.
func (p Path) ReadOnly() bool { return p.Mount != nil && p.Mount.ReadOnly() }

// Beside is the place of another name in the same directory, "." for that
// itself, with a reference.
func (p Path) Beside(c *Context, name string) (Path, linux.Errno) {
	if p.Dentry == nil || p.Dentry.parent == nil {
		return Path{}, linux.ENOENT
	}
	if name == "." {
		return Path{p.Mount, p.Dentry.parent}.Get(), 0
	}
	d, errno := p.Dentry.parent.lookup(c, name)
	if errno != 0 || d.inode == nil {
		return Path{}, max(errno, linux.ENOENT)
	}
	return Path{p.Mount, d}.over().Get(), 0
}

// over moves to the root of what is mounted at p, if anything is.
func (p Path) over() Path {
	for p.Dentry.mounts > 0 {
		m := p.Mount.childAt(p.Dentry)
		if m == nil {
			break
		}
		p = Path{m, m.root}
	}
	return p
}

// Deleted reports whether the name has been removed.
func (p Path) Deleted() bool {
	if p.Dentry == nil || p.Dentry.parent == nil {
		return false
	}
	v, ok := p.Dentry.inode.(Vanisher)
	return !p.Dentry.hashed || ok && v.Vanished()
}

// Name gives the path name from root, as links in /proc show it: names that are
// gone have " (deleted)" behind. reachable is false if the place is not below
// root; then the name starts at the top of its own tree.
func (p Path) Name(root Path) (name string, reachable bool) {
	if p.Dentry == nil {
		return "", false
	}
	name, reachable = p.name(root)
	if p.Deleted() {
		name += " (deleted)"
	}
	return name, reachable
}

func (p Path) name(root Path) (string, bool) {
	var parts []string
	m, d := p.Mount, p.Dentry
	reachable := true
	for m != root.Mount || d != root.Dentry {
		if d == m.root {
			if m.parent == nil {
				reachable = root.Dentry == nil && m.ns != nil && m == m.ns.root
				break
			}
			m, d = m.parent, m.mountpoint
			continue
		}
		if d.parent == nil {
			reachable = false // outside of a bind mount's root
			break
		}
		parts = append(parts, d.name)
		d = d.parent
	}
	if len(parts) == 0 {
		return "/", reachable
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(parts[i])
	}
	return b.String(), reachable
}

// String gives the path name from the root of the namespace.
func (p Path) String() string {
	name, _ := p.Name(Path{})
	return name
}

// Getcwd is the caller's working directory as getcwd(2) gives it.
func Getcwd(c *Context) (string, linux.Errno) {
	if c.Cwd.Deleted() {
		return "", linux.ENOENT
	}
	name, reachable := c.Cwd.name(c.Root)
	if !reachable {
		name = "(unreachable)" + name
	}
	return name, 0
}
