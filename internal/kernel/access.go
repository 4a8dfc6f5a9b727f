package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// mayAccess is the ptrace access mode check (ptrace(2)) that guards what one
// process may see of another: same user, no more capabilities than the caller,
// and not set-user-ID; or CAP_SYS_PTRACE.
func (t *Task) mayAccess(u *Task) bool {
	if u.group == t.group {
		return true
	}
	c, o := t.cred, u.cred
	if t.capableIn(o.user, linux.CAP_SYS_PTRACE) {
		return true
	}
	return c.UID == o.UID && c.UID == o.EUID && c.UID == o.SUID && c.GID == o.GID && c.GID == o.EGID && c.GID == o.SGID &&
		(u.as == nil || u.group.dumpable == 1) && c.user == o.user && o.Permitted&^c.Permitted == 0
}

// otherMemory finds the memory of another process that the caller may access.
func (t *Task) otherMemory(pid int) (*mm.AddressSpace, linux.Errno) {
	u := t.pidNS().task(pid)
	if u == nil || u.as == nil {
		return nil, linux.ESRCH
	}
	if !t.mayAccess(u) {
		return nil, linux.EPERM
	}
	return u.as, 0
}
