package trace

import (
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// processKinds are the kinds of making, changing and waiting for processes,
// credentials and limits.
func processKinds() map[string]kind {
	rlimit := func(d *decoder, a uint64) {
		if b := d.mem(a, 16); b != nil {
			d.f("{rlim_cur=%s, rlim_max=%s}", limit(u64(b, 0)), limit(u64(b, 8)))
		}
	}
	return map[string]kind{
		"argv":         now((*decoder).vector),
		"envp":         now((*decoder).environment),
		"clone":        {print: printClone},
		"cloneids":     {print: printCloneIDs, lateIf: cloneStores},
		"cloneargs":    now(printClone3),
		"clonestored":  {print: printClone3Stored, lateIf: clone3Stores, glued: true},
		"unshareflags": set(unshareFlags, "CLONE_???"),
		"nstype":       set(nsTypes, "CLONE_NEW???"),
		"wstatus>":     {late: true, print: printWaitStatus},
		"waitflags":    set(waitFlags, "W???"),
		"idtype":       one(waitID, "P_???"),
		"waitidpid":    now(func(d *decoder, a uint64) { d.int(int64(int32(a))) }),
		"rusage>": {late: true, print: func(d *decoder, i int) {
			if a := d.args[i]; d.failed() || d.nr == linux.SYS_wait4 && d.ret == 0 {
				d.ptr(a)
			} else if b := d.mem(a, linux.SizeofRusage); b != nil {
				d.str("{ru_utime=")
				d.timeval(b)
				d.str(", ru_stime=")
				d.timeval(b[16:])
				d.str(", ...}")
			}
		}},
		"rusagewho": one(rusageWho, "RUSAGE_???"),
		"resource":  one(resources, "RLIMIT_???"),
		"rlimit":    now(rlimit),
		"rlimit>":   later(rlimit),
		"gids>": {late: true, print: func(d *decoder, i int) {
			if d.failed() || d.args[0] == 0 {
				d.ptr(d.args[i])
			} else {
				d.array(d.args[i], uint64(d.ret), 4, func(b []byte) { d.id(u32(b, 0)) })
			}
		}},
		"gids": {print: func(d *decoder, i int) {
			d.array(d.args[i], uint64(uint32(d.args[0])), 4, func(b []byte) { d.id(u32(b, 0)) })
		}},
		"caphdr":  now(printCapHeader),
		"capdata": {print: func(d *decoder, i int) { d.capData(d.args[i], d.args[i-1]) }},
		"capdata>": {late: true, print: func(d *decoder, i int) {
			if d.failed() {
				d.ptr(d.args[i])
			} else {
				d.capData(d.args[i], d.args[i-1])
			}
		}},
		"kcmp":        one(kcmpTypes, "KCMP_???"),
		"kcmpargs":    {print: printKcmp},
		"pidfdflags":  set(pidfdFlags, "PIDFD_???"),
		"rseqflags":   set(rseqFlags, "RSEQ_FLAG_???"),
		"personality": {print: printPersonality, exit: notePersonality},
		"arch_prctl":  one(archPrctl, "ARCH_???"),
		"archarg":     {print: printArchArg, lateIf: func(d *decoder) bool { return d.args[0] == linux.ARCH_GET_FS || d.args[0] == linux.ARCH_GET_GS }},
		"ptrace":      one(ptraceOps, "PTRACE_???"),
	}
}

// limit formats a resource limit; multiples of 1024 as such.
func limit(v uint64) string {
	switch {
	case v == ^uint64(0):
		return "RLIM64_INFINITY"
	case v > 1024 && v%1024 == 0:
		return fmt.Sprintf("%d*1024", v/1024)
	}
	return fmt.Sprint(v)
}

// vector writes argv.
func (d *decoder) vector(addr uint64) {
	if addr == 0 {
		d.str("NULL")
		return
	}
	start := len(d.b)
	d.str("[")
	for i := uint64(0); ; i++ {
		b := d.peek(addr+8*i, 8)
		if b == nil {
			if i == 0 {
				d.b = d.b[:start]
				d.ptr(addr)
				return
			}
			d.f(", ... /* %#x */]", addr+8*i)
			return
		}
		p := u64(b, 0)
		if p == 0 {
			d.str("]")
			return
		}
		if i > 0 {
			d.next()
		}
		if i == uint64(d.limit) {
			d.str("...]")
			return
		}
		d.cstr(p)
	}
}

// environment tells how many variables there are.
func (d *decoder) environment(addr uint64) {
	if addr == 0 {
		d.str("NULL")
		return
	}
	n := uint64(0)
	for ; n < 1<<16; n++ {
		b := d.peek(addr+8*n, 8)
		if b == nil && n == 0 {
			d.ptr(addr)
			return
		}
		if b == nil || u64(b, 0) == 0 {
			break
		}
	}
	d.str(envComment(addr, int(n)))
}

func envComment(addr uint64, n int) string {
	plural := "s"
	if n == 1 {
		plural = ""
	}
	return fmt.Sprintf("%#x /* %d var%s */", addr, n, plural)
}

// printClone names the arguments of clone(2), as far as the flags need them.
func printClone(d *decoder, _ int) {
	flags, sig := d.args[0]&^linux.CSIGNAL, d.args[0]&linux.CSIGNAL
	d.str("child_stack=")
	d.ptr(d.args[1])
	d.str(", flags=")
	if flags != 0 {
		d.flags(cloneFlags, flags, "CLONE_???")
		if sig != 0 {
			d.str("|")
			d.signal(sig)
		}
	} else {
		d.signal(sig)
	}
}

// printCloneIDs writes where the numbers of the new task go.
func printCloneIDs(d *decoder, _ int) {
	flags := d.args[0]
	sep := ""
	if flags&(linux.CLONE_PARENT_SETTID|linux.CLONE_PIDFD) != 0 {
		d.str("parent_tid=")
		if d.failed() {
			d.ptr(d.args[2])
		} else {
			d.indirect(d.args[2], 4, func(b []byte) { d.int(i32(b, 0)) })
		}
		sep = ", "
	}
	if flags&linux.CLONE_SETTLS != 0 {
		d.str(sep + "tls=")
		d.x(d.args[4])
		sep = ", "
	}
	if flags&(linux.CLONE_CHILD_SETTID|linux.CLONE_CHILD_CLEARTID) != 0 {
		d.str(sep + "child_tidptr=")
		d.ptr(d.args[3])
	}
}

// cloneStores reports whether arguments of clone(2) behind the flags mean
// something.
func cloneStores(d *decoder) bool {
	return d.args[0]&(linux.CLONE_PARENT_SETTID|linux.CLONE_PIDFD|linux.CLONE_CHILD_SETTID|linux.CLONE_CHILD_CLEARTID|linux.CLONE_SETTLS) != 0
}

const (
	clone3MinSize = 64 // CLONE_ARGS_SIZE_VER0
	clone3Size    = 88
)

// printClone3 writes struct clone_args.
func printClone3(d *decoder, addr uint64) {
	size := min(d.args[1], clone3Size)
	if size < clone3MinSize {
		d.ptr(addr)
		return
	}
	got := d.mem(addr, int(size))
	if got == nil {
		return
	}
	b := make([]byte, clone3Size)
	copy(b, got)
	flags := u64(b, 0)
	member := func(name string, v uint64) {
		d.str(", " + name + "=")
		d.ptr(v)
	}
	d.str("{flags=")
	d.flags(cloneFlags, flags, "CLONE_???")
	if flags&linux.CLONE_PIDFD != 0 {
		member("pidfd", u64(b, 8))
	}
	if flags&(linux.CLONE_CHILD_SETTID|linux.CLONE_CHILD_CLEARTID) != 0 {
		member("child_tid", u64(b, 16))
	}
	if flags&linux.CLONE_PARENT_SETTID != 0 {
		member("parent_tid", u64(b, 24))
	}
	d.str(", exit_signal=")
	d.signal(u64(b, 32))
	member("stack", u64(b, 40))
	d.str(", stack_size=")
	d.x(u64(b, 48))
	if flags&linux.CLONE_SETTLS != 0 {
		d.str(", tls=")
		d.x(u64(b, 56))
	}
	if tids, n := u64(b, 64), u64(b, 72); tids != 0 || n != 0 {
		d.str(", set_tid=")
		if tids == 0 || n == 0 || n > 32 {
			d.ptr(tids)
		} else {
			d.array(tids, n, 4, func(b []byte) { d.int(i32(b, 0)) })
		}
		d.f(", set_tid_size=%d", n)
	}
	if cgroup := u64(b, 80); cgroup != 0 || flags&linux.CLONE_INTO_CGROUP != 0 {
		d.f(", cgroup=%d", cgroup)
	}
	d.str("}")
}

func clone3Stores(d *decoder) bool {
	if d.args[1] < clone3MinSize {
		return false
	}
	b := d.peek(d.args[0], 8)
	return b != nil && u64(b, 0)&(linux.CLONE_PIDFD|linux.CLONE_PARENT_SETTID) != 0
}

// printClone3Stored writes what clone3(2) has stored.
func printClone3Stored(d *decoder, _ int) {
	if !d.leave || d.failed() {
		return
	}
	b := d.peek(d.args[0], clone3MinSize)
	if b == nil {
		d.f(" => %#x", d.args[0])
		return
	}
	sep := " => {"
	number := func(name string, addr uint64) {
		d.str(sep + name + "=")
		d.indirect(addr, 4, func(b []byte) { d.int(i32(b, 0)) })
		sep = ", "
	}
	if u64(b, 0)&linux.CLONE_PIDFD != 0 {
		number("pidfd", u64(b, 8))
	}
	if u64(b, 0)&linux.CLONE_PARENT_SETTID != 0 {
		number("parent_tid", u64(b, 24))
	}
	d.str("}")
}

// printWaitStatus writes a wait status with the macros that take it apart.
func printWaitStatus(d *decoder, i int) {
	if d.ret == 0 {
		d.ptr(d.args[i])
		return
	}
	if b := d.mem(d.args[i], 4); b != nil {
		d.str("[" + waitStatus(uint32(u32(b, 0))) + "]")
	}
}

func waitStatus(w uint32) string {
	switch {
	case w == 0xffff:
		return "{WIFCONTINUED(s)}"
	case w&0xff == 0x7f:
		return fmt.Sprintf("{WIFSTOPPED(s) && WSTOPSIG(s) == %v}", linux.Signal(w>>8&0xff))
	case w&0x7f != 0:
		core := ""
		if w&0x80 != 0 {
			core = " && WCOREDUMP(s)"
		}
		return fmt.Sprintf("{WIFSIGNALED(s) && WTERMSIG(s) == %v%s}", linux.Signal(w&0x7f), core)
	}
	return fmt.Sprintf("{WIFEXITED(s) && WEXITSTATUS(s) == %d}", w>>8&0xff)
}

func printCapHeader(d *decoder, a uint64) {
	if b := d.mem(a, 8); b != nil {
		d.str("{version=")
		d.value(capVersion, u32(b, 0), "_LINUX_CAPABILITY_VERSION_???")
		d.f(", pid=%d}", i32(b, 4))
	}
}

// capData writes the sets of capget(2), whose layout the header's version
// tells.
func (d *decoder) capData(addr, header uint64) {
	version, ok := d.peek32(header)
	if !ok {
		d.ptr(addr)
		return
	}
	words := 1
	if version == 0x20071026 || version == 0x20080522 {
		words = 2
	}
	b := d.mem(addr, 12*words)
	if b == nil {
		return
	}
	for i, name := range []string{"{effective=", ", permitted=", ", inheritable="} {
		d.str(name)
		v := u32(b, 4*i)
		if words == 2 {
			v |= u32(b, 12+4*i) << 32
		}
		d.capSet(v)
	}
	d.str("}")
}

// capSet names the bits of a set of capabilities.
func (d *decoder) capSet(v uint64) {
	var names []string
	for _, c := range capabilities {
		if bit := uint64(1) << c.value; v&bit != 0 {
			names, v = append(names, "1<<"+c.name), v&^bit
		}
	}
	if v != 0 {
		names = append(names, fmt.Sprintf("%#x", v))
	}
	if len(names) == 0 {
		names = []string{"0"}
	}
	d.str(strings.Join(names, "|"))
}

// personalityString names a type and its flags.
func personalityString(v uint64) string {
	const typeMask = 0xff
	s := lookup(personalities, v&typeMask)
	if s == "" {
		s = fmt.Sprintf("%#x /* PER_??? */", v&typeMask)
	}
	if rest := v &^ typeMask; rest != 0 {
		s += "|" + flagString(personalityFlags, rest, "")
	}
	return s
}

func printPersonality(d *decoder, i int) {
	if v := uint64(uint32(d.args[i])); v == 0xffffffff {
		d.x(v)
	} else {
		d.str(personalityString(v))
	}
}

func notePersonality(d *decoder) {
	if !d.failed() {
		d.hex, d.note = true, personalityString(uint64(d.ret))
	}
}

func printArchArg(d *decoder, i int) {
	switch d.args[0] {
	case linux.ARCH_GET_FS, linux.ARCH_GET_GS:
		d.indirect(d.args[i], 8, func(b []byte) { d.ptr(u64(b, 0)) })
	case linux.ARCH_GET_CPUID:
	default:
		d.x(d.args[i])
	}
}
