package kernel

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// User namespaces (user_namespaces(7)). Everywhere in the kernel user and group
// ids are those of the machine's first user namespace; they are translated
// where they enter and leave, by the namespace of who asks.

// overflowID stands for an id that has no number in a namespace.
const overflowID = 65534

const (
	maxUserNSLevel = 32
	maxIDExtents   = 340
)

// idExtent maps count ids from first on, in the namespace, to those from
// lower on in the machine's first namespace.
type idExtent struct{ first, lower, count uint32 }

// idMap is what /proc/PID/uid_map shows.
type idMap []idExtent

// in translates an id of the namespace to the machine's.
func (m idMap) in(id uint32) (uint32, bool) {
	for _, e := range m {
		if id-e.first < e.count {
			return e.lower + id - e.first, true
		}
	}
	return 0, false
}

// out translates an id of the machine to the namespace's.
func (m idMap) out(id uint32) (uint32, bool) {
	for _, e := range m {
		if id-e.lower < e.count {
			return e.first + id - e.lower, true
		}
	}
	return 0, false
}

// userNamespace is a set of user and group ids, and of capabilities over what
// it owns.
type userNamespace struct {
	parent       *userNamespace // nil for the machine's first
	level        int
	ino          uint64
	owner, group uint32 // who made it
	uids, gids   idMap
	noSetgroups  bool // /proc/PID/setgroups says deny
}

// newRootUserNS makes the machine's first, in which every id is itself.
func newRootUserNS() *userNamespace {
	all := idMap{{0, 0, ^uint32(0)}}
	return &userNamespace{ino: rootUserIno, uids: all, gids: all}
}

// within reports whether ns is outer or one below it.
func (ns *userNamespace) within(outer *userNamespace) bool {
	for ns.level > outer.level {
		ns = ns.parent
	}
	return ns == outer
}

// MapsUID implements vfs.IDMap.
func (ns *userNamespace) MapsUID(id uint32) bool { _, ok := ns.uids.out(id); return ok }

// UID implements vfs.IDMap.
func (ns *userNamespace) UID(id uint32) (uint32, bool) { return ns.uids.in(id) }

// GID implements vfs.IDMap.
func (ns *userNamespace) GID(id uint32) (uint32, bool) { return ns.gids.in(id) }

// MapsGID implements vfs.IDMap.
func (ns *userNamespace) MapsGID(id uint32) bool { _, ok := ns.gids.out(id); return ok }

// uidOut is a user id as the namespace shows it.
func (ns *userNamespace) uidOut(id uint32) uint32 {
	if v, ok := ns.uids.out(id); ok {
		return v
	}
	return overflowID
}

// gidOut is a group id as the namespace shows it.
func (ns *userNamespace) gidOut(id uint32) uint32 {
	if v, ok := ns.gids.out(id); ok {
		return v
	}
	return overflowID
}

// showOwner translates the owner of a file for a process of the namespace.
func (ns *userNamespace) showOwner(st *linux.Stat) {
	if ns.parent != nil {
		st.Uid, st.Gid = ns.uidOut(st.Uid), ns.gidOut(st.Gid)
	}
}

// idsIn translates arguments of a call that changes ids; keepID stays.
func (m idMap) idsIn(args ...uint64) ([]uint32, linux.Errno) {
	ids := make([]uint32, len(args))
	for i, a := range args {
		ids[i] = uint32(a)
		if ids[i] == keepID {
			continue
		}
		v, ok := m.in(ids[i])
		if !ok {
			return nil, linux.EINVAL
		}
		ids[i] = v
	}
	return ids, 0
}

// capableIn reports whether the caller has a capability over what ns owns
// (user_namespaces(7), Capabilities): one of its own namespace, or of one above
// it, or because it made the namespace.
func (t *Task) capableIn(ns *userNamespace, capability int) bool {
	c := t.cred
	for ; ns.level >= c.user.level; ns = ns.parent {
		if ns == c.user {
			if c.Caps>>capability&1 == 0 {
				return false
			}
			t.superPriv = true
			return true
		}
		if ns.parent == c.user && ns.owner == c.EUID {
			t.superPriv = true
			return true
		}
	}
	return false
}

// newUserNS makes a user namespace owned by the caller.
func (t *Task) newUserNS() (*userNamespace, linux.Errno) {
	c := t.cred
	switch {
	case c.user.level >= maxUserNSLevel:
		return nil, linux.ENOSPC
	case t.chrooted(), !c.user.MapsUID(c.EUID), !c.user.MapsGID(c.EGID):
		return nil, linux.EPERM
	}
	return &userNamespace{
		parent: c.user, level: c.user.level + 1, ino: t.k.nextNamespace(),
		owner: c.EUID, group: c.EGID, noSetgroups: c.user.noSetgroups,
	}, 0
}

// chrooted reports whether the caller's root is not that of its mounts.
func (t *Task) chrooted() bool {
	root := t.ns.mnt.Root()
	defer root.Put()
	return t.fs.Root != root
}

// entering is a copy of c in ns, with all capabilities there, as its first
// process has them.
func (old *Cred) entering(ns *userNamespace) *Cred {
	c := *old
	c.user, c.IDs = ns, nil
	if ns.parent != nil {
		c.IDs = ns
	}
	c.SecureBits, c.Inheritable, c.Ambient = 0, 0, 0
	c.Permitted, c.Caps, c.Bounding = allCaps, allCaps, allCaps
	return &c
}

// text is the map as a process in the namespace seen sees it: lower ids are
// shown in that namespace, or in the parent if it is ns itself.
func (ns *userNamespace) mapText(own, lower idMap) string {
	var b strings.Builder
	for _, e := range own {
		low, ok := lower.out(e.lower)
		if !ok {
			low = ^uint32(0)
		}
		fmt.Fprintf(&b, "%10d %10d %10d\n", e.first, low, e.count)
	}
	return b.String()
}

// procIDMap is /proc/PID/uid_map (users) or gid_map as t, the reader, sees it.
func (ns *userNamespace) procIDMap(reader *userNamespace, users bool) string {
	if reader == ns && ns.parent != nil {
		reader = ns.parent
	}
	if users {
		return ns.mapText(ns.uids, reader.uids)
	}
	return ns.mapText(ns.gids, reader.gids)
}

// setIDMap is a write to /proc/PID/uid_map (users) or gid_map: it is allowed
// once, and the ids must be the writer's to give.
func (ns *userNamespace) setIDMap(t *Task, users bool, text string) linux.Errno {
	m, lower, capability := &ns.uids, t.cred.user.uids, linux.CAP_SETUID
	if !users {
		m, lower, capability = &ns.gids, t.cred.user.gids, linux.CAP_SETGID
	}
	if ns.parent == nil || len(*m) > 0 || !t.capableIn(ns, linux.CAP_SYS_ADMIN) {
		return linux.EPERM
	}
	if t.cred.user != ns && t.cred.user != ns.parent {
		return linux.EPERM
	}
	if t.cred.user == ns {
		if lower = ns.parent.uids; !users {
			lower = ns.parent.gids
		}
	}
	next, errno := parseIDMap(text)
	if errno != 0 {
		return errno
	}
	if !ns.mayMap(t, users, next, lower, capability) {
		return linux.EPERM
	}
	for i, e := range next {
		low, ok := lower.in(e.lower)
		last, ok2 := lower.in(e.lower + e.count - 1)
		if !ok || !ok2 || last-low != e.count-1 {
			return linux.EPERM
		}
		next[i].lower = low
	}
	*m = next
	return 0
}

// mayMap is new_idmap_permitted: the owner may map its own id, alone; a
// capability in the parent allows every map.
func (ns *userNamespace) mayMap(t *Task, users bool, m, lower idMap, capability int) bool {
	if len(m) == 1 && m[0].count == 1 && ns.owner == t.cred.EUID {
		id, ok := lower.in(m[0].lower)
		if ok && (users && id == t.cred.EUID || !users && ns.noSetgroups && id == t.cred.EGID) {
			return true
		}
	}
	return t.capableIn(ns.parent, capability)
}

// parseIDMap reads lines of three numbers that must not overlap.
func parseIDMap(text string) (m idMap, errno linux.Errno) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, linux.EINVAL
		}
		var v [3]uint64
		for i := range f {
			n, err := strconv.ParseUint(f[i], 10, 32)
			if err != nil {
				return nil, linux.EINVAL
			}
			v[i] = n
		}
		if v[2] == 0 || v[0]+v[2] > 1<<32-1 || v[1]+v[2] > 1<<32-1 || len(m) == maxIDExtents {
			return nil, linux.EINVAL
		}
		m = append(m, idExtent{uint32(v[0]), uint32(v[1]), uint32(v[2])})
	}
	if len(m) == 0 || overlaps(m, func(e idExtent) uint32 { return e.first }) || overlaps(m, func(e idExtent) uint32 { return e.lower }) {
		return nil, linux.EINVAL
	}
	return m, 0
}

func overlaps(m idMap, start func(e idExtent) uint32) bool {
	s := slices.Clone(m)
	slices.SortFunc(s, func(a, b idExtent) int { return cmp.Compare(start(a), start(b)) })
	for i := 1; i < len(s); i++ {
		if start(s[i])-start(s[i-1]) < s[i-1].count {
			return true
		}
	}
	return false
}

// setSetgroups is a write to /proc/PID/setgroups: deny is for ever, and must
// come before the groups are mapped.
func (ns *userNamespace) setSetgroups(t *Task, text string) linux.Errno {
	if !t.capableIn(ns, linux.CAP_SYS_ADMIN) {
		return linux.EPERM
	}
	switch strings.TrimSpace(text) {
	case "allow":
		if ns.noSetgroups {
			return linux.EPERM
		}
	case "deny":
		if len(ns.gids) > 0 && !ns.noSetgroups {
			return linux.EPERM
		}
		ns.noSetgroups = true
	default:
		return linux.EINVAL
	}
	return 0
}
