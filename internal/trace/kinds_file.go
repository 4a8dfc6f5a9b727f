package trace

import (
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// openFlagString gives the flags of open(2): the access mode, then the others.
func openFlagString(v uint64) string {
	s := []string{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"}[v&3]
	if rest := v &^ 3; rest != 0 {
		s += "|" + flagString(openFlags, rest, "")
	}
	return s
}

// fileKinds are the kinds of calls on files and descriptors.
func fileKinds() map[string]kind {
	return map[string]kind{
		"dirfd": now(func(d *decoder, a uint64) {
			if int32(a) == linux.AT_FDCWD {
				d.str("AT_FDCWD")
				if d.paths {
					d.str("<" + d.task.Cwd() + ">")
				}
				return
			}
			d.fd(int32(a))
		}),
		"openflags": now(func(d *decoder, a uint64) { d.str(openFlagString(uint64(uint32(a)))) }),
		"openmode": {print: func(d *decoder, i int) {
			const tmpfile = linux.O_TMPFILE &^ linux.O_DIRECTORY
			if d.args[i-1]&(linux.O_CREAT|tmpfile) != 0 {
				d.octal(d.args[i] & 0xffff)
			}
		}},
		"openhow":         {print: printOpenHow},
		"whence":          one(whence, "SEEK_???"),
		"accmode":         now(accessModes),
		"faccessflags":    set(accessFlags, "AT_???"),
		"atflags":         set(atFlags, "AT_???"),
		"unlinkflags":     set(atFlags, "AT_???"),
		"iovec":           {print: func(d *decoder, i int) { d.iovec(d.args[i], d.args[i+1], -1, true) }},
		"riovec":          {print: func(d *decoder, i int) { d.iovec(d.args[i], d.args[i+1], -1, false) }},
		"iovec>":          {late: true, print: func(d *decoder, i int) { d.iovec(d.args[i], d.args[i+1], d.ret, !d.failed()) }},
		"rwflags":         set(rwFlags, "RWF_???"),
		"offptr":          now(func(d *decoder, a uint64) { d.indirect(a, 8, func(b []byte) { d.int(int64(u64(b, 0))) }) }),
		"offptr>":         {late: true, enter: keepOffset, print: printOffset},
		"spliceflags":     set(spliceFlags, "SPLICE_F_???"),
		"syncflags":       set(syncFlags, "SYNC_FILE_RANGE_???"),
		"fadvise":         one(fadvice, "POSIX_FADV_???"),
		"fallocmode":      set(fallocFlags, "FALLOC_FL_???"),
		"pipeflags":       set(pipeFlags, "O_???"),
		"dupflags":        now(func(d *decoder, a uint64) { d.flags(openFlags, uint64(uint32(a)), "O_???") }),
		"closerangeflags": set(closeRange, "CLOSE_RANGE_???"),
		"mfdflags":        set(mfdFlags, "MFD_???"),
		"flock":           set(flockOps, "LOCK_???"),
		"renameflags":     set(renameFlags, "RENAME_???"),
		"inotifyflags":    set(inotifyInit, "IN_???"),
		"inotifymask":     set(inotifyMask, "IN_???"),
		"umountflags":     set(umountFlags, "MNT_???"),
		"xattrval":        {print: func(d *decoder, i int) { d.data(d.args[i], d.args[i+1]) }},
		"xattrval>":       {late: true, print: printXattr},
		"xattrlist>":      {late: true, print: printXattr},
		"xattrflags":      set(xattrFlags, "XATTR_???"),
		"dirents>":        later(printDirents),
		"fcntl":           one(fcntlCmd, "F_???"),
		"fcntlarg":        {print: printFcntl, lateIf: fcntlLate, exit: fcntlNote},
		"ioctl":           now(printIoctl),
		"ioctlarg":        {print: printIoctlArg, lateIf: func(d *decoder) bool { return ioctlOut(uint32(d.args[1])) }},
		"mount":           {print: printMount},
		"mknodmode":       now(func(d *decoder, a uint64) { d.fileMode(uint64(uint32(a)) & 0xffff) }),
		"mknoddev": {print: func(d *decoder, i int) {
			if t := d.args[i-1] & linux.S_IFMT; t == linux.S_IFCHR || t == linux.S_IFBLK {
				d.device(d.args[i])
			}
		}},
		"offhigh": {print: func(*decoder, int) {}}, // nothing is left of an offset of 64 bits
		"dev":     now((*decoder).device),
	}
}

func accessModes(d *decoder, a uint64) {
	if uint32(a) == 0 {
		d.str("F_OK")
		return
	}
	d.flags(accessMode, uint64(uint32(a)), "?_OK")
}

func printOpenHow(d *decoder, i int) {
	size := d.args[i+1]
	if size < 24 {
		d.ptr(d.args[i])
		return
	}
	b := d.mem(d.args[i], 24)
	if b == nil {
		return
	}
	flags := u64(b, 0)
	d.str("{flags=" + openFlagString(flags))
	const tmpfile = linux.O_TMPFILE &^ linux.O_DIRECTORY
	if mode := u64(b, 8); mode != 0 || flags&(linux.O_CREAT|tmpfile) != 0 {
		d.str(", mode=")
		d.octal(mode)
	}
	d.str(", resolve=")
	d.flags(resolveFlags, u64(b, 16), "RESOLVE_???")
	d.str("}")
}

// iovec writes an array of struct iovec; upto >= 0 is how many bytes of their
// buffers are known, data whether they are shown at all.
func (d *decoder) iovec(addr, n uint64, upto int64, data bool) {
	show := d.data
	if !data {
		show = func(base, _ uint64) { d.ptr(base) }
	}
	d.iovecOf(addr, n, upto, show)
}

// iovecOf is iovec with another way to show a buffer.
func (d *decoder) iovecOf(addr, n uint64, upto int64, show func(addr, n uint64)) {
	if n > linux.UIO_MAXIOV {
		d.ptr(addr)
		return
	}
	left := upto
	d.array(addr, n, 16, func(b []byte) {
		base, size := u64(b, 0), u64(b, 8)
		d.str("{iov_base=")
		part := size
		if upto >= 0 {
			part = min(size, uint64(left))
			left -= int64(part)
		}
		show(base, part)
		d.f(", iov_len=%d}", size)
	})
}

// keepOffset keeps an offset that the call changes.
func keepOffset(d *decoder, i int) {
	if b := d.peek(d.args[i], 8); b != nil {
		d.saved = u64(b, 0)
	}
}

func printOffset(d *decoder, i int) {
	b := d.mem(d.args[i], 8)
	if b == nil {
		return
	}
	d.str("[")
	d.int(int64(d.saved))
	if v := u64(b, 0); v != d.saved && !d.failed() {
		d.str("] => [")
		d.int(int64(v))
	}
	d.str("]")
}

// printXattr writes a value or a list of names that the kernel stores; with
// size 0 it stores none.
func printXattr(d *decoder, i int) {
	if d.failed() || d.args[i+1] == 0 {
		d.ptr(d.args[i])
		return
	}
	d.data(d.args[i], uint64(d.ret))
}

// printDirents tells how many entries were read.
func printDirents(d *decoder, a uint64) {
	n := 0
	for off := uint64(0); off < uint64(d.ret); n++ {
		b := d.peek(a+off+16, 2)
		if b == nil || u16(b, 0) == 0 {
			break
		}
		off += u16(b, 0)
	}
	d.ptr(a)
	d.f(" /* %d entries */", n)
}

func fcntlLate(d *decoder) bool {
	switch int32(d.args[1]) {
	case linux.F_GETLK, linux.F_OFD_GETLK, linux.F_GETOWN_EX:
		return true
	}
	return false
}

// printFcntl writes the third argument of fcntl(2), which depends on the
// second.
func printFcntl(d *decoder, i int) {
	a := d.args[i]
	switch int32(d.args[1]) {
	case linux.F_GETFD, linux.F_GETFL, linux.F_GETOWN, linux.F_GETPIPE_SZ, linux.F_GETLEASE, linux.F_GET_SEALS, linux.F_GETSIG:
	case linux.F_SETFD:
		d.flags(fdFlags, a, "FD_???")
	case linux.F_SETFL:
		d.str(openFlagString(a))
	case linux.F_SETOWN, linux.F_DUPFD, linux.F_DUPFD_CLOEXEC, linux.F_SETPIPE_SZ:
		d.int(int64(int32(a)))
	case linux.F_SETLK, linux.F_SETLKW, linux.F_OFD_SETLK, linux.F_OFD_SETLKW:
		d.fileLock(a, false)
	case linux.F_GETLK, linux.F_OFD_GETLK:
		d.fileLock(a, true)
	case linux.F_SETOWN_EX, linux.F_GETOWN_EX:
		if b := d.mem(a, 8); b != nil {
			d.str("{type=")
			d.value(ownerType, u32(b, 0), "F_OWNER_???")
			d.f(", pid=%d}", i32(b, 4))
		}
	case linux.F_NOTIFY:
		d.flags(notifyFlags, a, "DN_???")
	case linux.F_SETLEASE:
		d.value(lockType, a, "F_???")
	case linux.F_ADD_SEALS:
		d.flags(seals, a, "F_SEAL_???")
	case linux.F_SETSIG:
		d.signal(a)
	default:
		d.x(a)
	}
}

func (d *decoder) fileLock(addr uint64, pid bool) {
	b := d.mem(addr, linux.SizeofFlock)
	if b == nil {
		return
	}
	d.str("{l_type=")
	d.value(lockType, u16(b, 0), "F_???")
	d.str(", l_whence=")
	d.value(whence, u16(b, 2), "SEEK_???")
	d.f(", l_start=%d, l_len=%d", int64(u64(b, 8)), int64(u64(b, 16)))
	if pid {
		d.f(", l_pid=%d", i32(b, 24))
	}
	d.str("}")
}

// fcntlNote explains a result that is a number of flags.
func fcntlNote(d *decoder) {
	if d.failed() {
		return
	}
	v := uint64(d.ret)
	switch int32(d.args[1]) {
	case linux.F_GETFD:
		d.hex = v != 0
		if v != 0 {
			d.note = "flags " + flagString(fdFlags, v, "FD_???")
		}
	case linux.F_GETFL:
		d.hex, d.note = true, "flags "+openFlagString(v)
	case linux.F_GET_SEALS:
		d.hex = true
		if v != 0 {
			d.note = "seals " + flagString(seals, v, "")
		}
	case linux.F_GETLEASE:
		d.hex, d.note = true, lookup(lockType, v)
	case linux.F_GETSIG:
		if v != 0 {
			d.note = linux.Signal(v).String()
		}
	}
}

// printMount writes the arguments of mount(2), some of which mean nothing with
// some flags.
func printMount(d *decoder, _ int) {
	flags, noType, noData := d.args[3], false, false
	const magic, magicMask = 0xc0ed0000, 0xffff0000
	const moves = linux.MS_BIND | linux.MS_MOVE | linux.MS_SHARED | linux.MS_PRIVATE | linux.MS_SLAVE | linux.MS_UNBINDABLE
	old := flags&magicMask == magic
	if old {
		flags &^= magicMask
	}
	if flags&linux.MS_REMOUNT != 0 {
		noType = true
	} else if flags&moves != 0 {
		noType, noData = true, true
	}
	str := func(a uint64, raw bool) {
		d.next()
		if raw {
			d.ptr(a)
		} else {
			d.cstr(a)
		}
	}
	d.path(d.args[0])
	d.next()
	d.path(d.args[1])
	str(d.args[2], noType)
	d.next()
	if old {
		d.str("MS_MGC_VAL")
		if flags != 0 {
			d.str("|")
		}
	}
	if flags != 0 || !old {
		d.flags(mountFlags, flags, "MS_???")
	}
	str(d.args[4], noData)
}

// printIoctl writes the request of ioctl(2); one without a name as the macro
// that would make it.
func printIoctl(d *decoder, a uint64) {
	req := uint64(uint32(a))
	if s := lookup(ioctls, req); s != "" {
		d.str(s)
		return
	}
	var dir []string
	for i, name := range []string{"_IOC_WRITE", "_IOC_READ"} {
		if req>>30>>i&1 != 0 {
			dir = append([]string{name}, dir...)
		}
	}
	if dir == nil {
		dir = []string{"_IOC_NONE"}
	}
	d.f("_IOC(%s, %#x, %#x, %#x)", strings.Join(dir, "|"), req>>8&0xff, req&0xff, req>>16&0x3fff)
}

// Requests whose numbers the headers make of the size of a long
// (ioctl_iflags(2)).
const fsGetFlags, fsSetFlags, ficlone = 0x80086601, 0x40086602, 0x40049409

// ioctlOut reports whether a request stores something.
func ioctlOut(req uint32) bool {
	switch req {
	case linux.TCGETS, linux.TIOCGWINSZ, linux.TIOCGPGRP, linux.TIOCGSID, linux.FIONREAD, linux.TIOCOUTQ, linux.TIOCGPTN,
		linux.TIOCGPKT, linux.TIOCGEXCL, linux.TIOCGDEV, linux.TIOCMGET, linux.TIOCGETD, fsGetFlags,
		linux.SIOCATMARK, linux.FIOGETOWN, linux.SIOCGPGRP:
		return true
	}
	return false
}

// printIoctlArg writes the argument of a request.
func printIoctlArg(d *decoder, i int) {
	a, req := d.args[i], uint32(d.args[1])
	if ioctlOut(req) && d.failed() {
		d.ptr(a)
		return
	}
	number := func(b []byte) { d.int(i32(b, 0)) }
	switch req {
	case linux.TCGETS, linux.TCSETS, linux.TCSETSW, linux.TCSETSF:
		d.termios(a)
	case linux.TIOCGWINSZ, linux.TIOCSWINSZ:
		if b := d.mem(a, linux.SizeofWinsize); b != nil {
			d.f("{ws_row=%d, ws_col=%d, ws_xpixel=%d, ws_ypixel=%d}", u16(b, 0), u16(b, 2), u16(b, 4), u16(b, 6))
		}
	case linux.TIOCGPGRP, linux.TIOCSPGRP, linux.TIOCGSID, linux.FIONREAD, linux.TIOCOUTQ, linux.TIOCGPTN, linux.TIOCSPTLCK,
		linux.TIOCPKT, linux.TIOCGPKT, linux.TIOCGEXCL, linux.FIONBIO, linux.FIOASYNC, linux.SIOCATMARK,
		linux.FIOSETOWN, linux.FIOGETOWN, linux.SIOCSPGRP, linux.SIOCGPGRP, linux.TIOCGETD, linux.TIOCSETD:
		d.indirect(a, 4, number)
	case linux.TIOCGDEV, linux.TIOCMGET, linux.TIOCMSET, linux.TIOCMBIS, linux.TIOCMBIC:
		d.indirect(a, 4, func(b []byte) { d.x(u32(b, 0)) })
	case fsGetFlags, fsSetFlags:
		d.indirect(a, 4, func(b []byte) { d.flags(inodeFlags, u32(b, 0), "FS_???_FL") })
	case linux.TIOCSTI:
		d.indirect(a, 1, func(b []byte) { d.quote(b, false) })
	case linux.TCFLSH:
		d.value(flushQueue, a, "TC?FLUSH")
	case linux.TCXONC:
		d.value(flowAction, a, "TC???")
	case linux.TCSBRK, linux.TCSBRKP, linux.TIOCSCTTY:
		d.int(int64(int32(a)))
	case ficlone:
		d.fd(int32(a))
	case linux.TIOCEXCL, linux.TIOCNXCL, linux.TIOCNOTTY, linux.TIOCVHANGUP, linux.FIOCLEX, linux.FIONCLEX, linux.TIOCSBRK,
		linux.TIOCCBRK, linux.TIOCCONS:
	default:
		d.x(a)
	}
}

// termios writes the terminal's modes (termios(3)).
func (d *decoder) termios(addr uint64) {
	b := d.mem(addr, linux.SizeofTermios)
	if b == nil {
		return
	}
	iflag, oflag, cflag, lflag := u32(b, 0), u32(b, 4), u32(b, 8), u32(b, 12)
	d.str("{c_iflag=")
	d.flags(termIflag, iflag, "")
	d.f(", c_oflag=NL%d|CR%d|TAB%d|BS%d|VT%d|FF%d|", oflag>>8&1, oflag>>9&3, oflag>>11&3, oflag>>13&1, oflag>>14&1, oflag>>15&1)
	d.flags(termOflag, oflag&^0xff00, "")
	const baud, size = 0o10017, 0o60
	d.str(", c_cflag=")
	d.value(termBaud, cflag&baud, "B???")
	d.f("|CS%d|", 5+cflag&size>>4)
	d.flags(termCflag, cflag&^(baud|size), "")
	d.str(", c_lflag=")
	d.flags(termLflag, lflag, "")
	d.str(", ...}")
}
