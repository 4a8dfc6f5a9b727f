package vfs

import (
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// maxSymlinks is how many symbolic links one resolution follows
// (path_resolution(7)).
const maxSymlinks = 40

// walker resolves one path name. Its place holds no reference: nothing on the
// way can go while the kernel lock is held, for every dentry on it was used a
// moment ago.
type walker struct {
	c       *Context
	root    Path // names do not lead above
	cur     Path
	held    Path // reference from a magic link, until the end
	links   int
	resolve uint64 // linux.RESOLVE_...

	// What walkParent leaves behind.
	last  string // the last component; "" is the root itself
	slash bool   // slashes follow it
}

// newWalker starts a resolution of name at start.
func newWalker(c *Context, start Path, resolve uint64) *walker {
	w := &walker{c: c, root: c.Root, cur: start, resolve: resolve}
	if resolve&(linux.RESOLVE_IN_ROOT|linux.RESOLVE_BENEATH) != 0 {
		w.root = start
	}
	return w
}

// done ends a resolution.
func (w *walker) done() {
	w.held.Put()
	w.held = Path{}
}

// checkName finds names that are wrong as a whole.
func checkName(name string) linux.Errno {
	switch {
	case name == "":
		return linux.ENOENT
	case len(name) >= linux.PATH_MAX:
		return linux.ENAMETOOLONG
	}
	return 0
}

// start goes to where a name begins.
func (w *walker) begin(name string) linux.Errno {
	if name[0] == '/' {
		if w.resolve&linux.RESOLVE_BENEATH != 0 {
			return linux.EXDEV
		}
		return w.jump(w.root)
	}
	if w.cur.Dentry == nil {
		return linux.ENOTDIR
	}
	return 0
}

// jump goes to p, which may be another mount.
func (w *walker) jump(p Path) linux.Errno {
	if w.resolve&linux.RESOLVE_NO_XDEV != 0 && p.Mount != w.cur.Mount {
		return linux.EXDEV
	}
	w.cur = p
	return 0
}

// walkParent resolves all of name but the last component.
func (w *walker) walkParent(name string) linux.Errno {
	if errno := w.begin(name); errno != 0 {
		return errno
	}
	rest := strings.TrimLeft(name, "/")
	for {
		comp, tail, _ := strings.Cut(rest, "/")
		next := strings.TrimLeft(tail, "/")
		if next == "" {
			w.last, w.slash = comp, len(comp) < len(rest)
			return 0
		}
		link, errno := w.enter(comp, true)
		if errno != 0 {
			return errno
		}
		if link != "" {
			if errno := w.begin(link); errno != 0 {
				return errno
			}
			next = strings.TrimLeft(link, "/") + "/" + next
			next = strings.TrimLeft(next, "/")
		}
		rest = next
	}
}

// searchable checks that the place is a directory the caller may search.
func (w *walker) searchable() linux.Errno {
	i := w.cur.Dentry.inode
	if i == nil {
		return linux.ENOENT
	}
	if p, ok := i.(Permitter); ok {
		return p.Permission(w.c, MayExec)
	}
	a, errno := i.Attr()
	if errno != 0 {
		return errno
	}
	if !a.IsDir() {
		return linux.ENOTDIR
	}
	return w.c.Allowed(&a, MayExec)
}

// enter goes to a component of the place. If that is a symbolic link to be
// followed, it stays and returns the target (or, for a magic link, goes there).
// If the name does not exist: ENOENT.
func (w *walker) enter(comp string, follow bool) (link string, errno linux.Errno) {
	parent := w.cur
	if errno := w.step(comp); errno != 0 {
		return "", errno
	}
	if w.cur.Dentry.inode == nil {
		return "", linux.ENOENT
	}
	if !follow || comp == "." || comp == ".." {
		return "", 0
	}
	return w.follow(parent)
}

// step goes to a component of the place, which may turn out negative.
func (w *walker) step(comp string) linux.Errno {
	if comp == "" {
		return 0 // the root itself
	}
	if errno := w.searchable(); errno != 0 {
		return errno
	}
	switch comp {
	case ".":
		return 0
	case "..":
		return w.up()
	}
	d, errno := w.cur.Dentry.lookup(w.c, comp)
	if errno != 0 {
		return errno
	}
	p := Path{w.cur.Mount, d}
	if d.mounts > 0 {
		return w.jump(p.over())
	}
	w.cur = p
	return 0
}

// up goes to the parent directory, not above the root.
func (w *walker) up() linux.Errno {
	p := w.cur
	for {
		if p == w.root {
			if w.resolve&linux.RESOLVE_BENEATH != 0 {
				return linux.EXDEV
			}
			return 0
		}
		if p.Dentry != p.Mount.root {
			break
		}
		if p.Mount.parent == nil {
			return 0
		}
		p = Path{p.Mount.parent, p.Mount.mountpoint}
	}
	if p.Dentry.parent != nil {
		p.Dentry = p.Dentry.parent
	}
	return w.jump(p.over())
}

// follow looks whether the place is a symbolic link. Then it counts it, goes
// back to the directory it is in, and returns the target; a magic link is
// followed at once.
func (w *walker) follow(parent Path) (string, linux.Errno) {
	i := w.cur.Dentry.inode
	a, errno := i.Attr()
	if errno != 0 {
		return "", errno
	}
	if !a.IsSymlink() {
		return "", 0
	}
	if w.links++; w.links > maxSymlinks || w.resolve&linux.RESOLVE_NO_SYMLINKS != 0 || w.cur.Mount.Flags&msNoSymfollow != 0 {
		return "", linux.ELOOP
	}
	if m, ok := i.(MagicLink); ok {
		return "", w.followMagic(m)
	}
	target, errno := i.Readlink(w.c)
	if errno != 0 {
		return "", errno
	}
	if target == "" {
		return "", linux.ENOENT
	}
	w.cur = parent
	return target, 0
}

func (w *walker) followMagic(m MagicLink) linux.Errno {
	if w.resolve&linux.RESOLVE_NO_MAGICLINKS != 0 {
		return linux.ELOOP
	}
	if w.resolve&(linux.RESOLVE_BENEATH|linux.RESOLVE_IN_ROOT) != 0 {
		return linux.EXDEV
	}
	p, errno := m.Follow(w.c)
	if errno != 0 {
		return errno
	}
	if errno := w.jump(p); errno != 0 {
		p.Put()
		return errno
	}
	w.held.Put()
	w.held = p
	return 0
}

// walk resolves name; a final symbolic link is followed if follow is set. The
// place may not exist (ENOENT) unless it is the final component and negative
// is allowed.
func (w *walker) walk(name string, follow bool) linux.Errno {
	if errno := checkName(name); errno != 0 {
		return errno
	}
	for {
		if errno := w.walkParent(name); errno != 0 {
			return errno
		}
		slash := w.slash
		link, errno := w.enter(w.last, follow || slash)
		if errno != 0 {
			return errno
		}
		if link == "" {
			if slash {
				return w.mustBeDir()
			}
			return 0
		}
		name = link
		if slash {
			name += "/"
		}
	}
}

// mustBeDir is the check that trailing slashes ask for.
func (w *walker) mustBeDir() linux.Errno {
	a, errno := w.cur.Attr()
	if errno == 0 && !a.IsDir() {
		errno = linux.ENOTDIR
	}
	return errno
}

// Lookup resolves a path name and returns the place with a reference. flags
// are linux.AT_SYMLINK_NOFOLLOW and linux.AT_EMPTY_PATH.
func Lookup(c *Context, start Path, name string, flags uint64) (Path, linux.Errno) {
	return lookupAt(c, start, name, flags, 0)
}

func lookupAt(c *Context, start Path, name string, flags, resolve uint64) (Path, linux.Errno) {
	if name == "" && flags&linux.AT_EMPTY_PATH != 0 && start.Dentry != nil {
		return start.Get(), 0
	}
	w := newWalker(c, start, resolve)
	defer w.done()
	if errno := w.walk(name, flags&linux.AT_SYMLINK_NOFOLLOW == 0); errno != 0 {
		return Path{}, errno
	}
	return w.cur.Get(), 0
}

// lastKind says what the last component of a name is.
type lastKind uint8

const (
	lastNorm lastKind = iota
	lastDot
	lastDotDot
	lastRoot
)

func (w *walker) kind() lastKind {
	switch w.last {
	case "":
		return lastRoot
	case ".":
		return lastDot
	case "..":
		return lastDotDot
	}
	return lastNorm
}

// parentOf resolves all but the last component of a name for an operation that
// changes the directory. The caller calls done on the walker.
func parentOf(c *Context, start Path, name string) (*walker, linux.Errno) {
	if errno := checkName(name); errno != 0 {
		return nil, errno
	}
	w := newWalker(c, start, 0)
	if errno := w.walkParent(name); errno != 0 {
		w.done()
		return nil, errno
	}
	if errno := w.searchable(); errno != 0 {
		w.done()
		return nil, errno
	}
	return w, 0
}

// child looks the last component up in the parent directory, without crossing
// mounts. The dentry may be negative.
func (w *walker) child() (*Dentry, linux.Errno) {
	return w.cur.Dentry.lookup(w.c, w.last)
}
