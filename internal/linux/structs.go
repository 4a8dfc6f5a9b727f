package linux

import "encoding/binary"

func u16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func put64(b []byte, v ...uint64) {
	for i, x := range v {
		binary.LittleEndian.PutUint64(b[8*i:], x)
	}
}

func put32(b []byte, v ...uint32) {
	for i, x := range v {
		binary.LittleEndian.PutUint32(b[4*i:], x)
	}
}

// Limits without a macro in the C library's headers.
const (
	// MAX_RW_COUNT is the most one read or write transfers.
	MAX_RW_COUNT = 0x7fff_f000
)

// Timespec is struct timespec.
type Timespec struct{ Sec, Nsec int64 }

// SizeofTimespec is its size.
const SizeofTimespec = 16

// Encode writes the structure.
func (t *Timespec) Encode(b []byte) { put64(b, uint64(t.Sec), uint64(t.Nsec)) }

// Decode reads the structure.
func (t *Timespec) Decode(b []byte) { t.Sec, t.Nsec = int64(u64(b)), int64(u64(b[8:])) }

// Timeval is struct timeval.
type Timeval struct{ Sec, Usec int64 }

// SizeofTimeval is its size.
const SizeofTimeval = 16

// Encode writes the structure.
func (t *Timeval) Encode(b []byte) { put64(b, uint64(t.Sec), uint64(t.Usec)) }

// Decode reads the structure.
func (t *Timeval) Decode(b []byte) { t.Sec, t.Usec = int64(u64(b)), int64(u64(b[8:])) }

// Itimerspec is struct itimerspec.
type Itimerspec struct{ Interval, Value Timespec }

// SizeofItimerspec is its size.
const SizeofItimerspec = 32

// Encode writes the structure.
func (t *Itimerspec) Encode(b []byte) {
	t.Interval.Encode(b)
	t.Value.Encode(b[16:])
}

// Decode reads the structure.
func (t *Itimerspec) Decode(b []byte) {
	t.Interval.Decode(b)
	t.Value.Decode(b[16:])
}

// Itimerval is struct itimerval.
type Itimerval struct{ Interval, Value Timeval }

// SizeofItimerval is its size.
const SizeofItimerval = 32

// Encode writes the structure.
func (t *Itimerval) Encode(b []byte) {
	t.Interval.Encode(b)
	t.Value.Encode(b[16:])
}

// Decode reads the structure.
func (t *Itimerval) Decode(b []byte) {
	t.Interval.Decode(b)
	t.Value.Decode(b[16:])
}

// Rlimit is struct rlimit64.
type Rlimit struct{ Cur, Max uint64 }

// SizeofRlimit is its size.
const SizeofRlimit = 16

// Encode writes the structure.
func (r *Rlimit) Encode(b []byte) { put64(b, r.Cur, r.Max) }

// Decode reads the structure.
func (r *Rlimit) Decode(b []byte) { r.Cur, r.Max = u64(b), u64(b[8:]) }

// Rusage is struct rusage; the fields that Linux does not maintain are left
// out and read zero.
type Rusage struct {
	Utime, Stime                                            Timeval
	Maxrss, Minflt, Majflt, Inblock, Oublock, Nvcsw, Nivcsw int64
}

// SizeofRusage is its size.
const SizeofRusage = 144

// Encode writes the structure.
func (r *Rusage) Encode(b []byte) {
	clear(b[:SizeofRusage])
	r.Utime.Encode(b)
	r.Stime.Encode(b[16:])
	put64(b[32:], uint64(r.Maxrss), 0, 0, 0, uint64(r.Minflt), uint64(r.Majflt), 0, uint64(r.Inblock), uint64(r.Oublock),
		0, 0, 0, uint64(r.Nvcsw), uint64(r.Nivcsw))
}

// Iovec is struct iovec.
type Iovec struct{ Base, Len uint64 }

// Decode reads the structure.
func (v *Iovec) Decode(b []byte) { v.Base, v.Len = u64(b), u64(b[8:]) }

// CloneArgs is struct clone_args of clone3(2).
type CloneArgs struct {
	Flags, Pidfd, ChildTID, ParentTID, ExitSignal, Stack, StackSize, TLS, SetTID, SetTIDSize, Cgroup uint64
}

// Decode reads the structure from at least 88 bytes.
func (c *CloneArgs) Decode(b []byte) {
	for i, p := range []*uint64{&c.Flags, &c.Pidfd, &c.ChildTID, &c.ParentTID, &c.ExitSignal, &c.Stack,
		&c.StackSize, &c.TLS, &c.SetTID, &c.SetTIDSize, &c.Cgroup} {
		*p = u64(b[8*i:])
	}
}

// Stat is struct stat.
type Stat struct {
	Dev, Ino, Nlink       uint64
	Mode, Uid, Gid        uint32
	Rdev                  uint64
	Size, Blksize, Blocks int64
	Atim, Mtim, Ctim      Timespec
	Btim                  Timespec // birth time: statx only
}

// SizeofStat is its size.
const SizeofStat = 144

// Encode writes the structure.
func (s *Stat) Encode(b []byte) {
	clear(b[:SizeofStat])
	put64(b, s.Dev, s.Ino, s.Nlink)
	put32(b[24:], s.Mode, s.Uid, s.Gid)
	put64(b[40:], s.Rdev, uint64(s.Size), uint64(s.Blksize), uint64(s.Blocks))
	s.Atim.Encode(b[72:])
	s.Mtim.Encode(b[88:])
	s.Ctim.Encode(b[104:])
}

// SizeofStatx is the size of struct statx.
const SizeofStatx = 256

// Statx adds to Stat what statx(2) alone reports.
type Statx struct {
	Stat
	Mask           uint32
	Attributes     uint64
	AttributesMask uint64
	MountID        uint64
}

// Encode writes the structure.
func (s *Statx) Encode(b []byte) {
	clear(b[:SizeofStatx])
	put32(b, s.Mask, uint32(s.Blksize))
	put64(b[8:], s.Attributes)
	put32(b[16:], uint32(s.Nlink), s.Uid, s.Gid)
	binary.LittleEndian.PutUint16(b[28:], uint16(s.Mode))
	put64(b[32:], s.Ino, uint64(s.Size), uint64(s.Blocks), s.AttributesMask)
	for i, t := range []Timespec{s.Atim, s.Btim, s.Ctim, s.Mtim} {
		put64(b[64+16*i:], uint64(t.Sec))
		put32(b[72+16*i:], uint32(t.Nsec))
	}
	put32(b[128:], Major(s.Rdev), Minor(s.Rdev), Major(s.Dev), Minor(s.Dev))
	put64(b[144:], s.MountID)
}

// Major and Minor split a device number as the C library does.
func Major(dev uint64) uint32 { return uint32(dev>>8&0xfff | dev>>32&^0xfff) }

// Minor is the other half of a device number.
func Minor(dev uint64) uint32 { return uint32(dev&0xff | dev>>12&^0xff) }

// Mkdev makes a device number.
func Mkdev(major, minor uint32) uint64 {
	return uint64(minor&0xff) | uint64(major&0xfff)<<8 | uint64(minor&^0xff)<<12 | uint64(major&^0xfff)<<32
}

// Statfs is struct statfs.
type Statfs struct {
	Type, Bsize                         int64
	Blocks, Bfree, Bavail, Files, Ffree uint64
	Fsid                                uint64
	Namelen, Frsize, Flags              int64
}

// SizeofStatfs is its size.
const SizeofStatfs = 120

// Encode writes the structure.
func (s *Statfs) Encode(b []byte) {
	clear(b[:SizeofStatfs])
	put64(b, uint64(s.Type), uint64(s.Bsize), s.Blocks, s.Bfree, s.Bavail, s.Files, s.Ffree, s.Fsid,
		uint64(s.Namelen), uint64(s.Frsize), uint64(s.Flags))
}

// AppendDirent appends a struct linux_dirent64 to b if it stays within limit
// bytes.
func AppendDirent(b []byte, limit int, ino uint64, off int64, typ uint8, name string) ([]byte, bool) {
	b, rec, ok := appendEntry(b, limit, ino, off, name)
	if ok {
		rec[18] = typ
		copy(rec[19:], name)
	}
	return b, ok
}

// AppendOldDirent does the same with a struct linux_dirent, which has the type
// behind the name.
func AppendOldDirent(b []byte, limit int, ino uint64, off int64, typ uint8, name string) ([]byte, bool) {
	b, rec, ok := appendEntry(b, limit, ino, off, name)
	if ok {
		copy(rec[18:], name)
		rec[len(rec)-1] = typ
	}
	return b, ok
}

// appendEntry appends what both structures have in common, and returns the
// entry for the rest: 18 bytes, then the name with its NUL and the type in
// either order, to a multiple of 8.
func appendEntry(b []byte, limit int, ino uint64, off int64, name string) (all, rec []byte, ok bool) {
	n := (18 + len(name) + 2 + 7) &^ 7
	if len(b)+n > limit {
		return b, nil, false
	}
	at := len(b)
	b = append(b, make([]byte, n)...)
	rec = b[at:]
	put64(rec, ino, uint64(off))
	binary.LittleEndian.PutUint16(rec[16:], uint16(n))
	return b, rec, true
}

// Utsname is struct utsname.
type Utsname struct{ Sysname, Nodename, Release, Version, Machine, Domainname string }

// SizeofUtsname is its size.
const SizeofUtsname = 6 * 65

// Encode writes the structure.
func (u *Utsname) Encode(b []byte) {
	clear(b[:SizeofUtsname])
	for i, s := range []string{u.Sysname, u.Nodename, u.Release, u.Version, u.Machine, u.Domainname} {
		copy(b[65*i:65*i+64], s)
	}
}

// Sysinfo is struct sysinfo.
type Sysinfo struct {
	Uptime                                                       int64
	Loads                                                        [3]uint64
	Totalram, Freeram, Sharedram, Bufferram, Totalswap, Freeswap uint64
	Procs                                                        uint16
	Unit                                                         uint32
}

// SizeofSysinfo is its size.
const SizeofSysinfo = 112

// Encode writes the structure.
func (s *Sysinfo) Encode(b []byte) {
	clear(b[:SizeofSysinfo])
	put64(b, uint64(s.Uptime), s.Loads[0], s.Loads[1], s.Loads[2], s.Totalram, s.Freeram, s.Sharedram, s.Bufferram, s.Totalswap, s.Freeswap)
	binary.LittleEndian.PutUint16(b[80:], s.Procs)
	put32(b[104:], s.Unit)
}

// Tms is struct tms of times(2).
type Tms struct{ Utime, Stime, Cutime, Cstime int64 }

// SizeofTms is its size.
const SizeofTms = 32

// Encode writes the structure.
func (t *Tms) Encode(b []byte) {
	put64(b, uint64(t.Utime), uint64(t.Stime), uint64(t.Cutime), uint64(t.Cstime))
}

// Flock is struct flock of fcntl(2).
type Flock struct {
	Type, Whence int16
	Start, Len   int64
	PID          int32
}

// SizeofFlock is its size.
const SizeofFlock = 32

// Encode writes the structure.
func (f *Flock) Encode(b []byte) {
	clear(b[:SizeofFlock])
	binary.LittleEndian.PutUint16(b, uint16(f.Type))
	binary.LittleEndian.PutUint16(b[2:], uint16(f.Whence))
	put64(b[8:], uint64(f.Start), uint64(f.Len))
	put32(b[24:], uint32(f.PID))
}

// Decode reads the structure.
func (f *Flock) Decode(b []byte) {
	f.Type, f.Whence = int16(u16(b)), int16(u16(b[2:]))
	f.Start, f.Len, f.PID = int64(u64(b[8:])), int64(u64(b[16:])), int32(u32(b[24:]))
}

// Pollfd is struct pollfd.
type Pollfd struct {
	FD              int32
	Events, Revents int16
}

// SizeofPollfd is its size.
const SizeofPollfd = 8

// Decode reads the structure.
func (p *Pollfd) Decode(b []byte) {
	p.FD, p.Events, p.Revents = int32(u32(b)), int16(u16(b[4:])), int16(u16(b[6:]))
}

// EpollEvent is struct epoll_event, which is packed on x86-64.
type EpollEvent struct {
	Events uint32
	Data   uint64
}

// SizeofEpollEvent is its size.
const SizeofEpollEvent = 12

// Encode writes the structure.
func (e *EpollEvent) Encode(b []byte) {
	put32(b, e.Events)
	put64(b[4:], e.Data)
}

// Decode reads the structure.
func (e *EpollEvent) Decode(b []byte) { e.Events, e.Data = u32(b), u64(b[4:]) }

// Winsize is struct winsize.
type Winsize struct{ Row, Col, Xpixel, Ypixel uint16 }

// SizeofWinsize is its size.
const SizeofWinsize = 8

// Encode writes the structure.
func (w *Winsize) Encode(b []byte) {
	for i, v := range []uint16{w.Row, w.Col, w.Xpixel, w.Ypixel} {
		binary.LittleEndian.PutUint16(b[2*i:], v)
	}
}

// Decode reads the structure.
func (w *Winsize) Decode(b []byte) {
	w.Row, w.Col, w.Xpixel, w.Ypixel = u16(b), u16(b[2:]), u16(b[4:]), u16(b[6:])
}

// Termios is the kernel's struct termios (TCGETS).
type Termios struct {
	Iflag, Oflag, Cflag, Lflag uint32
	Line                       uint8
	CC                         [19]uint8
}

// SizeofTermios is its size.
const SizeofTermios = 36

// Encode writes the structure.
func (t *Termios) Encode(b []byte) {
	put32(b, t.Iflag, t.Oflag, t.Cflag, t.Lflag)
	b[16] = t.Line
	copy(b[17:36], t.CC[:])
}

// Decode reads the structure.
func (t *Termios) Decode(b []byte) {
	t.Iflag, t.Oflag, t.Cflag, t.Lflag, t.Line = u32(b), u32(b[4:]), u32(b[8:]), u32(b[12:]), b[16]
	copy(t.CC[:], b[17:36])
}
