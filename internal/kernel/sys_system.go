package kernel

import (
	"github.com/tinevm/tine/internal/linux"
)

// What uname(2) reports: the release is that of a Linux whose behaviour the
// machine aims at, so that programs choose the interfaces it has.
const (
	sysName    = "Linux"
	sysRelease = "6.1.0-tine"
	sysVersion = "#1 SMP tine"
	sysMachine = "x86_64"
)

func sysUname(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	u := linux.Utsname{
		Sysname: sysName, Nodename: t.ns.uts.hostname, Release: sysRelease,
		Version: sysVersion, Machine: sysMachine, Domainname: t.ns.uts.domainname,
	}
	return 0, t.putStruct(a[0], &u, linux.SizeofUtsname)
}

// maxUTSName is the length of the longest name of a host.
const maxUTSName = 64

// utsName reads a name for sethostname and setdomainname.
func (t *Task) utsName(a *[6]uint64) (string, linux.Errno) {
	if !t.capableIn(t.ns.uts.owner, linux.CAP_SYS_ADMIN) {
		return "", linux.EPERM
	}
	if a[1] > maxUTSName {
		return "", linux.EINVAL
	}
	b := make([]byte, a[1])
	errno := t.copyIn(a[0], b)
	return string(b), errno
}

func sysSethostname(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	name, errno := t.utsName(a)
	if errno == 0 {
		t.ns.uts.hostname = name
	}
	return 0, errno
}

func sysSetdomainname(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	name, errno := t.utsName(a)
	if errno == 0 {
		t.ns.uts.domainname = name
	}
	return 0, errno
}

func sysSysinfo(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k := t.k
	s := linux.Sysinfo{
		Uptime: k.now() / 1e9, Totalram: uint64(k.totalMemory()), Freeram: uint64(k.freeMemory()),
		Sharedram: uint64(k.acct.Cached()), Procs: uint16(min(k.pids.tasks, 0xffff)), Unit: 1,
	}
	for i, v := range k.load.avg {
		const siLoadShift = 16
		s.Loads[i] = v << (siLoadShift - loadShift)
	}
	return 0, t.putStruct(a[0], &s, linux.SizeofSysinfo)
}

// totalMemory is the machine's memory: its limit, or a plausible amount if it
// has none.
func (k *Kernel) totalMemory() int64 {
	if n := k.acct.Limit(); n != 0 {
		return n
	}
	return 64 << 30
}

func (k *Kernel) freeMemory() int64 { return max(k.totalMemory()-k.acct.Used(), 0) }

func sysGetrandom(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const known = linux.GRND_NONBLOCK | linux.GRND_RANDOM | linux.GRND_INSECURE
	if a[2]&^known != 0 || a[2]&(linux.GRND_RANDOM|linux.GRND_INSECURE) == linux.GRND_RANDOM|linux.GRND_INSECURE {
		return 0, linux.EINVAL
	}
	n := min(a[1], 1<<31-1)
	for done := uint64(0); done < n; {
		b := t.k.bounceBuf(int(min(n-done, maxTransfer)))
		t.k.cfg.Entropy(b)
		put, errno := t.as.CopyOut(a[0]+done, b)
		done += uint64(put)
		if errno != 0 {
			if done > 0 {
				return done, 0
			}
			return 0, errno
		}
	}
	return n, 0
}

// sysSyslog is syslog(2): type, buffer, length. The kernel's ring buffer is empty.
func sysSyslog(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const readAll, sizeUnread, sizeBuffer = 3, 9, 10
	typ := int32(a[0])
	if typ < 0 || typ > sizeBuffer {
		return 0, linux.EINVAL
	}
	if typ != readAll && typ != sizeBuffer && !t.capable(linux.CAP_SYSLOG) {
		return 0, linux.EPERM
	}
	if typ == sizeBuffer {
		return 1 << 18, 0
	}
	const read, readClear = 2, 4
	if (typ == read || typ == readAll || typ == readClear) && (a[1] == 0 || int32(a[2]) < 0) {
		return 0, linux.EINVAL
	}
	return 0, 0
}

// sysReboot ends the machine on the commands that end one.
func sysReboot(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if !t.capableIn(t.pidNS().owner, linux.CAP_SYS_BOOT) {
		return 0, linux.EPERM
	}
	const magic1, magic2, magic2A, magic2B, magic2C = 0xfee1dead, 672274793, 85072278, 369367448, 537993216
	m2 := uint32(a[1])
	if uint32(a[0]) != magic1 || m2 != magic2 && m2 != magic2A && m2 != magic2B && m2 != magic2C {
		return 0, linux.EINVAL
	}
	switch uint32(a[2]) {
	case linux.LINUX_REBOOT_CMD_CAD_ON, linux.LINUX_REBOOT_CMD_CAD_OFF:
		return 0, 0
	case linux.LINUX_REBOOT_CMD_HALT, linux.LINUX_REBOOT_CMD_POWER_OFF, linux.LINUX_REBOOT_CMD_RESTART, linux.LINUX_REBOOT_CMD_RESTART2:
		if init := t.k.pids.init; init != nil {
			init.kill(linux.SIGKILL)
			init.exitCode = 0
		}
		return 0, 0
	}
	return 0, linux.EINVAL
}
