package vfs

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// Propagation of mounts (mount_namespaces(7)). What is mounted on a shared
// mount, or unmounted from it, is so on all mounts of its peer group, and on
// those that are slaves of the group. A mount can be both: a slave of one group
// and, with peers of its own, a member of another.

// peerGroup is a set of mounts that show each other's changes.
type peerGroup struct {
	id      int // as in mountinfo
	members []*Mount
	slaves  []*Mount // that changes go to but do not come from
}

// newGroup makes a group without members; its number is the lowest free one.
func (s *System) newGroup() *peerGroup {
	for s.freeGroup < len(s.groups) && s.groups[s.freeGroup] {
		s.freeGroup++
	}
	if s.freeGroup == len(s.groups) {
		s.groups = append(s.groups, false)
	}
	s.groups[s.freeGroup] = true
	return &peerGroup{id: s.freeGroup + 1}
}

// join makes m a member of a group.
func (m *Mount) join(g *peerGroup) {
	m.peers, m.peerAt = g, len(g.members)
	g.members = append(g.members, m)
}

// leavePeers takes m out of its group. With the last member the group ends; its
// slaves become those of m's own master.
func (m *Mount) leavePeers() {
	g := m.peers
	if g == nil {
		return
	}
	m.peers = nil
	last := len(g.members) - 1
	g.members[m.peerAt], g.members[last].peerAt = g.members[last], m.peerAt
	g.members[last] = nil
	if g.members = g.members[:last]; last > 0 {
		return
	}
	for _, s := range slices.Clone(g.slaves) {
		s.follow(m.master)
	}
	sys := m.sb.sys
	sys.groups[g.id-1] = false
	sys.freeGroup = min(sys.freeGroup, g.id-1)
}

// follow makes m a slave of a group; nil is none.
func (m *Mount) follow(g *peerGroup) {
	if old := m.master; old != nil {
		last := len(old.slaves) - 1
		old.slaves[m.slaveAt], old.slaves[last].slaveAt = old.slaves[last], m.slaveAt
		old.slaves[last] = nil
		old.slaves = old.slaves[:last]
	}
	if m.master = g; g != nil {
		m.slaveAt = len(g.slaves)
		g.slaves = append(g.slaves, m)
	}
}

// propagation sets the propagation type of m: linux.MS_SHARED, MS_SLAVE,
// MS_PRIVATE or MS_UNBINDABLE.
func (m *Mount) propagation(typ uint64) {
	switch typ {
	case linux.MS_SHARED:
		if m.peers == nil {
			m.join(m.sb.sys.newGroup())
		}
		m.unbindable = false
	case linux.MS_SLAVE:
		// A mount without peers stays what it is but shared.
		g := m.peers
		if m.leavePeers(); g != nil && len(g.members) > 0 {
			m.follow(g)
		}
	default:
		m.leavePeers()
		m.follow(nil)
		m.unbindable = typ == linux.MS_UNBINDABLE
	}
}

// setPropagation is mount(2) with a propagation type.
func setPropagation(at Path, flags uint64) linux.Errno {
	typ := flags &^ (linux.MS_REC | linux.MS_SILENT)
	if typ&^propagationFlags != 0 || typ&(typ-1) != 0 || at.Dentry != at.Mount.root || at.Mount.ns == nil {
		return linux.EINVAL
	}
	if flags&linux.MS_REC == 0 {
		at.Mount.propagation(typ)
		return 0
	}
	for _, m := range at.Mount.tree() {
		m.propagation(typ)
	}
	return 0
}

// tree lists m and what is below it, parents first.
func (m *Mount) tree() []*Mount {
	list := []*Mount{m}
	for i := 0; i < len(list); i++ {
		list = append(list, list[i].children...)
	}
	return list
}

// receivers are the mounts that changes of a member go to, members included.
func (g *peerGroup) receivers() (list []*Mount) {
	seen := make(map[*peerGroup]bool)
	var visit func(g *peerGroup)
	visit = func(g *peerGroup) {
		if g == nil || seen[g] {
			return
		}
		seen[g] = true
		list = append(list, g.members...)
		for _, s := range g.slaves {
			if s.peers == nil {
				list = append(list, s)
			} else {
				visit(s.peers)
			}
		}
	}
	visit(g)
	return list
}

// spreading is the propagation of a tree of mounts that is about to be mounted.
type spreading struct {
	mountpoint *Dentry
	seen       map[*peerGroup]bool
	copies     []spreadCopy
	errno      linux.Errno
}

// spreadCopy is a copy of the tree, to be mounted at the same place of another
// mount.
type spreadCopy struct{ tree, on *Mount }

// group makes the copies for the mounts of a group but skip, which has src
// itself, and for the group's slaves. The first copy is made of src as how says;
// others are its peers.
func (s *spreading) group(g *peerGroup, skip, src *Mount, how copyHow) {
	s.seen[g] = true
	for _, n := range slices.Clone(g.members) {
		if n != skip && s.reaches(n, src) {
			src, how = s.copy(n, src, how), copyShared
		}
	}
	for _, n := range slices.Clone(g.slaves) {
		switch {
		case s.errno != 0:
			return
		case n.peers != nil && !s.seen[n.peers]:
			s.group(n.peers, nil, src, copySlave|copyShared)
		case n.peers == nil && s.reaches(n, src):
			s.copy(n, src, copySlave)
		}
	}
}

// reaches reports whether n shows the mountpoint, for src to be mounted there.
// What is only being mounted does not count.
func (s *spreading) reaches(n, src *Mount) bool {
	return s.errno == 0 && n.ns != nil && n.root.isAncestor(s.mountpoint) && !src.holds(n.ns)
}

func (s *spreading) copy(on, src *Mount, how copyHow) *Mount {
	sys := src.sb.sys
	if s.errno = sys.tooMany(src.count()); s.errno != 0 {
		return src
	}
	c := sys.copyTree(src, src.root, how, nil)
	s.copies = append(s.copies, spreadCopy{c, on})
	return c
}

// graft mounts the tree m at a place and wherever that propagates to. A tree
// that is mounted elsewhere moves.
func (m *Mount) graft(at Path) linux.Errno {
	s := spreading{mountpoint: at.Dentry, seen: make(map[*peerGroup]bool)}
	if at.Mount.peers != nil {
		var made []*Mount // to be shared from now on
		for _, t := range m.tree() {
			if t.peers == nil {
				t.propagation(linux.MS_SHARED)
				made = append(made, t)
			}
		}
		if s.group(at.Mount.peers, at.Mount, m, copyShared); s.errno != 0 {
			for _, c := range s.copies {
				c.tree.umount(false)
			}
			for _, t := range made {
				t.leavePeers()
			}
			return s.errno
		}
	}
	if m.parent != nil {
		m.detach()
	}
	m.attach(at)
	for _, c := range s.copies {
		// What is mounted there already stays on top.
		top := c.on.childAt(s.mountpoint)
		c.tree.locked = false
		c.tree.attach(Path{c.on, s.mountpoint})
		if top != nil {
			top.detach()
			top.attach(Path{c.tree, c.tree.root})
		}
		if c.on.ns.Owner != at.Mount.ns.Owner {
			c.tree.lock()
		}
	}
	return 0
}

// umount takes m and all that is below it away, and with propagate what other
// mounts have of it.
func (m *Mount) umount(propagate bool) {
	list := m.tree()
	if propagate {
		list = append(list, spreadUmount(list)...)
	}
	for _, x := range slices.Backward(list) {
		x.remove()
	}
}

// remove unmounts m. A mount that remains on top of it comes to its place.
func (m *Mount) remove() {
	if m.parent != nil {
		at := Path{m.parent, m.mountpoint}.Get()
		m.detach()
		if len(m.children) > 0 {
			top := m.children[0]
			top.detach()
			top.attach(at)
		}
		at.Put()
	}
	m.leavePeers()
	m.follow(nil)
	m.ns = nil
	m.put()
}

// spreadUmount finds what is to be unmounted elsewhere when those of list are:
// what is mounted at the same places of the receivers, unless something else is
// mounted on it in turn that stays, other than on top of it. Parents come before
// what is mounted on them.
func spreadUmount(list []*Mount) (more []*Mount) {
	going := make(map[*Mount]bool)
	places := make(map[*peerGroup]map[*Dentry]bool) // that mounts go from
	var groups []*peerGroup
	for _, m := range list {
		going[m] = true
		if m.parent == nil || m.parent.peers == nil {
			continue
		}
		g := m.parent.peers
		if places[g] == nil {
			groups, places[g] = append(groups, g), make(map[*Dentry]bool)
		}
		places[g][m.mountpoint] = true
	}
	for _, g := range groups {
		for _, n := range g.receivers() {
			for _, c := range n.children {
				if places[g][c.mountpoint] && !going[c] && (!c.locked || going[n]) {
					going[c] = true
					more = append(more, c)
				}
			}
		}
	}
	check := slices.Clone(more)
	for len(check) > 0 {
		c := check[len(check)-1]
		check = check[:len(check)-1]
		if going[c] && slices.ContainsFunc(c.children, func(k *Mount) bool { return !going[k] && k.mountpoint != c.root }) {
			delete(going, c)
			check = append(check, c.parent) // it keeps its parent
		}
	}
	var sorted []*Mount
	for _, c := range more {
		if going[c] && !going[c.parent] {
			sorted = append(sorted, c)
		}
	}
	for i := 0; i < len(sorted); i++ {
		for _, k := range sorted[i].children {
			if going[k] {
				sorted = append(sorted, k)
			}
		}
	}
	return sorted
}

// busy reports whether something uses m, or what would be unmounted with it
// elsewhere. refs is how often the caller holds m.
func (m *Mount) busy(refs int) bool {
	const own = 1 // reference of the namespace
	if m.refs > own+refs || len(m.children) > 0 {
		return true
	}
	for _, n := range m.parent.peers.receivers() {
		c := n.childAt(m.mountpoint)
		switch {
		case c == nil, c == m:
		case len(c.children) == 0 && c.refs > own, len(c.children) == 1 && c.childAt(c.root) != nil && c.refs > own+1:
			return true
		}
	}
	return false
}

// lock keeps the owner of a less privileged user namespace, who has got the tree
// at m, from taking it apart and from seeing what is below it.
func (m *Mount) lock() {
	const kept = linux.MS_RDONLY | linux.MS_NODEV | linux.MS_NOSUID | linux.MS_NOEXEC
	for _, x := range m.tree() {
		x.locked = x != m
		x.lockedFlags |= x.Flags & kept
		x.lockedTime = true
	}
}

// mayRemount reports whether the flags of m may become others.
func (m *Mount) mayRemount(flags uint64) bool {
	return m.lockedFlags&^flags == 0 && (!m.lockedTime || (m.Flags^flags)&timeFlags == 0)
}
