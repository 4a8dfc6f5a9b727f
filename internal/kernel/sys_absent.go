package kernel

import "github.com/tinevm/tine/internal/linux"

// needs is a call that does not exist here and that Linux has for those with a
// capability only: others cannot tell.
func needs(capability int) handler {
	return func(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
		if !t.capable(capability) {
			return 0, linux.EPERM
		}
		t.k.unknownSyscall(t.sc.nr, linux.ENOSYS)
		return 0, linux.ENOSYS
	}
}
