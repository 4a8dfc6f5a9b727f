package kernel

import (
	"github.com/tinevm/tine/internal/ipc"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/net"
	"github.com/tinevm/tine/internal/vfs"
)

// Namespaces are the namespaces of a task (nsproxy), but for the user
// namespace, which its credentials have. Tasks share the structure until one of
// them unshares.
type Namespaces struct {
	refs   int
	uts    *utsNamespace
	mnt    *vfs.Namespace
	ipc    *ipcNamespace
	net    *netNamespace
	pid    *pidNamespace // that children will be made in
	cgroup *cgroupNamespace
	time   *timeNamespace
	// timeNext is the time namespace of children (time_namespaces(7)).
	timeNext *timeNamespace
}

// utsNamespace holds the names of a machine.
type utsNamespace struct {
	hostname, domainname string
	owner                *userNamespace
	ino                  uint64
}

// ipcNamespace holds System V IPC objects and POSIX message queues.
type ipcNamespace struct {
	*ipc.Namespace
	owner *userNamespace
	ino   uint64
	refs  int

	mqs     map[string]*mqueue
	mqBytes map[uint32]uint64 // what the queues of each user count
	mqCount int
}

// netNamespace holds sockets and the names they are bound to.
type netNamespace struct {
	*net.Stack
	owner *userNamespace
	ino   uint64
	refs  int
}

// cgroupNamespace sets what /proc/PID/cgroup shows as root, and what a mount of
// cgroup2 does.
type cgroupNamespace struct {
	root  *cgroup
	owner *userNamespace
	ino   uint64
}

// timeNamespace shifts CLOCK_MONOTONIC and CLOCK_BOOTTIME, by nanoseconds.
type timeNamespace struct {
	monotonic, boottime int64
	owner               *userNamespace
	ino                 uint64
	used                bool // a task lives in it: the shift is fixed
}

// The inode numbers of the machine's first namespaces, as in Linux
// (include/linux/proc_ns.h); those of others follow nsInoBase.
const (
	rootTimeIno   = 4026531834
	rootCgroupIno = 4026531835
	rootPIDIno    = 4026531836
	rootUserIno   = 4026531837
	rootUTSIno    = 4026531838
	rootIPCIno    = 4026531839
	rootNetIno    = 4026531840
	rootMntIno    = 4026531841
	nsInoBase     = 4026532200
)

// nextNamespace numbers a new namespace.
func (k *Kernel) nextNamespace() uint64 {
	k.lastNS++
	return nsInoBase + k.lastNS
}

// initNamespaces makes the machine's first namespaces. The mount namespace
// comes with the file tree.
func (k *Kernel) initNamespaces() {
	user := newRootUserNS()
	k.rootUser = user
	k.pids = &pidNamespace{owner: user, ino: rootPIDIno}
	k.rootNS = &Namespaces{
		refs:   1,
		uts:    &utsNamespace{hostname: k.cfg.Hostname, domainname: "(none)", owner: user, ino: rootUTSIno},
		ipc:    &ipcNamespace{Namespace: ipc.New(), owner: user, ino: rootIPCIno, refs: 1},
		net:    &netNamespace{Stack: k.sys.newStack(user, true), owner: user, ino: rootNetIno, refs: 1},
		pid:    k.pids,
		cgroup: &cgroupNamespace{root: k.cgroups.root, owner: user, ino: rootCgroupIno},
		time:   &timeNamespace{owner: user, ino: rootTimeIno, used: true},
	}
	k.rootNS.timeNext = k.rootNS.time
}

func (n *Namespaces) get() *Namespaces {
	n.refs++
	return n
}

func (n *Namespaces) put() {
	if n.refs--; n.refs > 0 {
		return
	}
	if n.mnt != nil {
		n.mnt.Put()
	}
	n.ipc.put()
	n.net.put()
}

func (n *ipcNamespace) put() {
	if n.refs--; n.refs == 0 {
		n.Close()
	}
}

func (n *netNamespace) put() {
	if n.refs--; n.refs == 0 {
		n.Stack.Close()
	}
}

// copy makes a Namespaces of one's own with the same namespaces.
func (n *Namespaces) copy() *Namespaces {
	c := *n
	c.refs = 1
	if c.mnt != nil {
		c.mnt.Get()
	}
	c.ipc.refs++
	c.net.refs++
	return &c
}

// mntOwner is the user namespace that owns the mounts.
func (n *Namespaces) mntOwner() *userNamespace { return n.mnt.Owner.(*userNamespace) }

// newNamespaces are the flags that ask for namespaces.
const newNamespaces = linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWUSER |
	linux.CLONE_NEWPID | linux.CLONE_NEWNET | linux.CLONE_NEWCGROUP | linux.CLONE_NEWTIME

// copyNamespaces gives the child its namespaces: the maker's, or new ones. The
// child of a task that has changed its time namespace moves there.
func (t *Task) copyNamespaces(child *Task, flags uint64) linux.Errno {
	if flags&linux.CLONE_THREAD != 0 && t.ns.pid != t.pidNS() {
		return linux.EINVAL
	}
	moves := t.ns.time != t.ns.timeNext && flags&linux.CLONE_VM == 0
	if flags&newNamespaces&^linux.CLONE_NEWUSER == 0 && !moves {
		child.ns = t.ns.get()
		return 0
	}
	ns, errno := t.newNamespaces(child.cred.user, child.fs, flags)
	if errno != 0 {
		return errno
	}
	if flags&linux.CLONE_VM == 0 {
		ns.enterTimeNext()
	}
	child.ns = ns
	return 0
}

func (ns *Namespaces) enterTimeNext() {
	if ns.time != ns.timeNext {
		ns.time = ns.timeNext
		ns.time.used = true
	}
}

// execTimeNS moves the caller to the time namespace it has made, which a new
// address space allows (exec_task_namespaces).
func (t *Task) execTimeNS() {
	if t.ns.time == t.ns.timeNext {
		return
	}
	own := t.ns.copy()
	t.ns.put()
	t.ns = own
	own.enterTimeNext()
}

// newNamespaces makes those namespaces that flags ask for, owned by user; the
// rest are the caller's. fs is moved to new mounts.
func (t *Task) newNamespaces(user *userNamespace, fs *FSInfo, flags uint64) (*Namespaces, linux.Errno) {
	if user == t.cred.user && flags&newNamespaces != 0 && !t.capableIn(user, linux.CAP_SYS_ADMIN) {
		return nil, linux.EPERM
	}
	ns := t.ns.copy()
	if flags&linux.CLONE_NEWPID != 0 {
		if ns.pid.level == maxPIDLevel {
			ns.put()
			return nil, linux.ENOSPC
		}
		ns.pid = &pidNamespace{parent: ns.pid, level: ns.pid.level + 1, owner: user, ino: t.k.nextNamespace()}
	}
	if flags&linux.CLONE_NEWUTS != 0 {
		c := *ns.uts
		c.owner, c.ino = user, t.k.nextNamespace()
		ns.uts = &c
	}
	if flags&linux.CLONE_NEWIPC != 0 {
		ns.ipc.put()
		ns.ipc = &ipcNamespace{Namespace: ipc.New(), owner: user, ino: t.k.nextNamespace(), refs: 1}
	}
	if flags&linux.CLONE_NEWNET != 0 {
		ns.net.put()
		ns.net = &netNamespace{Stack: t.k.sys.newStack(user, false), owner: user, ino: t.k.nextNamespace(), refs: 1}
	}
	if flags&linux.CLONE_NEWCGROUP != 0 {
		ns.cgroup = &cgroupNamespace{root: t.group.cgroup, owner: user, ino: t.k.nextNamespace()}
	}
	if flags&linux.CLONE_NEWTIME != 0 {
		ns.timeNext = &timeNamespace{
			monotonic: ns.time.monotonic, boottime: ns.time.boottime, owner: user, ino: t.k.nextNamespace(),
		}
	}
	if flags&linux.CLONE_NEWNS != 0 {
		old := ns.mnt
		ns.mnt = old.Clone(user, &fs.Root, &fs.Cwd)
		ns.mnt.Ino = t.k.nextNamespace()
		old.Put()
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
	if flags&linux.CLONE_NEWUSER != 0 {
		flags |= linux.CLONE_THREAD | linux.CLONE_FS
	}
	if flags&(linux.CLONE_VM|linux.CLONE_THREAD|linux.CLONE_SIGHAND) != 0 && len(t.group.threads) > 1 {
		return 0, linux.EINVAL
	}
	if flags&(linux.CLONE_VM|linux.CLONE_SIGHAND) != 0 && t.sighand.refs > 1 || flags&linux.CLONE_VM != 0 && t.as.Users() > 1 {
		return 0, linux.EINVAL
	}
	if flags&(linux.CLONE_FS|linux.CLONE_NEWNS) != 0 && t.fs.refs > 1 {
		own := t.fs.copy()
		t.fs.put()
		t.fs = own
	}
	cred := t.cred
	if flags&linux.CLONE_NEWUSER != 0 {
		user, errno := t.newUserNS()
		if errno != 0 {
			return 0, errno
		}
		cred = t.cred.entering(user)
	}
	if flags&newNamespaces&^linux.CLONE_NEWUSER != 0 {
		ns, errno := t.newNamespaces(cred.user, t.fs, flags)
		if errno != 0 {
			return 0, errno
		}
		t.ns.put()
		t.ns = ns
	}
	t.cred = cred
	if flags&linux.CLONE_FILES != 0 {
		t.unshareFiles()
	}
	if flags&(linux.CLONE_SYSVSEM|linux.CLONE_NEWIPC) != 0 {
		t.exitSemaphores()
	}
	return 0, 0
}
