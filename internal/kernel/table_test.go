package kernel

import (
	"io"
	"math/rand/v2"
	"testing"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/trace"
)

// TestTable: every call that Linux has stands in the table, is there or says
// with which errno it is not.
func TestTable(t *testing.T) {
	for nr := range NumSyscalls {
		row, ok := SyscallRow(nr)
		if ok != linux.IsSyscall(nr) {
			t.Errorf("%d (%s): in the table %v", nr, linux.SyscallName(nr), ok)
		}
		if ok && (row.fn == nil) != (row.Errno != 0) {
			t.Errorf("%s: handler %v, errno %v", linux.SyscallName(nr), row.fn != nil, row.Errno)
		}
		if row.Lacks != "" && row.Errno != 0 {
			t.Errorf("%s is partial and absent", linux.SyscallName(nr))
		}
	}
	for nr := range linux.Syscalls() {
		if nr >= NumSyscalls {
			t.Errorf("%s is beyond the table", linux.SyscallName(nr))
		}
	}
}

// noise is a task whose memory, of a page's length, means nothing.
type noise []byte

func (m noise) Read(addr uint64, p []byte) linux.Errno {
	if addr < 0x1000 || addr+uint64(len(p)) < addr || addr+uint64(len(p)) > 0x1000+uint64(len(m)) {
		return linux.EFAULT
	}
	copy(p, m[addr-0x1000:])
	return 0
}
func (noise) FDPath(int) string          { return "" }
func (noise) Netlink(fd int) (int, bool) { return 0, fd == 3 }
func (noise) Cwd() string                { return "" }
func (noise) SP() uint64                 { return 0x1100 }
func (noise) Now() (int64, int64)        { return 0, 0 }

// TestTraceHostile: no arguments and no memory make the trace fail, whatever
// the call.
func TestTraceHostile(t *testing.T) {
	p := trace.NewPrinter(io.Discard, trace.Options{Paths: true}, NumSyscalls, func(nr int) string { return syscalls[nr].Args })
	rng := rand.New(rand.NewPCG(1, 2))
	mem := make(noise, 4096)
	values := []uint64{
		0, 1, 2, 3, 4, 8, 16, 40, 64, 88, 128, 1 << 31, 1<<32 - 1, 1 << 40, 1<<63 - 1, 1 << 63, 1<<64 - 1,
		0x1000, 0x1080, 0x1ff8, 0x1fff, 0x2000, linux.CLONE_PARENT_SETTID, linux.TCGETS, linux.SOL_SOCKET,
	}
	for range 100000 {
		at := rng.IntN(len(mem) - 8)
		for i := range 8 {
			mem[at+i] = byte(values[rng.IntN(len(values))] >> (8 * i))
		}
		var args [6]uint64
		for i := range args {
			args[i] = values[rng.IntN(len(values))]
		}
		p.Enter(1, rng.IntN(NumSyscalls+2), &args, mem)
		p.Exit(1, int64(values[rng.IntN(len(values))]), mem)
	}
}
