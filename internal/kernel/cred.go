package kernel

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Cred is who a task is (credentials(7)). A Cred is never changed: changing an
// id makes a new one, so tasks share it freely.
type Cred struct {
	vfs.Cred // the file system ids, groups and effective capabilities

	UID, EUID, SUID uint32
	GID, EGID, SGID uint32

	user *userNamespace // that the capabilities are for, and ids are shown in

	Permitted, Inheritable, Bounding, Ambient uint64
	SecureBits                                uint32

	secureExec bool // AT_SECURE of the program that is running
}

// allCaps is every capability there is.
const allCaps = uint64(1)<<(linux.CAP_LAST_CAP+1) - 1

// NewCred makes the credentials of a user: all capabilities for root, none
// for others.
func NewCred(uid, gid uint32, groups []uint32) *Cred {
	c := &Cred{UID: uid, EUID: uid, SUID: uid, GID: gid, EGID: gid, SGID: gid, Bounding: allCaps}
	c.FSUID, c.FSGID, c.Groups = uid, gid, groups
	if uid == 0 {
		c.Permitted, c.Caps = allCaps, allCaps
	}
	return c
}

// capable reports whether the caller has a capability over the machine, and
// notes that it used superuser privileges.
func (t *Task) capable(c int) bool {
	return t.capableIn(t.k.rootUser, c)
}

// mayInspect is the access check of ptrace(2): whether t may look into u.
func (t *Task) mayInspect(u *Task) bool {
	c, o := t.cred, u.cred
	same := c.UID == o.UID && c.UID == o.EUID && c.UID == o.SUID && c.GID == o.GID && c.GID == o.EGID && c.GID == o.SGID
	// A capability of u's would be the caller's for the asking.
	same = same && o.Permitted&^c.Permitted == 0
	return same && u.group.dumpable == dumpUser || u.group == t.group || t.capableIn(o.user, linux.CAP_SYS_PTRACE)
}

// changeCred gives the task a changed copy of its credentials.
func (t *Task) changeCred(change func(c *Cred)) {
	c := *t.cred
	change(&c)
	if c.EUID != t.cred.EUID || c.EGID != t.cred.EGID || c.FSUID != t.cred.FSUID || c.FSGID != t.cred.FSGID {
		t.group.dumpable = t.k.core.suidDumpable
		t.pdeathsig = 0
	}
	if c.UID != t.cred.UID {
		t.k.users.add(t.cred.UID, -1)
		t.k.users.add(c.UID, 1)
	}
	t.cred = &c
}

// root is the machine's number of user 0 of the namespace; keepID, which nobody
// has, if it has none.
func (c *Cred) root() uint32 {
	if id, ok := c.user.uids.in(0); ok {
		return id
	}
	return keepID
}

// Bits of PR_SET_SECUREBITS (capabilities(7)). PR_SET_KEEPCAPS is another way to
// set the first.
const (
	secureKeepCaps       = 1 << 4
	secureKeepCapsLocked = 1 << 5
)

// fixCaps adjusts capabilities after user ids changed from old
// (capabilities(7), "Effect of user ID changes on capabilities").
func (c *Cred) fixCaps(old *Cred) {
	const noSetuidFixup = 1 << 2
	if c.SecureBits&noSetuidFixup != 0 {
		return
	}
	root := c.root()
	wasRoot := old.UID == root || old.EUID == root || old.SUID == root
	isRoot := c.UID == root || c.EUID == root || c.SUID == root
	if wasRoot && !isRoot {
		if c.SecureBits&secureKeepCaps == 0 {
			c.Permitted, c.Caps = 0, 0
		}
		c.Ambient = 0
	}
	if old.EUID == root && c.EUID != root {
		c.Caps = 0
	}
	if old.EUID != root && c.EUID == root {
		c.Caps = c.Permitted
	}
	const fsCaps = 1<<linux.CAP_CHOWN | 1<<linux.CAP_DAC_OVERRIDE | 1<<linux.CAP_DAC_READ_SEARCH |
		1<<linux.CAP_FOWNER | 1<<linux.CAP_FSETID | 1<<linux.CAP_MKNOD
	if old.FSUID == root && c.FSUID != root {
		c.Caps &^= fsCaps
	}
	if old.FSUID != root && c.FSUID == root {
		c.Caps |= c.Permitted & fsCaps
	}
}

// execCred computes the credentials after an exec: set-user-ID, set-group-ID,
// and the capability rules of capabilities(7).
func (t *Task) execCred(f *vfs.File) *Cred {
	c := *t.cred
	st, _ := f.Ops.Stat(f)
	if !t.noNewPrivs && !f.Path.NoSuid() {
		if st.Mode&linux.S_ISUID != 0 && c.user.MapsUID(st.Uid) && c.user.MapsGID(st.Gid) {
			c.EUID = st.Uid
		}
		if st.Mode&(linux.S_ISGID|0o010) == linux.S_ISGID|0o010 && c.user.MapsUID(st.Uid) && c.user.MapsGID(st.Gid) {
			c.EGID = st.Gid
		}
	}
	const noRoot = 1
	root := c.SecureBits&noRoot == 0 && (c.UID == c.root() || c.EUID == c.root())
	effective := root && c.EUID == c.root()
	c.Permitted = 0
	if root {
		c.Permitted = c.Inheritable | c.Bounding
	}
	setID := c.EUID != t.cred.UID || c.EGID != t.cred.GID
	if (setID || c.Permitted&^t.cred.Permitted != 0) && t.execUnsafe() {
		if t.noNewPrivs || !t.capable(linux.CAP_SETUID) {
			c.EUID, c.EGID = c.UID, c.GID
		}
		c.Permitted &= t.cred.Permitted
	}
	c.SUID, c.FSUID = c.EUID, c.EUID
	c.SGID, c.FSGID = c.EGID, c.EGID
	if setID {
		c.Ambient = 0
	}
	c.Permitted |= c.Ambient
	c.Caps = c.Ambient
	if effective {
		c.Caps = c.Permitted
	}
	c.SecureBits &^= secureKeepCaps
	c.secureExec = setID
	return &c
}

// execUnsafe reports whether the caller may not gain rights by an exec
// (check_unsafe_exec): it has said so itself, or somebody with fewer rights
// could steer what it does with them.
func (t *Task) execUnsafe() bool {
	p := t.ptrace
	return t.noNewPrivs || p != nil && !p.tracer.capableIn(t.cred.user, linux.CAP_SYS_PTRACE) || t.fs.refs > len(t.group.threads)
}

// userTable counts the tasks of each user, for RLIMIT_NPROC.
type userTable map[uint32]int

func (u *userTable) add(uid uint32, n int) {
	if *u == nil {
		*u = make(userTable)
	}
	if (*u)[uid] += n; (*u)[uid] == 0 {
		delete(*u, uid)
	}
}

func (u userTable) count(uid uint32) int { return u[uid] }

func sysGetuid(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	return uint64(t.cred.user.uidOut(t.cred.UID)), 0
}

func sysGeteuid(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	return uint64(t.cred.user.uidOut(t.cred.EUID)), 0
}

func sysGetgid(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	return uint64(t.cred.user.gidOut(t.cred.GID)), 0
}

func sysGetegid(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	return uint64(t.cred.user.gidOut(t.cred.EGID)), 0
}

func (t *Task) putIDs(a *[6]uint64, ids ...uint32) (uint64, linux.Errno) {
	for i, id := range ids {
		if errno := t.putUint32(a[i], id); errno != 0 {
			return 0, errno
		}
	}
	return 0, 0
}

func sysGetresuid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	u := t.cred.user
	return t.putIDs(a, u.uidOut(t.cred.UID), u.uidOut(t.cred.EUID), u.uidOut(t.cred.SUID))
}

func sysGetresgid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	u := t.cred.user
	return t.putIDs(a, u.gidOut(t.cred.GID), u.gidOut(t.cred.EGID), u.gidOut(t.cred.SGID))
}

// keepID is the value that leaves an id as it is.
const keepID = ^uint32(0)

// setUIDs installs real, effective and saved user ids.
func (t *Task) setUIDs(r, e, s uint32) (uint64, linux.Errno) {
	old := t.cred
	t.changeCred(func(c *Cred) {
		c.UID, c.EUID, c.SUID, c.FSUID = r, e, s, e
		c.fixCaps(old)
	})
	return 0, 0
}

func (t *Task) setGIDs(r, e, s uint32) (uint64, linux.Errno) {
	t.changeCred(func(c *Cred) { c.GID, c.EGID, c.SGID, c.FSGID = r, e, s, e })
	return 0, 0
}

func sysSetuid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	c := t.cred
	id, ok := c.user.uids.in(uint32(a[0]))
	switch {
	case !ok:
		return 0, linux.EINVAL
	case t.capableIn(c.user, linux.CAP_SETUID):
		return t.setUIDs(id, id, id)
	case id == c.UID || id == c.SUID:
		return t.setUIDs(c.UID, id, c.SUID)
	}
	return 0, linux.EPERM
}

func sysSetgid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	c := t.cred
	id, ok := c.user.gids.in(uint32(a[0]))
	switch {
	case !ok:
		return 0, linux.EINVAL
	case t.capableIn(c.user, linux.CAP_SETGID):
		return t.setGIDs(id, id, id)
	case id == c.GID || id == c.SGID:
		return t.setGIDs(c.GID, id, c.SGID)
	}
	return 0, linux.EPERM
}

// reIDs is the rule of setreuid and setregid for one kind of id.
func reIDs(wantR, wantE, r, e, s uint32, capable bool) (nr, ne, ns uint32, errno linux.Errno) {
	nr, ne, ns = r, e, s
	if wantR != keepID {
		if wantR != r && wantR != e && !capable {
			return 0, 0, 0, linux.EPERM
		}
		nr = wantR
	}
	if wantE != keepID {
		if wantE != r && wantE != e && wantE != s && !capable {
			return 0, 0, 0, linux.EPERM
		}
		ne = wantE
	}
	if wantR != keepID || wantE != keepID && wantE != r {
		ns = ne
	}
	return nr, ne, ns, 0
}

func sysSetreuid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	c := t.cred
	ids, errno := c.user.uids.idsIn(a[:2]...)
	if errno != 0 {
		return 0, errno
	}
	r, e, s, errno := reIDs(ids[0], ids[1], c.UID, c.EUID, c.SUID, t.capableIn(c.user, linux.CAP_SETUID))
	if errno != 0 {
		return 0, errno
	}
	return t.setUIDs(r, e, s)
}

func sysSetregid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	c := t.cred
	ids, errno := c.user.gids.idsIn(a[:2]...)
	if errno != 0 {
		return 0, errno
	}
	r, e, s, errno := reIDs(ids[0], ids[1], c.GID, c.EGID, c.SGID, t.capableIn(c.user, linux.CAP_SETGID))
	if errno != 0 {
		return 0, errno
	}
	return t.setGIDs(r, e, s)
}

// resIDs is the rule of setresuid and setresgid for one kind of id.
func resIDs(m idMap, a *[6]uint64, old [3]uint32, capable bool) (ids [3]uint32, errno linux.Errno) {
	wanted, errno := m.idsIn(a[:3]...)
	for i, want := range wanted {
		switch {
		case want == keepID:
			ids[i] = old[i]
		case capable || slices.Contains(old[:], want):
			ids[i] = want
		default:
			return ids, linux.EPERM
		}
	}
	return ids, errno
}

func sysSetresuid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	c := t.cred
	ids, errno := resIDs(c.user.uids, a, [3]uint32{c.UID, c.EUID, c.SUID}, t.capableIn(c.user, linux.CAP_SETUID))
	if errno != 0 {
		return 0, errno
	}
	return t.setUIDs(ids[0], ids[1], ids[2])
}

func sysSetresgid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	c := t.cred
	ids, errno := resIDs(c.user.gids, a, [3]uint32{c.GID, c.EGID, c.SGID}, t.capableIn(c.user, linux.CAP_SETGID))
	if errno != 0 {
		return 0, errno
	}
	return t.setGIDs(ids[0], ids[1], ids[2])
}

func sysSetfsuid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	c := t.cred
	id, ok := c.user.uids.in(uint32(a[0]))
	if ok && (id == c.UID || id == c.EUID || id == c.SUID || id == c.FSUID || t.capableIn(c.user, linux.CAP_SETUID)) {
		t.changeCred(func(n *Cred) {
			n.FSUID = id
			n.fixCaps(c)
		})
	}
	return uint64(c.user.uidOut(c.FSUID)), 0
}

func sysSetfsgid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	c := t.cred
	id, ok := c.user.gids.in(uint32(a[0]))
	if ok && (id == c.GID || id == c.EGID || id == c.SGID || id == c.FSGID || t.capableIn(c.user, linux.CAP_SETGID)) {
		t.changeCred(func(n *Cred) { n.FSGID = id })
	}
	return uint64(c.user.gidOut(c.FSGID)), 0
}

func sysGetgroups(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	n, groups := int(int32(a[0])), t.cred.Groups
	if n == 0 {
		return uint64(len(groups)), 0
	}
	if n < len(groups) {
		return 0, linux.EINVAL
	}
	for i, g := range groups {
		if errno := t.putUint32(a[1]+4*uint64(i), t.cred.user.gidOut(g)); errno != 0 {
			return 0, errno
		}
	}
	return uint64(len(groups)), 0
}

func sysSetgroups(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const ngroupsMax = 65536
	n, user := a[0], t.cred.user
	if !t.capableIn(user, linux.CAP_SETGID) || user.noSetgroups || len(user.gids) == 0 {
		return 0, linux.EPERM
	}
	if n > ngroupsMax {
		return 0, linux.EINVAL
	}
	groups := make([]uint32, n)
	for i := range groups {
		g, errno := t.getUint32(a[1] + 4*uint64(i))
		if errno != 0 {
			return 0, errno
		}
		id, ok := user.gids.in(g)
		if !ok {
			return 0, linux.EINVAL
		}
		groups[i] = id
	}
	slices.Sort(groups)
	t.changeCred(func(c *Cred) { c.Groups = groups })
	return 0, 0
}

// capHeader reads the header of capget and capset and returns how many sets of
// 32 bits follow.
func (t *Task) capHeader(addr uint64) (sets int, pid int, errno linux.Errno) {
	const v1, v2, v3 = 0x19980330, 0x20071026, 0x20080522
	version, errno := t.getUint32(addr)
	if errno != 0 {
		return 0, 0, errno
	}
	switch version {
	case v1:
		sets = 1
	case v2, v3:
		sets = 2
	default:
		if errno := t.putUint32(addr, v3); errno != 0 {
			return 0, 0, errno
		}
		return 0, 0, linux.EINVAL
	}
	p, errno := t.getUint32(addr + 4)
	return sets, int(int32(p)), errno
}

func sysCapget(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	sets, pid, errno := t.capHeader(a[0])
	if a[1] == 0 && (errno == 0 || errno == linux.EINVAL) {
		return 0, 0 // only asked which version there is
	}
	if errno != 0 {
		return 0, errno
	}
	u := t
	if pid != 0 {
		if pid < 0 {
			return 0, linux.EINVAL
		}
		if u = t.pidNS().task(pid); u == nil {
			return 0, linux.ESRCH
		}
	}
	for i := range sets {
		for j, v := range []uint64{u.cred.Caps, u.cred.Permitted, u.cred.Inheritable} {
			if errno := t.putUint32(a[1]+uint64(12*i+4*j), uint32(v>>(32*i))); errno != 0 {
				return 0, errno
			}
		}
	}
	return 0, 0
}

func sysCapset(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	sets, pid, errno := t.capHeader(a[0])
	if errno != 0 {
		return 0, errno
	}
	if pid != 0 && pid != t.nr() {
		return 0, linux.EPERM
	}
	var v [3]uint64 // effective, permitted, inheritable
	for i := range sets {
		for j := range v {
			w, errno := t.getUint32(a[1] + uint64(12*i+4*j))
			if errno != 0 {
				return 0, errno
			}
			v[j] |= uint64(w) << (32 * i)
		}
	}
	c := t.cred
	for j := range v {
		v[j] &= allCaps
	}
	if v[1]&^c.Permitted != 0 || v[0]&^v[1] != 0 || v[2]&^(c.Inheritable|c.Bounding) != 0 ||
		v[2]&^(c.Inheritable|c.Permitted) != 0 && !t.capableIn(c.user, linux.CAP_SETPCAP) {
		return 0, linux.EPERM
	}
	t.changeCred(func(n *Cred) {
		n.Caps, n.Permitted, n.Inheritable = v[0], v[1], v[2]
		n.Ambient &= v[1] & v[2]
	})
	return 0, 0
}
