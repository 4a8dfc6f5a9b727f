package kernel

import "github.com/tinevm/tine/internal/linux"

// syscalls is the system call table: the row's index is its number. Each
// chapter of calls registers its rows in an init function beside the handlers,
// so that a reader finds number, name and handler together.
var syscalls [512]Syscall

// register enters handlers into the table.
func register(rows map[int]handler) {
	for nr, fn := range rows {
		if syscalls[nr].fn != nil {
			panic("kernel: system call registered twice: " + linux.SyscallName(nr))
		}
		syscalls[nr] = Syscall{Name: linux.SyscallName(nr), fn: fn}
	}
}
