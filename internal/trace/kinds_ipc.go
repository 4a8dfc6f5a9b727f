package trace

import "github.com/tinevm/tine/internal/linux"

// ipcKinds are the kinds of System V IPC.
func ipcKinds() map[string]kind {
	get := func(table []symbol) kind {
		return now(func(d *decoder, a uint64) {
			if flags := uint64(uint32(a)) &^ 0o777; flags != 0 {
				d.flags(table, flags, "")
				d.str("|")
			}
			d.octal(a & 0o777)
		})
	}
	shmGet := append(append([]symbol(nil), ipcFlags...), shmGetFlags...)
	return map[string]kind{
		"ipckey": now(func(d *decoder, a uint64) {
			if uint32(a) == 0 {
				d.str("IPC_PRIVATE")
			} else {
				d.x(uint64(uint32(a)))
			}
		}),
		"shmgetflags": get(shmGet),
		"semgetflags": get(ipcFlags),
		"msggetflags": get(ipcFlags),
		"shmatflags":  set(shmFlags, "SHM_???"),
		"msgopflags":  set(msgOpFlags, "MSG_???"),
		"shmctl":      one(shmCmds, "SHM_???"),
		"semctl":      one(semCmds, "SEM_???"),
		"msgctl":      one(msgCmds, "MSG_???"),
		"shmctlarg":   {print: printShmctl, lateIf: func(d *decoder) bool { return ipcOut(d.args[1]) }},
		"semctlarg":   {print: printSemctl, lateIf: func(d *decoder) bool { return ipcOut(d.args[2]) }},
		"msgctlarg":   {print: printMsgctl, lateIf: func(d *decoder) bool { return ipcOut(d.args[1]) }},
		"msgbuf":      {print: func(d *decoder, i int) { d.msgbuf(d.args[i], d.args[i+1]) }},
		"msgbuf>":     {late: true, print: func(d *decoder, i int) { d.msgbuf(d.args[i], d.args[i+1]) }},
		"sembuf": {print: func(d *decoder, i int) {
			d.array(d.args[i], uint64(uint32(d.args[i+1])), 6, func(b []byte) {
				d.f("{sem_num=%d, sem_op=%d, sem_flg=", u16(b, 0), int16(u16(b, 2)))
				d.flags(semFlags, u16(b, 4), "SEM_???")
				d.str("}")
			})
		}},
	}
}

// The commands of shmctl(2), semctl(2) and msgctl(2) that have *_INFO and
// *_STAT in common do not share their numbers, but none clashes.
func ipcOut(cmd uint64) bool {
	switch uint32(cmd) {
	case linux.IPC_STAT, linux.IPC_INFO, linux.SHM_STAT, linux.SHM_INFO, linux.SEM_STAT, linux.SEM_INFO, linux.MSG_STAT, linux.MSG_INFO:
		return true
	}
	return false
}

func (d *decoder) msgbuf(addr, n uint64) {
	if b := d.mem(addr, 8); b != nil {
		d.f("{mtype=%d, mtext=", int64(u64(b, 0)))
		d.data(addr+8, n)
		d.str("}")
	}
}

// ipcPerm writes struct ipc_perm; all is false for what IPC_SET can change.
func (d *decoder) ipcPerm(b []byte, all bool) {
	d.f("uid=%d, gid=%d, mode=", u32(b, 4), u32(b, 8))
	d.octal(u32(b, 20))
	if all {
		d.f(", key=%d, cuid=%d, cgid=%d", u32(b, 0), u32(b, 12), u32(b, 16))
	}
	d.str("}")
}

// ipcObject writes the structure of an object: its permissions, and by rest
// what follows for the commands that read it.
func (d *decoder) ipcObject(a uint64, size int, kind string, cmd uint32, rest func(b []byte)) {
	b := d.mem(a, size)
	if b == nil {
		return
	}
	d.f("{%s_perm={", kind)
	d.ipcPerm(b, cmd != linux.IPC_SET)
	if cmd != linux.IPC_SET {
		rest(b)
	} else if kind == "msg" {
		d.f(", msg_qbytes=%d", u64(b, 88))
	}
	d.str("}")
}

func printShmctl(d *decoder, i int) {
	const ds, info, infoShm = 112, 72, 48
	a := d.args[i]
	switch cmd := uint32(d.args[1]); cmd {
	case linux.IPC_SET, linux.IPC_STAT, linux.SHM_STAT:
		d.ipcObject(a, ds, "shm", cmd, func(b []byte) {
			d.f(", shm_segsz=%d, shm_cpid=%d, shm_lpid=%d, shm_nattch=%d, shm_atime=%d, shm_dtime=%d, shm_ctime=%d",
				u64(b, 48), i32(b, 80), i32(b, 84), u64(b, 88), u64(b, 56), u64(b, 64), u64(b, 72))
		})
	case linux.IPC_INFO:
		if b := d.mem(a, info); b != nil {
			d.f("{shmmax=%d, shmmin=%d, shmmni=%d, shmseg=%d, shmall=%d}", u64(b, 0), u64(b, 8), u64(b, 16), u64(b, 24), u64(b, 32))
		}
	case linux.SHM_INFO:
		if b := d.mem(a, infoShm); b != nil {
			d.f("{used_ids=%d, shm_tot=%d, shm_rss=%d, shm_swp=%d, swap_attempts=%d, swap_successes=%d}",
				i32(b, 0), u64(b, 8), u64(b, 16), u64(b, 24), u64(b, 32), u64(b, 40))
		}
	default:
		d.ptr(a)
	}
}

func printSemctl(d *decoder, i int) {
	const ds, info = 104, 40
	a := d.args[i]
	switch cmd := uint32(d.args[2]); cmd {
	case linux.IPC_SET, linux.IPC_STAT, linux.SEM_STAT:
		d.ipcObject(a, ds, "sem", cmd, func(b []byte) {
			d.f(", sem_otime=%d, sem_ctime=%d, sem_nsems=%d", u64(b, 48), u64(b, 64), u64(b, 80))
		})
	case linux.IPC_INFO, linux.SEM_INFO:
		if b := d.mem(a, info); b != nil {
			d.f("{semmap=%d, semmni=%d, semmns=%d, semmnu=%d, semmsl=%d, semopm=%d, semume=%d, semusz=%d, semvmx=%d, semaem=%d}",
				i32(b, 0), i32(b, 4), i32(b, 8), i32(b, 12), i32(b, 16), i32(b, 20), i32(b, 24), i32(b, 28), i32(b, 32), i32(b, 36))
		}
	default:
		d.ptr(a)
	}
}

func printMsgctl(d *decoder, i int) {
	const ds, info = 120, 32
	a := d.args[i]
	switch cmd := uint32(d.args[1]); cmd {
	case linux.IPC_SET, linux.IPC_STAT, linux.MSG_STAT:
		d.ipcObject(a, ds, "msg", cmd, func(b []byte) {
			d.f(", msg_stime=%d, msg_rtime=%d, msg_ctime=%d, msg_qnum=%d, msg_qbytes=%d, msg_lspid=%d, msg_lrpid=%d",
				u64(b, 48), u64(b, 56), u64(b, 64), u64(b, 80), u64(b, 88), i32(b, 96), i32(b, 100))
		})
	case linux.IPC_INFO, linux.MSG_INFO:
		if b := d.mem(a, info); b != nil {
			d.f("{msgpool=%d, msgmap=%d, msgmax=%d, msgmnb=%d, msgmni=%d, msgssz=%d, msgtql=%d, msgseg=%d}",
				i32(b, 0), i32(b, 4), i32(b, 8), i32(b, 12), i32(b, 16), i32(b, 20), i32(b, 24), u16(b, 28))
		}
	default:
		d.ptr(a)
	}
}
