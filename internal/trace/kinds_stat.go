package trace

import (
	"github.com/tinevm/tine/internal/linux"
)

// statKinds are the kinds of what files and file systems are like.
func statKinds() map[string]kind {
	return map[string]kind{
		"stat>":      later((*decoder).stat),
		"statx>":     later((*decoder).statx),
		"statxmask":  set(statxMask, "STATX_???"),
		"statxflags": now(printStatxFlags),
		"statfs>":    later((*decoder).statfs),
		"utimbuf": now(func(d *decoder, a uint64) {
			if b := d.mem(a, 16); b != nil {
				d.str("{actime=")
				d.int(int64(u64(b, 0)))
				d.date(int64(u64(b, 0)), 0, 0)
				d.str(", modtime=")
				d.int(int64(u64(b, 8)))
				d.date(int64(u64(b, 8)), 0, 0)
				d.str("}")
			}
		}),
		"timevals": now(func(d *decoder, a uint64) {
			d.array(a, 2, 16, func(b []byte) {
				d.timeval(b)
				d.date(int64(u64(b, 0)), int64(u64(b, 8)), 6)
			})
		}),
		"utimens": now(func(d *decoder, a uint64) {
			d.array(a, 2, 16, func(b []byte) {
				switch u64(b, 8) {
				case linux.UTIME_NOW:
					d.str("UTIME_NOW")
				case linux.UTIME_OMIT:
					d.str("UTIME_OMIT")
				default:
					d.timespec(b)
					d.date(int64(u64(b, 0)), int64(u64(b, 8)), 9)
				}
			})
		}),
	}
}

// fileTypes are the S_IFMT part of a mode.
var fileTypes = []symbol{
	{linux.S_IFREG, "S_IFREG"}, {linux.S_IFSOCK, "S_IFSOCK"}, {linux.S_IFIFO, "S_IFIFO"}, {linux.S_IFLNK, "S_IFLNK"},
	{linux.S_IFDIR, "S_IFDIR"}, {linux.S_IFBLK, "S_IFBLK"}, {linux.S_IFCHR, "S_IFCHR"},
}

// fileMode writes a type and permissions.
func (d *decoder) fileMode(mode uint64) {
	t := lookup(fileTypes, mode&linux.S_IFMT)
	if mode&linux.S_IFMT != 0 && t == "" {
		d.octal(mode)
		return
	}
	if t != "" {
		d.str(t + "|")
	}
	for _, s := range []symbol{{linux.S_ISUID, "S_ISUID|"}, {linux.S_ISGID, "S_ISGID|"}, {linux.S_ISVTX, "S_ISVTX|"}} {
		if mode&s.value != 0 {
			d.str(s.name)
		}
	}
	d.octal(mode & 0o777)
}

func (d *decoder) device(dev uint64) {
	d.f("makedev(%#x, %#x)", linux.Major(dev), linux.Minor(dev))
}

// stat writes the mode and the size, or the device a special file stands for.
func (d *decoder) stat(addr uint64) {
	b := d.mem(addr, linux.SizeofStat)
	if b == nil {
		return
	}
	mode := u32(b, 24)
	d.str("{st_mode=")
	d.fileMode(mode)
	if t := mode & linux.S_IFMT; t == linux.S_IFCHR || t == linux.S_IFBLK {
		d.str(", st_rdev=")
		d.device(u64(b, 40))
	} else {
		d.f(", st_size=%d", int64(u64(b, 48)))
	}
	d.str(", ...}")
}

func printStatxFlags(d *decoder, a uint64) {
	const sync = linux.AT_STATX_FORCE_SYNC | linux.AT_STATX_DONT_SYNC
	a = uint64(uint32(a))
	d.value(statxSync, a&sync, "AT_STATX_???")
	if a &^= sync; a != 0 {
		d.str("|")
		d.flags(statxFlags, a, "")
	}
}

func (d *decoder) statx(addr uint64) {
	b := d.mem(addr, linux.SizeofStatx)
	if b == nil {
		return
	}
	d.str("{stx_mask=")
	d.flags(statxMask, u32(b, 0), "STATX_???")
	d.str(", stx_attributes=")
	d.flags(statxAttr, u64(b, 8), "STATX_ATTR_???")
	d.str(", stx_mode=")
	d.fileMode(u16(b, 28))
	d.f(", stx_size=%d, ...}", u64(b, 40))
}

func (d *decoder) statfs(addr uint64) {
	b := d.mem(addr, linux.SizeofStatfs)
	if b == nil {
		return
	}
	d.str("{f_type=")
	d.value(fsMagic, u64(b, 0), "")
	d.f(", f_bsize=%d, f_blocks=%d, f_bfree=%d, f_bavail=%d, f_files=%d, f_ffree=%d, f_fsid={val=[",
		u64(b, 8), u64(b, 16), u64(b, 24), u64(b, 32), u64(b, 40), u64(b, 48))
	d.x(u32(b, 56))
	d.next()
	d.x(u32(b, 60))
	d.f("]}, f_namelen=%d, f_frsize=%d, f_flags=", u64(b, 64), u64(b, 72))
	d.flags(statfsFlags, u64(b, 80), "ST_???")
	d.str("}")
}
