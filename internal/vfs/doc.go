// Package vfs is the file tree: names, directories, mounts and open files, and
// the interfaces through which file systems, devices and pipes take part.
//
// # The parts
//
// An Inode is a file, a Dentry a name in the tree that leads to one (or is
// known to lead to none), a Mount makes the tree of a Superblock visible at a
// place of a Namespace, and a Path is a place: a mount and a dentry. A File is
// an open file description, its FileOps what reading and writing it does.
//
// The functions that system calls use (Open, Stat, Mkdir, Rename, ...) take
// the caller as a *Context, a Path where relative names start, and a name. They
// check everything the kernel proper checks (search and write permission,
// sticky directories, read-only mounts, name lengths); a file system only
// stores. Names are resolved as path_resolution(7) tells.
//
// # References
//
// A Path returned by a function holds a reference that the caller drops with
// Put. Dentries nobody refers to stay cached and are dropped, least recently
// used first, when there are too many. An inode is told by Evict that the last
// dentry, watch and open file is gone; a file system frees the data of a file
// without names then.
//
// # Locking
//
// All of it is protected by the kernel lock.
package vfs
