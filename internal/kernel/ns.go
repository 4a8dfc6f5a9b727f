package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Namespaces are the namespaces of a task (nsproxy). Tasks share the structure
// until one of them unshares.
type Namespaces struct {
	refs int
	uts  *utsNamespace
	mnt  *vfs.Namespace
}

func (n *Namespaces) get() *Namespaces {
	n.refs++
	return n
}

func (n *Namespaces) put() {
	if n.refs--; n.refs == 0 && n.mnt != nil {
		n.mnt.Put()
	}
}

// newNamespaces are the flags that ask for namespaces.
const newNamespaces = linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWUSER |
	linux.CLONE_NEWPID | linux.CLONE_NEWNET | linux.CLONE_NEWCGROUP | linux.CLONE_NEWTIME

// copyNamespaces gives the child its namespaces: the maker's, or new ones.
func (t *Task) copyNamespaces(child *Task, flags uint64) linux.Errno {
	if flags&newNamespaces == 0 {
		child.ns = t.ns.get()
		return 0
	}
	ns, errno := t.newNamespaces(flags)
	if errno != 0 {
		return errno
	}
	child.ns = ns
	return 0
}

// newNamespaces makes those namespaces that flags ask for. The kinds that this
// kernel lacks get EINVAL, as from a Linux configured without them.
func (t *Task) newNamespaces(flags uint64) (*Namespaces, linux.Errno) {
	if !t.capable(linux.CAP_SYS_ADMIN) {
		return nil, linux.EPERM
	}
	if flags&newNamespaces&^(linux.CLONE_NEWUTS|linux.CLONE_NEWNS) != 0 {
		t.k.logf("namespaces of kind %#x are not supported: EINVAL", flags&newNamespaces)
		return nil, linux.EINVAL
	}
	ns := &Namespaces{refs: 1, uts: t.ns.uts}
	if flags&linux.CLONE_NEWUTS != 0 {
		c := *t.ns.uts
		ns.uts = &c
	}
	if flags&linux.CLONE_NEWNS != 0 {
		ns.mnt = t.ns.mnt.Clone(&t.fs.Root, &t.fs.Cwd)
	} else {
		ns.mnt = t.ns.mnt.Get()
	}
	return ns, 0
}

func sysUnshare(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const known = newNamespaces | linux.CLONE_FS | linux.CLONE_FILES | linux.CLONE_SYSVSEM |
		linux.CLONE_THREAD | linux.CLONE_SIGHAND | linux.CLONE_VM
	flags := a[0]
	if flags&^known != 0 {
		return 0, linux.EINVAL
	}
	if flags&(linux.CLONE_THREAD|linux.CLONE_SIGHAND|linux.CLONE_VM) != 0 && len(t.group.threads) > 1 {
		return 0, linux.EINVAL
	}
	if flags&newNamespaces != 0 {
		ns, errno := t.newNamespaces(flags)
		if errno != 0 {
			return 0, errno
		}
		t.ns.put()
		t.ns = ns
	}
	if flags&(linux.CLONE_FS|linux.CLONE_NEWNS) != 0 && t.fs.refs > 1 {
		own := t.fs.copy()
		t.fs.put()
		t.fs = own
	}
	if flags&linux.CLONE_FILES != 0 {
		t.unshareFiles()
	}
	return 0, 0
}
