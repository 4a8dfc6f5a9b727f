package kernel

import (
	"fmt"
	"github.com/tinevm/tine/internal/linux"
	"os"
)

type dbgTracer struct{}

func (dbgTracer) Enter(tid, nr int, a [6]uint64, mem TraceMemory) {
	fmt.Fprintf(os.Stderr, "[%d] %s(%x,%x,%x,%x)\n", tid, linux.SyscallName(nr), a[0], a[1], a[2], a[3])
}
func (dbgTracer) Exit(tid int, ret int64, mem TraceMemory) {
	e := ""
	if ret < 0 && ret > -600 {
		e = linux.Errno(-ret).String()
	}
	fmt.Fprintf(os.Stderr, "[%d] = %x %s\n", tid, ret, e)
}
func (dbgTracer) Signal(tid int, info *linux.Siginfo) {
	fmt.Fprintf(os.Stderr, "[%d] signal %+v\n", tid, *info)
}
func (dbgTracer) Exited(tid, code int) { fmt.Fprintf(os.Stderr, "[%d] exited %d\n", tid, code) }
func (dbgTracer) Killed(tid int, sig linux.Signal, core bool) {
	fmt.Fprintf(os.Stderr, "[%d] killed %v\n", tid, sig)
}
func DebugTracer() Tracer { return dbgTracer{} }
func dbg(t *Task, f string, a ...any) {
	if os.Getenv("TINE_DEBUG") != "" {
		fmt.Fprintf(os.Stderr, "[%d] rip=%x rsp=%x "+f+"\n", append([]any{t.tid, t.Regs.RIP, t.Regs.GPR[4]}, a...)...)
	}
}
