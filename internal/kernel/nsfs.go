package kernel

import (
	"fmt"

	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// A namespace as a file: the links in /proc/PID/ns, what they open, and
// setns(2).

// nsKind is a kind of namespace: its name in /proc/PID/ns and its flag.
type nsKind struct {
	name string
	kind string // as the link shows it
	flag uint64
	// get finds the task's namespace, as a comparable value with its number,
	// owner and, where there is a hierarchy, parent.
	get func(t *Task) nsRef
}

// nsRef refers to a namespace of any kind.
type nsRef struct {
	ns     any // *userNamespace, *pidNamespace, ...
	ino    uint64
	owner  *userNamespace
	parent any
}

var nsKinds = []nsKind{
	{"cgroup", "cgroup", linux.CLONE_NEWCGROUP, func(t *Task) nsRef { n := t.ns.cgroup; return nsRef{n, n.ino, n.owner, nil} }},
	{"ipc", "ipc", linux.CLONE_NEWIPC, func(t *Task) nsRef { n := t.ns.ipc; return nsRef{n, n.ino, n.owner, nil} }},
	{"mnt", "mnt", linux.CLONE_NEWNS, func(t *Task) nsRef { n := t.ns.mnt; return nsRef{n, n.Ino, t.ns.mntOwner(), nil} }},
	{"net", "net", linux.CLONE_NEWNET, func(t *Task) nsRef { n := t.ns.net; return nsRef{n, n.ino, n.owner, nil} }},
	{"pid", "pid", linux.CLONE_NEWPID, func(t *Task) nsRef { return pidNSRef(t.pidNS()) }},
	{"pid_for_children", "pid", linux.CLONE_NEWPID, func(t *Task) nsRef { return pidNSRef(t.ns.pid) }},
	{"time", "time", linux.CLONE_NEWTIME, func(t *Task) nsRef { n := t.ns.time; return nsRef{n, n.ino, n.owner, nil} }},
	{"time_for_children", "time", linux.CLONE_NEWTIME, func(t *Task) nsRef { n := t.ns.timeNext; return nsRef{n, n.ino, n.owner, nil} }},
	{"user", "user", linux.CLONE_NEWUSER, func(t *Task) nsRef { return userNSRef(t.cred.user) }},
	{"uts", "uts", linux.CLONE_NEWUTS, func(t *Task) nsRef { n := t.ns.uts; return nsRef{n, n.ino, n.owner, nil} }},
}

func pidNSRef(n *pidNamespace) nsRef {
	r := nsRef{ns: n, ino: n.ino, owner: n.owner}
	if n.parent != nil {
		r.parent = n.parent
	}
	return r
}

func userNSRef(n *userNamespace) nsRef {
	r := nsRef{ns: n, ino: n.ino, owner: n.parent}
	if n.parent != nil {
		r.parent = n.parent
	}
	return r
}

// nsFile is an open namespace. It keeps it alive.
type nsFile struct {
	vfs.NoOps
	k    *Kernel
	kind *nsKind
	ref  nsRef
}

// open makes an open file of a namespace.
func (k *Kernel) newNSFile(kind *nsKind, ref nsRef) *nsFile {
	switch n := ref.ns.(type) {
	case *vfs.Namespace:
		n.Get()
	case *ipcNamespace:
		n.refs++
	case *netNamespace:
		n.refs++
	}
	return &nsFile{k: k, kind: kind, ref: ref}
}

// Release implements vfs.FileOps.
func (f *nsFile) Release(*vfs.File) {
	switch n := f.ref.ns.(type) {
	case *vfs.Namespace:
		n.Put()
	case *ipcNamespace:
		n.put()
	case *netNamespace:
		n.put()
	}
}

// Stat implements vfs.FileOps.
func (f *nsFile) Stat(*vfs.File) (linux.Stat, linux.Errno) {
	return linux.Stat{Dev: vfs.MakeDev(0, vfs.NamespaceMinor), Ino: f.ref.ino, Mode: linux.S_IFREG | 0o444, Nlink: 1, Blksize: 4096}, 0
}

// BindName implements vfs.Bindable: ip netns and others give namespaces a name.
func (f *nsFile) BindName() string { return fmt.Sprintf("%s:[%d]", f.kind.kind, f.ref.ino) }

// Mounts implements vfs.Bindable.
func (f *nsFile) Mounts() *vfs.Namespace {
	ns, _ := f.ref.ns.(*vfs.Namespace)
	return ns
}

// Reopen implements vfs.Reopener.
func (f *nsFile) Reopen(_ *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	if flags&linux.O_ACCMODE != linux.O_RDONLY {
		return nil, linux.EPERM
	}
	return f.k.newNSFile(f.kind, f.ref), 0
}

// The requests of ioctl_ns(2).
const (
	nsGetUserns   = 0xb701
	nsGetParent   = 0xb702
	nsGetNstype   = 0xb703
	nsGetOwnerUID = 0xb704
)

// Ioctl implements vfs.FileOps.
func (f *nsFile) Ioctl(_ *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	t, ok := c.Context.Task.(*Task)
	if !ok {
		return 0, linux.ENOTTY
	}
	switch req {
	case nsGetNstype:
		return f.kind.flag, 0
	case nsGetUserns:
		if f.ref.owner == nil || !f.ref.owner.within(t.cred.user) {
			return 0, linux.EPERM
		}
		return t.installFD(vfs.NewFile(t.k.newNSFile(kindOf(linux.CLONE_NEWUSER), userNSRef(f.ref.owner)), linux.O_RDONLY), true)
	case nsGetParent:
		return t.openParent(f)
	case nsGetOwnerUID:
		u, ok := f.ref.ns.(*userNamespace)
		if !ok {
			return 0, linux.EINVAL
		}
		return 0, t.putUint32(arg, t.cred.user.uidOut(u.owner))
	}
	return 0, linux.ENOTTY
}

// openParent is NS_GET_PARENT.
func (t *Task) openParent(f *nsFile) (uint64, linux.Errno) {
	var ref nsRef
	switch f.ref.ns.(type) {
	case *pidNamespace:
		p, ok := f.ref.parent.(*pidNamespace)
		if !ok || !p.within(t.pidNS()) {
			return 0, linux.EPERM
		}
		ref = pidNSRef(p)
	case *userNamespace:
		p, ok := f.ref.parent.(*userNamespace)
		if !ok || !p.within(t.cred.user) {
			return 0, linux.EPERM
		}
		ref = userNSRef(p)
	default:
		return 0, linux.EINVAL
	}
	return t.installFD(vfs.NewFile(t.k.newNSFile(f.kind, ref), linux.O_RDONLY), true)
}

// kindOf finds the kind that a flag asks for.
func kindOf(flag uint64) *nsKind {
	for i := range nsKinds {
		if nsKinds[i].flag == flag {
			return &nsKinds[i]
		}
	}
	return nil
}

// procNS is /proc/PID/ns.
func (k *Kernel) procNS(t *Task) *synthfs.Node {
	var list []synthfs.Entry
	for i := range nsKinds {
		kind := &nsKinds[i]
		list = append(list, synthfs.Entry{Name: kind.name, Node: &synthfs.Node{
			Mode: 0o777,
			Link: func(*vfs.Context) (string, linux.Errno) {
				if t.state == TaskDead || t.fs == nil {
					return "", linux.ENOENT
				}
				return fmt.Sprintf("%s:[%d]", kind.kind, kind.get(t).ino), 0
			},
			Follow: func(*vfs.Context) (vfs.Path, linux.Errno) {
				if t.state == TaskDead || t.fs == nil {
					return vfs.Path{}, linux.ENOENT
				}
				return vfs.AnonPathOwning(t.ns.mnt, vfs.NewFile(k.newNSFile(kind, kind.get(t)), linux.O_RDONLY))
			},
		}})
	}
	return &synthfs.Node{Mode: 0o511, Entries: list}
}

// sysSetns is setns(2): a namespace's file, or a pidfd and the kinds to take
// over from its process.
func sysSetns(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	flags := uint64(uint32(a[1]))
	switch ops := f.Ops.(type) {
	case *nsFile:
		if flags != 0 && flags != ops.kind.flag {
			return 0, linux.EINVAL
		}
		return 0, t.setns([]nsRef{ops.ref})
	case *pidfd:
		if flags == 0 || flags&^newNamespaces != 0 {
			return 0, linux.EINVAL
		}
		u := ops.g.livingThread()
		if ops.g.zombie || u.fs == nil {
			return 0, linux.ESRCH
		}
		var refs []nsRef
		for i := range nsKinds {
			if k := &nsKinds[i]; flags&k.flag != 0 && k.name == k.kind {
				if k.flag == linux.CLONE_NEWUSER { // first: it gives the right to the others
					refs = append([]nsRef{k.get(u)}, refs...)
				} else {
					refs = append(refs, k.get(u))
				}
			}
		}
		return 0, t.setns(refs)
	}
	return 0, linux.EINVAL
}

// setns moves the caller into namespaces: all of them or, on an error, none.
func (t *Task) setns(refs []nsRef) linux.Errno {
	oldCred := t.cred
	ns := t.ns.copy()
	for _, r := range refs {
		if errno := t.joinNamespace(ns, r); errno != 0 {
			ns.put()
			t.cred = oldCred
			return errno
		}
	}
	if ns.mnt != t.ns.mnt {
		root := ns.mnt.Root()
		t.fs.Root.Put()
		t.fs.Cwd.Put()
		t.fs.Root, t.fs.Cwd = root, root.Get()
	}
	t.ns.put()
	t.ns = ns
	return 0
}

// joinNamespace puts one namespace into ns, or a user namespace into the
// caller's credentials.
func (t *Task) joinNamespace(ns *Namespaces, r nsRef) linux.Errno {
	if u, ok := r.ns.(*userNamespace); ok {
		return t.joinUserNS(u)
	}
	if !t.capableIn(r.owner, linux.CAP_SYS_ADMIN) || !t.capableIn(t.cred.user, linux.CAP_SYS_ADMIN) {
		return linux.EPERM
	}
	switch n := r.ns.(type) {
	case *utsNamespace:
		ns.uts = n
	case *cgroupNamespace:
		ns.cgroup = n
	case *ipcNamespace:
		n.refs++
		ns.ipc.put()
		ns.ipc = n
		t.exitSemaphores()
	case *netNamespace:
		n.refs++
		ns.net.put()
		ns.net = n
	case *pidNamespace:
		if !n.within(t.pidNS()) {
			return linux.EINVAL
		}
		ns.pid = n
	case *timeNamespace:
		if len(t.group.threads) > 1 {
			return linux.EUSERS
		}
		ns.time, ns.timeNext = n, n
		n.used = true
	case *vfs.Namespace:
		if !t.capableIn(t.cred.user, linux.CAP_SYS_CHROOT) {
			return linux.EPERM
		}
		if t.fs.refs > 1 {
			return linux.EINVAL
		}
		n.Get()
		ns.mnt.Put()
		ns.mnt = n
	}
	return 0
}

func (t *Task) joinUserNS(u *userNamespace) linux.Errno {
	switch {
	case u == t.cred.user, len(t.group.threads) > 1, t.fs.refs > 1:
		return linux.EINVAL
	case !t.capableIn(u, linux.CAP_SYS_ADMIN):
		return linux.EPERM
	}
	t.cred = t.cred.entering(u)
	return 0
}
