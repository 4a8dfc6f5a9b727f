package net

import (
	"bytes"
	"fmt"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Sizes of struct sockaddr_un.
const (
	unixPathOffset = 2
	sizeofUnixName = unixPathOffset + 108
)

// unixName is the address a socket is bound to. A path name is kept with its
// terminating zero byte, an abstract name with its leading one.
type unixName struct {
	bound bool
	name  string
	owner bool // the socket that bound it, not one that shares it by accept
}

// abstractKey identifies an abstract name: sockets of different types do not
// see each other's.
type abstractKey struct {
	typ  int
	name string
}

// share is the name of a connection accepted from the socket with this name.
func (n unixName) share() unixName {
	n.owner = false
	return n
}

// sockaddr is the name as struct sockaddr_un.
func (n *unixName) sockaddr() []byte {
	b := le.AppendUint16(nil, linux.AF_UNIX)
	return append(b, n.name...)
}

// checkUnixName judges a struct sockaddr_un that names something.
func checkUnixName(addr []byte) linux.Errno {
	if len(addr) <= unixPathOffset || len(addr) > sizeofUnixName || nameFamily(addr) != linux.AF_UNIX {
		return linux.EINVAL
	}
	return 0
}

// unixPath takes the path name out of an address; ok is false for an abstract
// name. The name ends at the first zero byte or with the address.
func unixPath(addr []byte) (path string, ok bool) {
	p := addr[unixPathOffset:]
	if p[0] == 0 {
		return "", false
	}
	if i := bytes.IndexByte(p, 0); i >= 0 {
		p = p[:i]
	}
	return string(p), true
}

// Bind implements Socket.
func (u *unixSocket) Bind(c *Caller, addr []byte) linux.Errno {
	if len(addr) == unixPathOffset && nameFamily(addr) == linux.AF_UNIX {
		u.autobind()
		return 0
	}
	if errno := checkUnixName(addr); errno != 0 {
		return errno
	}
	if path, ok := unixPath(addr); ok {
		return u.bindPath(c, path)
	}
	name := string(addr[unixPathOffset:])
	switch {
	case u.name.bound:
		return linux.EINVAL
	case u.stack.abstract[abstractKey{u.Type, name}] != nil:
		return linux.EADDRINUSE
	}
	u.bindAbstract(name)
	return 0
}

func (u *unixSocket) bindAbstract(name string) {
	u.name = unixName{bound: true, name: name, owner: true}
	u.stack.abstract[abstractKey{u.Type, name}] = u
}

// bindPath makes the socket's node in the file tree. The name must be new even
// for a socket that is bound already.
func (u *unixSocket) bindPath(c *Caller, path string) linux.Errno {
	i, errno := vfs.BindSocket(c.FS, c.FS.Cwd, path, 0o777)
	if errno == linux.EEXIST {
		errno = linux.EADDRINUSE
	}
	if errno != 0 {
		return errno
	}
	if u.name.bound {
		// Linux notices after it has made the node, and removes it.
		vfs.DropInode(i)
		vfs.Unlink(c.FS, c.FS.Cwd, path)
		return linux.EINVAL
	}
	u.inode = i
	i.Common().Socket = u
	u.name = unixName{bound: true, name: path + "\x00", owner: true}
	return 0
}

// autobind gives the socket an abstract name of five hexadecimal digits, if it
// has none.
func (u *unixSocket) autobind() {
	s := u.stack
	for !u.name.bound {
		name := fmt.Sprintf("\x00%05x", s.autobind&0xfffff)
		s.autobind++
		if s.abstract[abstractKey{u.Type, name}] == nil {
			u.bindAbstract(name)
		}
	}
}

// unbind gives the name back. A node in the file tree stays, and refuses
// connections from then on.
func (u *unixSocket) unbind() {
	if !u.name.owner {
		return
	}
	if u.inode != nil {
		u.inode.Common().Socket = nil
		vfs.DropInode(u.inode)
		u.inode = nil
	} else {
		delete(u.stack.abstract, abstractKey{u.Type, u.name.name})
	}
	u.name.owner = false
}

// findUnix finds the socket that an address names, for a sender of type typ.
func (s *Stack) findUnix(c *Caller, addr []byte, typ int) (*unixSocket, linux.Errno) {
	u := s.abstract[abstractKey{typ, string(addr[unixPathOffset:])}]
	if path, ok := unixPath(addr); ok {
		var errno linux.Errno
		if u, errno = findPath(c, path); errno != 0 {
			return nil, errno
		}
	}
	switch {
	case u == nil:
		return nil, linux.ECONNREFUSED
	case u.Type != typ:
		return nil, linux.EPROTOTYPE
	}
	return u, 0
}

// findPath finds the socket bound to a path name; nil if the file there is no
// socket in use. Sending needs write permission.
func findPath(c *Caller, path string) (*unixSocket, linux.Errno) {
	if errno := vfs.Access(c.FS, c.FS.Cwd, path, vfs.MayWrite, 0); errno != 0 {
		return nil, errno
	}
	p, errno := vfs.Lookup(c.FS, c.FS.Cwd, path, 0)
	if errno != 0 {
		return nil, errno
	}
	defer p.Put()
	u, _ := p.Inode().Common().Socket.(*unixSocket)
	return u, 0
}

// LocalName implements Socket.
func (u *unixSocket) LocalName() ([]byte, linux.Errno) { return u.name.sockaddr(), 0 }

// PeerName implements Socket.
func (u *unixSocket) PeerName() ([]byte, linux.Errno) {
	if u.peer == nil {
		return nil, linux.ENOTCONN
	}
	return u.peer.name.sockaddr(), 0
}
