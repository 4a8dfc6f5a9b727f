package kernel

import (
	"math/bits"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// Where memory is taken from (numa(7)): there is one node, number 0. So a policy
// of a task is checked and remembered, one of a range of memory is checked, and
// nothing has to move.

// memPolicy is the policy of a task; it is inherited and survives an exec.
type memPolicy struct {
	mode  uint32 // with the flags in it
	nodes uint64
}

// The modes and their flags (linux/mempolicy.h).
const (
	mpolDefault = iota
	mpolPreferred
	mpolBind
	mpolInterleave
	mpolLocal
	mpolPreferredMany
	mpolModes

	mpolStatic    = 1 << 15
	mpolRelative  = 1 << 14
	mpolBalancing = 1 << 13 // with mpolBind
	mpolFlags     = mpolStatic | mpolRelative | mpolBalancing
)

const (
	allNodes = 1 // a bit for each
	maxNodes = 64
)

// nodeMask reads a set of nodes of max-1 bits.
func (t *Task) nodeMask(addr, max uint64) (uint64, linux.Errno) {
	switch {
	case addr == 0 || max <= 1:
		return 0, 0
	case max-1 > mm.PageSize*8:
		return 0, linux.EINVAL
	}
	n := max - 1
	var mask uint64
	for at := uint64(0); at < n; at += 64 {
		word, errno := t.getUint64(addr + at/8)
		if errno != 0 {
			return 0, errno
		}
		if n-at < 64 {
			word &= 1<<(n-at) - 1
		}
		if at > 0 && word != 0 {
			return 0, linux.EINVAL
		}
		if at == 0 {
			mask = word
		}
	}
	return mask, 0
}

// newPolicy checks a policy (mpol_new).
func newPolicy(mode uint32, nodes uint64) (memPolicy, linux.Errno) {
	kind, flags := mode&^mpolFlags, mode&mpolFlags
	bad := false
	switch {
	case kind >= mpolModes, flags&(mpolStatic|mpolRelative) == mpolStatic|mpolRelative, flags&mpolBalancing != 0 && kind != mpolBind:
		bad = true
	case kind == mpolDefault:
		bad = nodes != 0
	case kind == mpolLocal:
		bad = nodes != 0 || flags != 0
	case kind == mpolPreferred && nodes == 0:
		kind, bad = mpolLocal, flags != 0
	default:
		bad = nodes&allNodes == 0
	}
	if bad {
		return memPolicy{}, linux.EINVAL
	}
	return memPolicy{kind | flags, nodes & allNodes}, 0
}

// sysSetMempolicy is set_mempolicy(2): mode, nodes, their number.
func sysSetMempolicy(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	nodes, errno := t.nodeMask(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	p, errno := newPolicy(uint32(a[0]), nodes)
	if errno == 0 {
		t.mempolicy = p
	}
	return 0, errno
}

// sysGetMempolicy is get_mempolicy(2): mode, nodes, their number, address,
// flags.
func sysGetMempolicy(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const node, addr, mems = 1, 2, 4
	flags := a[4]
	p, mode := t.mempolicy, uint32(0)
	switch {
	case flags&^(node|addr|mems) != 0, a[1] != 0 && a[2] < 1, flags&mems != 0 && flags != mems, flags&addr == 0 && a[3] != 0:
		return 0, linux.EINVAL
	case flags&mems != 0:
		p.nodes = allNodes
	case flags&addr != 0:
		if _, ok := t.as.FindVMA(a[3]); !ok {
			return 0, linux.EFAULT
		}
		if mode = p.mode; flags&node != 0 {
			mode = 0 // the number of the page's node
		}
	case flags&node != 0:
		if p.mode&^mpolFlags != mpolInterleave {
			return 0, linux.EINVAL
		}
	default:
		mode = p.mode
	}
	if a[0] != 0 {
		if errno := t.putUint32(a[0], mode); errno != 0 {
			return 0, errno
		}
	}
	if a[1] == 0 {
		return 0, 0
	}
	b := make([]byte, (min(a[2], maxNodes*8)+63)/64*8)
	b[0] = byte(p.nodes)
	return 0, t.copyOut(a[1], b)
}

// sysMbind is mbind(2): address, length, mode, nodes, their number, flags.
func sysMbind(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const strict, move, moveAll = 1, 2, 4
	nodes, errno := t.nodeMask(a[3], a[4])
	if errno != 0 {
		return 0, errno
	}
	n := (a[1] + mm.PageSize - 1) &^ (mm.PageSize - 1)
	switch {
	case a[5]&^(strict|move|moveAll) != 0, a[2]&^mpolFlags >= mpolModes:
		return 0, linux.EINVAL
	case a[5]&moveAll != 0 && !t.capable(linux.CAP_SYS_NICE):
		return 0, linux.EPERM
	case a[0]&(mm.PageSize-1) != 0, a[0]+n < a[0]:
		return 0, linux.EINVAL
	case n == 0:
		return 0, 0
	}
	if _, errno := newPolicy(uint32(a[2]), nodes); errno != 0 {
		return 0, errno
	}
	if a[0]+n > mm.UserTop || !t.mapped(a[0], n) {
		return 0, linux.EFAULT
	}
	return 0, 0
}

// memoryOf finds the memory of a process by number, 0 being the caller's.
func (t *Task) memoryOf(pid uint64) (*mm.AddressSpace, linux.Errno) {
	if int32(pid) == 0 {
		return t.as, 0
	}
	return t.otherMemory(int(int32(pid)))
}

// sysMigratePages is migrate_pages(2): pid, number of nodes, from, to. It
// returns how many pages could not be moved.
func sysMigratePages(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if _, errno := t.nodeMask(a[2], a[1]); errno != 0 {
		return 0, errno
	}
	to, errno := t.nodeMask(a[3], a[1])
	if errno != 0 {
		return 0, errno
	}
	if _, errno := t.memoryOf(a[0]); errno != 0 {
		return 0, errno
	}
	if to&allNodes == 0 {
		return 0, linux.EINVAL
	}
	return 0, 0
}

// sysMovePages is move_pages(2): pid, number of pages, their addresses, nodes
// or NULL, room for what became of each, flags.
func sysMovePages(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const move, moveAll = 2, 4
	switch {
	case a[5]&^(move|moveAll) != 0:
		return 0, linux.EINVAL
	case a[5]&moveAll != 0 && !t.capable(linux.CAP_SYS_NICE):
		return 0, linux.EPERM
	}
	as, errno := t.memoryOf(a[0])
	if errno != 0 {
		return 0, errno
	}
	for i := range a[1] {
		page, errno := t.getUint64(a[2] + 8*i)
		if errno == 0 && a[3] != 0 {
			var node uint32
			if node, errno = t.getUint32(a[3] + 4*i); errno == 0 && (node >= maxNodes || allNodes>>node&1 == 0) {
				errno = linux.ENODEV
			}
		}
		if errno == 0 {
			errno = t.putUint32(a[4]+4*i, pageNode(as, page))
		}
		if errno != 0 {
			return 0, errno
		}
	}
	return 0, 0
}

// pageNode is the node of a page, or minus an errno.
func pageNode(as *mm.AddressSpace, page uint64) uint32 {
	if _, ok := as.FindVMA(page); !ok || page >= mm.UserTop {
		return uint32(errnoResult(linux.EFAULT))
	}
	if v := as.Present(page&^(mm.PageSize-1), mm.PageSize); len(v) == 0 || v[0]&1 == 0 {
		return uint32(errnoResult(linux.ENOENT))
	}
	return 0
}

// The commands of membarrier(2) that exist here. Each that asks for a barrier
// but GLOBAL must have been registered for, by the command of the next bit.
const (
	membarrierGlobal    = 1 << 0
	membarrierExpedited = 1<<1 | 1<<3 | 1<<5 // GLOBAL_EXPEDITED, PRIVATE_EXPEDITED and that with SYNC_CORE
	membarrierRegister  = membarrierExpedited << 1
	membarrierList      = 1 << 9 // GET_REGISTRATIONS
)

func sysMembarrier(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const all = membarrierGlobal | membarrierExpedited | membarrierRegister | membarrierList
	const globalExpedited = 1 << 1
	cmd := uint32(a[0])
	switch {
	case uint32(a[1]) != 0, cmd&^all != 0, bits.OnesCount32(cmd) > 1:
		return 0, linux.EINVAL
	case cmd == 0:
		return all, 0
	case cmd == membarrierList:
		return uint64(t.group.membarrier), 0
	case cmd&membarrierRegister != 0:
		t.group.membarrier |= cmd
		return 0, 0
	case cmd&membarrierExpedited != 0 && cmd != globalExpedited && t.group.membarrier&(cmd<<1) == 0:
		return 0, linux.EPERM
	}
	for _, p := range t.k.cpus {
		p.v.Stop()
	}
	return 0, 0
}
