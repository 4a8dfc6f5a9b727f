package trace

import (
	"github.com/tinevm/tine/internal/linux"
)

// signalKinds are the kinds of signals.
func signalKinds() map[string]kind {
	mask := func(d *decoder, a uint64) {
		if b := d.mem(a, 8); b != nil {
			d.str(sigset(u64(b, 0)))
		}
	}
	info := func(d *decoder, a uint64) {
		if b := d.mem(a, linux.SizeofSiginfo); b != nil {
			d.siginfo(b)
		}
	}
	return map[string]kind{
		"sighow":     one(sigHow, "SIG_???"),
		"sigset":     now(mask),
		"sigset>":    later(mask),
		"sigaction":  now((*decoder).sigaction),
		"sigaction>": later((*decoder).sigaction),
		"siginfo":    now(info),
		"siginfo>":   {late: true, print: func(d *decoder, i int) { info(d, d.args[i]) }},
		"stack":      now((*decoder).stack),
		"stack>":     later((*decoder).stack),
		"signal=": {print: func(*decoder, int) {}, exit: func(d *decoder) {
			if !d.failed() {
				d.note = linux.Signal(d.ret).String()
			}
		}},
		"sfdflags": set(sfdFlags, "SFD_???"),
		"sigreturn": {print: func(d *decoder, _ int) {
			// The frame begins below the return address that the handler has
			// popped; the mask stands behind struct ucontext's registers.
			const popped, maskOffset = 8, 304
			d.str("{mask=")
			if b := d.mem(d.task.SP()-popped+maskOffset, 8); b != nil {
				d.str(sigset(u64(b, 0)))
			}
			d.str("}")
		}},
		"restart": {print: func(d *decoder, _ int) {
			d.str("<... resuming interrupted " + d.prev + " ...>")
		}},
	}
}

func (d *decoder) sigaction(addr uint64) {
	b := d.mem(addr, linux.SizeofSigaction)
	if b == nil {
		return
	}
	var a linux.Sigaction
	a.Decode(b)
	d.str("{sa_handler=")
	switch a.Handler {
	case linux.SIG_DFL:
		d.str("SIG_DFL")
	case linux.SIG_IGN:
		d.str("SIG_IGN")
	default:
		d.ptr(a.Handler)
	}
	d.str(", sa_mask=" + sigset(uint64(a.Mask)) + ", sa_flags=")
	d.flags(sigactionFlags, a.Flags, "SA_???")
	if a.Flags&linux.SA_RESTORER != 0 {
		d.str(", sa_restorer=")
		d.ptr(a.Restorer)
	}
	d.str("}")
}

func (d *decoder) stack(addr uint64) {
	b := d.mem(addr, 24)
	if b == nil {
		return
	}
	d.str("{ss_sp=")
	d.ptr(u64(b, 0))
	d.str(", ss_flags=")
	d.flags(stackFlags, u32(b, 8), "SS_???")
	d.f(", ss_size=%d}", u64(b, 16))
}

// signalCodes gives the codes that have a meaning of their own for some signals.
func signalCodes(s linux.Signal) []symbol {
	switch s {
	case linux.SIGCHLD:
		return chldCodes
	case linux.SIGSEGV:
		return segvCodes
	case linux.SIGBUS:
		return busCodes
	case linux.SIGFPE:
		return fpeCodes
	case linux.SIGILL:
		return illCodes
	case linux.SIGTRAP:
		return trapCodes
	case linux.SIGIO:
		return pollCodes
	case linux.SIGSYS:
		return sysCodes
	}
	return nil
}

// siginfo writes siginfo_t; which members there are depends on signal and code
// (sigaction(2)).
func (d *decoder) siginfo(b []byte) {
	signo, code := linux.Signal(i32(b, 0)), int32(i32(b, 8))
	d.str("{")
	if signo == 0 {
		d.str("}")
		return
	}
	d.str("si_signo=" + signo.String() + ", si_code=")
	name := lookup(siCodes, uint64(uint32(code)))
	if name == "" {
		name = lookup(signalCodes(signo), uint64(uint32(code)))
	}
	if name == "" {
		d.x(uint64(uint32(code)))
	} else {
		d.str(name)
	}
	if e := linux.Errno(u32(b, 4)); e != 0 {
		d.str(", si_errno=" + e.String())
	}
	if code <= 0 {
		d.userSiginfo(b, code)
	} else {
		d.kernelSiginfo(b, signo, code)
	}
	d.str("}")
}

// ticks writes a time in clock ticks.
func (d *decoder) ticks(v uint64) {
	const hertz = 100
	d.uint(v)
	if v > 0 {
		d.f(" /* %d.%02d s */", v/hertz, v%hertz)
	}
}

func (d *decoder) sender(b []byte) { d.f(", si_pid=%d, si_uid=%d", i32(b, 16), u32(b, 20)) }

func (d *decoder) sigval(b []byte) {
	d.f(", si_int=%d, si_ptr=", i32(b, 24))
	d.ptr(u64(b, 24))
}

func (d *decoder) userSiginfo(b []byte, code int32) {
	switch code {
	case linux.SI_USER, linux.SI_TKILL:
		d.sender(b)
	case linux.SI_TIMER:
		d.f(", si_timerid=%#x, si_overrun=%d", u32(b, 16), i32(b, 20))
		d.sigval(b)
	case linux.SI_SIGIO:
		d.f(", si_band=%d, si_fd=%d", int64(u64(b, 16)), i32(b, 24))
	default:
		d.sender(b)
		if u64(b, 24) != 0 {
			d.sigval(b)
		}
	}
}

func (d *decoder) kernelSiginfo(b []byte, signo linux.Signal, code int32) {
	switch signo {
	case linux.SIGCHLD:
		d.sender(b)
		d.str(", si_status=")
		if code == linux.CLD_EXITED {
			d.int(i32(b, 24))
		} else {
			d.signal(u32(b, 24))
		}
		d.str(", si_utime=")
		d.ticks(u64(b, 32))
		d.str(", si_stime=")
		d.ticks(u64(b, 40))
	case linux.SIGILL, linux.SIGFPE, linux.SIGBUS, linux.SIGSEGV, linux.SIGTRAP:
		d.str(", si_addr=")
		d.ptr(u64(b, 16))
	case linux.SIGIO:
		if code <= 6 { // POLL_HUP
			d.f(", si_band=%d, si_fd=%d", int64(u64(b, 16)), i32(b, 24))
		}
	case linux.SIGSYS:
		d.str(", si_call_addr=")
		d.ptr(u64(b, 16))
		d.f(", si_syscall=__NR_%s, si_arch=AUDIT_ARCH_X86_64", linux.SyscallName(int(i32(b, 24))))
	default:
		if u64(b, 16) != 0 {
			d.sender(b)
		}
		if u64(b, 24) != 0 {
			d.sigval(b)
		}
	}
}
