package trace

import (
	"bytes"

	"github.com/tinevm/tine/internal/linux"
)

// systemKinds are the kinds of the machine as a whole, and of prctl(2), keys
// and filters.
func systemKinds() map[string]kind {
	return map[string]kind{
		"utsname>": later(func(d *decoder, a uint64) {
			if b := d.mem(a, linux.SizeofUtsname); b != nil {
				d.str("{sysname=")
				d.cfield(b[:65])
				d.str(", nodename=")
				d.cfield(b[65:130])
				d.str(", ...}")
			}
		}),
		"hostname": {print: func(d *decoder, i int) {
			const maxName = 64
			if uint32(d.args[i+1]) > maxName {
				d.ptr(d.args[i])
			} else {
				d.data(d.args[i], d.args[i+1])
			}
		}},
		"sysinfo>":     later(printSysinfo),
		"rawbuf>":      {late: true, print: printRandom},
		"grndflags":    set(grndFlags, "GRND_???"),
		"syslog":       {print: printSyslog},
		"syslogbuf":    {print: printSyslogBuf, lateIf: syslogReads},
		"reboot":       {print: printReboot},
		"prctl":        {print: printPrctl, exit: notePrctl},
		"prctlarg":     {print: printPrctlOut, lateIf: prctlLate},
		"seccomp":      one(seccompOp, "SECCOMP_???"),
		"seccompflags": set(seccompFlags, "SECCOMP_FILTER_FLAG_???"),
		"seccomparg":   {print: printSeccompArg},
		"keyserial":    now((*decoder).key),
		"keyctl":       {print: printKeyctl},
		"bpf":          one(bpfCmds, "BPF_???"),
	}
}

// cfield writes a string in an array of fixed size.
func (d *decoder) cfield(b []byte) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	d.b = appendQuoted(d.b, b)
}

func printSysinfo(d *decoder, a uint64) {
	b := d.mem(a, linux.SizeofSysinfo)
	if b == nil {
		return
	}
	d.f("{uptime=%d, loads=[%d, %d, %d], totalram=%d, freeram=%d, sharedram=%d, bufferram=%d, totalswap=%d, freeswap=%d, "+
		"procs=%d, totalhigh=%d, freehigh=%d, mem_unit=%d}", int64(u64(b, 0)), u64(b, 8), u64(b, 16), u64(b, 24), u64(b, 32), u64(b, 40),
		u64(b, 48), u64(b, 56), u64(b, 64), u64(b, 72), u16(b, 80), u64(b, 88), u64(b, 96), u32(b, 104))
}

func printRandom(d *decoder, i int) {
	if d.failed() {
		d.ptr(d.args[i])
		return
	}
	d.hexData(d.args[i], uint64(d.ret))
}

func printReboot(d *decoder, _ int) {
	d.value(rebootMagic1, uint64(uint32(d.args[0])), "LINUX_REBOOT_MAGIC_???")
	d.next()
	d.value(rebootMagic2, uint64(uint32(d.args[1])), "LINUX_REBOOT_MAGIC_???")
	d.next()
	d.value(rebootCmds, uint64(uint32(d.args[2])), "LINUX_REBOOT_CMD_???")
	if uint32(d.args[2]) == linux.LINUX_REBOOT_CMD_RESTART2 {
		d.next()
		d.cstr(d.args[3])
	}
}

// prctlLate reports whether an option stores something at its argument.
func prctlLate(d *decoder) bool {
	switch int32(d.args[0]) {
	case linux.PR_GET_CHILD_SUBREAPER, linux.PR_GET_NAME, linux.PR_GET_PDEATHSIG, linux.PR_GET_TID_ADDRESS, linux.PR_GET_TSC:
		return true
	}
	return false
}

// printPrctl writes the option and the arguments it has, but what it stores.
func printPrctl(d *decoder, _ int) {
	a := d.args
	opt := int32(a[0])
	d.value(prctlOps, uint64(uint32(opt)), "PR_???")
	if prctlLate(d) {
		return
	}
	raw := func(from int) {
		for _, v := range a[from:5] {
			d.next()
			d.x(v)
		}
	}
	value := func(table []symbol, v uint64, what string) {
		d.next()
		d.value(table, v, what)
	}
	switch opt {
	case linux.PR_GET_KEEPCAPS, linux.PR_GET_SECCOMP, linux.PR_GET_TIMERSLACK, linux.PR_GET_TIMING, linux.PR_GET_DUMPABLE,
		linux.PR_GET_SECUREBITS, linux.PR_TASK_PERF_EVENTS_DISABLE, linux.PR_TASK_PERF_EVENTS_ENABLE:
	case linux.PR_SET_CHILD_SUBREAPER, linux.PR_SET_KEEPCAPS, linux.PR_SET_TIMING, linux.PR_SET_TIMERSLACK:
		d.next()
		d.uint(a[1])
	case linux.PR_SET_DUMPABLE:
		value(dumpable, a[1], "SUID_DUMP_???")
	case linux.PR_CAPBSET_DROP, linux.PR_CAPBSET_READ:
		value(capabilities, a[1], "CAP_???")
	case linux.PR_CAP_AMBIENT:
		value(prctlAmbient, a[1], "PR_CAP_AMBIENT_???")
		if a[1] >= linux.PR_CAP_AMBIENT_IS_SET && a[1] <= linux.PR_CAP_AMBIENT_LOWER {
			value(capabilities, a[2], "CAP_???")
			raw(3)
		} else {
			raw(2)
		}
	case linux.PR_MCE_KILL:
		value(mceKill, a[1], "PR_MCE_KILL_???")
		if a[1] == linux.PR_MCE_KILL_SET {
			value(mceKillPolicy, a[2], "PR_MCE_KILL_???")
		} else {
			d.next()
			d.x(a[2])
		}
		raw(3)
	case linux.PR_SET_NAME:
		const maxComm = 15
		d.next()
		if s, more, ok := d.cstring(a[1], maxComm); ok {
			d.quote(s, more)
		} else {
			d.ptr(a[1])
		}
	case linux.PR_SET_VMA:
		value(prctlVMA, a[1], "PR_SET_VMA_???")
		if a[1] != linux.PR_SET_VMA_ANON_NAME {
			raw(2)
			return
		}
		d.next()
		d.ptr(a[2])
		d.f(", %d, ", a[3])
		d.cstr(a[4])
	case linux.PR_SET_MM:
		value(prctlMM, a[1], "PR_SET_MM_???")
		raw(2)
	case linux.PR_SET_PDEATHSIG:
		d.next()
		if a[1] > 128 {
			d.uint(a[1])
		} else {
			d.signal(a[1])
		}
	case linux.PR_SET_PTRACER:
		d.next()
		if int32(a[1]) == -1 {
			d.str("PR_SET_PTRACER_ANY")
		} else {
			d.int(int64(int32(a[1])))
		}
	case linux.PR_SET_SECCOMP:
		value(seccompMode, a[1], "SECCOMP_MODE_???")
		switch a[1] {
		case linux.SECCOMP_MODE_STRICT:
		case linux.SECCOMP_MODE_FILTER:
			d.next()
			d.filter(a[2])
		default:
			raw(2)
		}
	case linux.PR_SET_SECUREBITS:
		d.next()
		d.flags(securebits, a[1], "SECBIT_???")
	case linux.PR_SET_TSC:
		value(tsc, a[1], "PR_TSC_???")
	case linux.PR_SET_NO_NEW_PRIVS, linux.PR_SET_THP_DISABLE, linux.PR_SET_IO_FLUSHER:
		d.next()
		d.uint(a[1])
		raw(2)
	default:
		raw(1)
	}
}

// printSeccompArg writes what the operation of seccomp(2) is about.
func printSeccompArg(d *decoder, i int) {
	switch a := d.args[i]; uint32(d.args[0]) {
	case linux.SECCOMP_SET_MODE_FILTER:
		d.filter(a)
	case linux.SECCOMP_GET_ACTION_AVAIL:
		if b := d.mem(a, 4); b != nil {
			d.str("[")
			d.value(seccompActions, uint64(u32(b, 0)), "SECCOMP_RET_???")
			d.str("]")
		}
	default:
		d.ptr(a)
	}
}

// filter writes a struct sock_fprog.
func (d *decoder) filter(a uint64) {
	if b := d.mem(a, 16); b != nil {
		d.f("{len=%d, filter=", u16(b, 0))
		d.ptr(u64(b, 8))
		d.str("}")
	}
}

// printPrctlOut writes what an option has stored.
func printPrctlOut(d *decoder, i int) {
	if !prctlLate(d) {
		return
	}
	a := d.args[i]
	switch int32(d.args[0]) {
	case linux.PR_GET_NAME:
		if b := d.mem(a, 16); b != nil {
			d.cfield(b)
		}
	case linux.PR_GET_PDEATHSIG:
		d.indirect(a, 4, func(b []byte) { d.signal(u32(b, 0)) })
	case linux.PR_GET_TSC:
		d.indirect(a, 4, func(b []byte) { d.value(tsc, u32(b, 0), "PR_TSC_???") })
	case linux.PR_GET_TID_ADDRESS:
		d.indirect(a, 8, func(b []byte) { d.ptr(u64(b, 0)) })
	default:
		d.indirect(a, 4, func(b []byte) { d.uint(u32(b, 0)) })
	}
}

// notePrctl explains the result of some options.
func notePrctl(d *decoder) {
	if d.failed() {
		return
	}
	switch int32(d.args[0]) {
	case linux.PR_GET_DUMPABLE:
		d.note = lookup(dumpable, uint64(d.ret))
	case linux.PR_GET_SECUREBITS:
		if d.ret != 0 {
			d.hex, d.note = true, flagString(securebits, uint64(d.ret), "")
		}
	}
}

func (d *decoder) key(a uint64) {
	if s := lookup(keySpecial, uint64(uint32(a))); s != "" {
		d.str(s)
		return
	}
	d.int(int64(int32(a)))
}

// printKeyctl writes the operation of keyctl(2) and the arguments it has. No
// operation stores anything here: they all fail.
func printKeyctl(d *decoder, _ int) {
	a := d.args
	op := uint64(uint32(a[0]))
	d.value(keyctlOps, op, "KEYCTL_???")
	key := func(i int) { d.next(); d.key(a[i]) }
	str := func(i int) { d.next(); d.cstr(a[i]) }
	ptr := func(i int) { d.next(); d.ptr(a[i]) }
	uint := func(i int) { d.next(); d.uint(a[i]) }
	data := func(i int) { d.next(); d.data(a[i], a[i+1]); uint(i + 1) }
	switch lookup(keyctlOps, op) {
	case "KEYCTL_GET_KEYRING_ID":
		key(1)
		d.f(", %d", int32(a[2]))
	case "KEYCTL_JOIN_SESSION_KEYRING":
		str(1)
	case "KEYCTL_UPDATE":
		key(1)
		data(2)
	case "KEYCTL_REVOKE", "KEYCTL_CLEAR", "KEYCTL_INVALIDATE", "KEYCTL_ASSUME_AUTHORITY":
		key(1)
	case "KEYCTL_LINK", "KEYCTL_UNLINK":
		key(1)
		key(2)
	case "KEYCTL_DESCRIBE", "KEYCTL_READ", "KEYCTL_GET_SECURITY":
		key(1)
		ptr(2)
		uint(3)
	case "KEYCTL_SEARCH":
		key(1)
		str(2)
		str(3)
		key(4)
	case "KEYCTL_CHOWN":
		key(1)
		d.next()
		d.id(a[2])
		d.next()
		d.id(a[3])
	case "KEYCTL_INSTANTIATE":
		key(1)
		data(2)
		key(4)
	case "KEYCTL_SET_TIMEOUT":
		key(1)
		uint(2)
	case "KEYCTL_SESSION_TO_PARENT":
	default:
		for _, v := range a[1:5] {
			d.next()
			d.x(v)
		}
	}
}

// syslogReads reports whether an action of syslog(2) gives text.
func syslogReads(d *decoder) bool { return d.args[0] >= 2 && d.args[0] <= 4 }

func printSyslog(d *decoder, i int) {
	typ := int32(d.args[i])
	d.int(int64(typ))
	if s := lookup(syslogActions, uint64(uint32(typ))); s != "" {
		d.str(" /* " + s + " */")
	} else {
		d.str(" /* SYSLOG_ACTION_??? */")
	}
}

// printSyslogBuf writes buffer and length, for the actions that have them.
func printSyslogBuf(d *decoder, i int) {
	const consoleLevel = 8
	typ := int32(d.args[0])
	if !syslogReads(d) && typ != consoleLevel && lookup(syslogActions, uint64(uint32(typ))) != "" {
		return
	}
	if syslogReads(d) && !d.failed() {
		d.data(d.args[i], uint64(d.ret))
	} else {
		d.ptr(d.args[i])
	}
	d.f(", %d", int32(d.args[i+1]))
}

// printKcmp writes what kcmp(2) compares: descriptors, or nothing more.
func printKcmp(d *decoder, i int) {
	switch lookup(kcmpTypes, uint64(uint32(d.args[2]))) {
	case "KCMP_FILE":
		d.fd(int32(d.args[i]))
		d.next()
		d.fd(int32(d.args[i+1]))
	case "KCMP_EPOLL_TFD":
		d.fd(int32(d.args[i]))
		d.next()
		if b := d.mem(d.args[i+1], 12); b != nil {
			d.f("{efd=%d, tfd=%d, toff=%d}", i32(b, 0), i32(b, 4), u32(b, 8))
		}
	case "":
		d.x(d.args[i])
		d.next()
		d.x(d.args[i+1])
	}
}
