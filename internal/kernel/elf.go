package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// Where things are loaded, without randomization.
const (
	pieBase    = 0x5555_5555_4000 // a dynamic executable
	stackTop   = 0x7fff_ffff_f000
	interpBase = 0 // the dynamic linker goes where mmap puts it
)

// elfProg is a program header.
type elfProg struct {
	typ, flags                       uint32
	off, vaddr, filesz, memsz, align uint64
}

// elfFile is a checked ELF file.
type elfFile struct {
	file   *vfs.File
	typ    uint16
	entry  uint64
	phoff  uint64
	phnum  int
	progs  []elfProg
	interp *elfFile // the program interpreter, nil if static
}

func (b *elfFile) close() {
	if b.interp != nil {
		b.interp.file.Put()
	}
}

// image is a loaded program, ready to start.
type image struct {
	start  uint64 // where execution begins
	entry  uint64 // the program's own entry point
	phdr   uint64 // its program headers in memory
	phnum  int
	base   uint64 // load address of the interpreter
	sp     uint64
	noexec bool // the stack is not executable
}

const elfHeaderSize = 64

// openELF reads and checks the headers of a program and of its interpreter.
// ENOEXEC: not an executable for this machine.
func (t *Task) openELF(f *vfs.File) (*elfFile, linux.Errno) {
	b, errno := readELF(f)
	if errno != 0 {
		return nil, errno
	}
	for i := range b.progs {
		p := &b.progs[i]
		if p.typ != linux.PT_INTERP {
			continue
		}
		if p.filesz < 2 || p.filesz > linux.PATH_MAX {
			return nil, linux.ENOEXEC
		}
		name := make([]byte, p.filesz)
		if errno := readFull(f, name, p.off); errno != 0 || name[len(name)-1] != 0 {
			return nil, linux.ENOEXEC
		}
		lf, errno := t.openExec(string(name[:len(name)-1]))
		if errno != 0 {
			return nil, errno
		}
		if b.interp, errno = readELF(lf); errno != 0 {
			lf.Put()
			if errno == linux.ENOEXEC {
				errno = linux.ELIBBAD
			}
			return nil, errno
		}
		break
	}
	return b, 0
}

// readELF reads and checks the headers of one file.
func readELF(f *vfs.File) (*elfFile, linux.Errno) {
	var h [elfHeaderSize]byte
	if errno := readFull(f, h[:], 0); errno != 0 {
		return nil, errno
	}
	le := binary.LittleEndian
	b := &elfFile{
		file: f, typ: le.Uint16(h[16:]), entry: le.Uint64(h[24:]),
		phoff: le.Uint64(h[32:]), phnum: int(le.Uint16(h[56:])),
	}
	const class64, dataLSB = 2, 1
	switch {
	case string(h[:4]) != "\x7fELF", h[4] != class64, h[5] != dataLSB,
		le.Uint16(h[18:]) != linux.EM_X86_64,
		b.typ != linux.ET_EXEC && b.typ != linux.ET_DYN,
		le.Uint16(h[54:]) != 56, b.phnum == 0, b.phnum*56 > 64<<10:
		return nil, linux.ENOEXEC
	}
	ph := make([]byte, b.phnum*56)
	if errno := readFull(f, ph, b.phoff); errno != 0 {
		return nil, errno
	}
	b.progs = make([]elfProg, 0, b.phnum)
	for ; len(ph) > 0; ph = ph[56:] {
		p := elfProg{
			typ: le.Uint32(ph), flags: le.Uint32(ph[4:]), off: le.Uint64(ph[8:]), vaddr: le.Uint64(ph[16:]),
			filesz: le.Uint64(ph[32:]), memsz: le.Uint64(ph[40:]), align: le.Uint64(ph[48:]),
		}
		if p.typ == linux.PT_LOAD && !p.valid() {
			return nil, linux.ENOEXEC
		}
		b.progs = append(b.progs, p)
	}
	return b, 0
}

// valid reports whether a segment can be mapped at all.
func (p *elfProg) valid() bool {
	const top = mm.UserTop
	return p.filesz <= p.memsz && p.memsz <= top && p.vaddr <= top-p.memsz &&
		p.off <= 1<<62 && (p.vaddr-p.off)&(mm.PageSize-1) == 0
}

// readFull reads all of p; a short file is not an executable.
func readFull(f *vfs.File, p []byte, off uint64) linux.Errno {
	if off > 1<<62 {
		return linux.ENOEXEC
	}
	for done := 0; done < len(p); {
		n, errno := f.Ops.Read(f, p[done:], int64(off)+int64(done))
		if errno != 0 {
			return errno
		}
		if n == 0 {
			return linux.ENOEXEC
		}
		done += n
	}
	return 0
}

// span returns the first and last address of the loadable segments.
func (b *elfFile) span() (lo, hi uint64, ok bool) {
	lo = ^uint64(0)
	for i := range b.progs {
		if p := &b.progs[i]; p.typ == linux.PT_LOAD {
			lo = min(lo, p.vaddr&^(mm.PageSize-1))
			hi = max(hi, p.vaddr+p.memsz)
			ok = true
		}
	}
	return lo, hi, ok && hi > lo
}

// loadELF maps a program and its interpreter into as.
func (t *Task) loadELF(as *mm.AddressSpace, b *elfFile) (*image, linux.Errno) {
	lo, hi, ok := b.span()
	if !ok {
		return nil, linux.ENOEXEC
	}
	bias := uint64(0)
	if b.typ == linux.ET_DYN {
		bias = pieBase - lo
		if b.interp == nil {
			// A static PIE, or the dynamic linker run by hand.
			bias = as.MmapBase - (hi-lo+mm.PageSize-1)&^(mm.PageSize-1) - 64<<20 - lo
		}
		bias = (bias + b.maxAlign() - 1) &^ (b.maxAlign() - 1)
	}
	img := &image{entry: b.entry + bias, phnum: b.phnum, noexec: true}
	img.start = img.entry
	if errno := b.mapSegments(as, bias); errno != 0 {
		return nil, errno
	}
	b.layout(as, bias, img)
	as.BrkStart = (as.BrkStart + mm.PageSize - 1) &^ (mm.PageSize - 1)
	as.Brk = as.BrkStart
	if b.interp == nil {
		return img, 0
	}
	ilo, ihi, ok := b.interp.span()
	if !ok || b.interp.typ != linux.ET_DYN {
		return nil, linux.ELIBBAD
	}
	at, errno := as.Map(mm.MapRequest{Len: ihi - ilo}) // reserves the place
	if errno != 0 {
		return nil, errno
	}
	as.Unmap(at, ihi-ilo)
	img.base = at - ilo
	img.start = b.interp.entry + img.base
	return img, b.interp.mapSegments(as, img.base)
}

func (b *elfFile) maxAlign() uint64 {
	a := uint64(mm.PageSize)
	for i := range b.progs {
		if p := &b.progs[i]; p.typ == linux.PT_LOAD && p.align > a && p.align&(p.align-1) == 0 && p.align <= 1<<30 {
			a = p.align
		}
	}
	return a
}

// layout notes where code, data and program headers are.
func (b *elfFile) layout(as *mm.AddressSpace, bias uint64, img *image) {
	as.CodeStart = ^uint64(0)
	for i := range b.progs {
		p := &b.progs[i]
		switch p.typ {
		case linux.PT_LOAD:
			if p.flags&linux.PF_X != 0 {
				as.CodeStart = min(as.CodeStart, p.vaddr+bias)
				as.CodeEnd = max(as.CodeEnd, p.vaddr+p.filesz+bias)
			} else {
				as.DataStart = max(as.DataStart, p.vaddr+bias)
				as.DataEnd = max(as.DataEnd, p.vaddr+p.filesz+bias)
			}
			as.BrkStart = max(as.BrkStart, p.vaddr+p.memsz+bias)
			if p.off <= b.phoff && b.phoff < p.off+p.filesz {
				img.phdr = b.phoff - p.off + p.vaddr + bias
			}
		case linux.PT_GNU_STACK:
			img.noexec = p.flags&linux.PF_X == 0
		}
	}
}

// mapSegments maps the loadable segments, moved by bias.
func (b *elfFile) mapSegments(as *mm.AddressSpace, bias uint64) linux.Errno {
	cache, errno := b.file.Ops.Pages(b.file)
	if errno != 0 || cache == nil {
		return linux.ENOEXEC
	}
	obj := fileObject{b.file}
	for i := range b.progs {
		p := &b.progs[i]
		if p.typ != linux.PT_LOAD || p.memsz == 0 {
			continue
		}
		if errno := p.mapInto(as, obj, bias); errno != 0 {
			return errno
		}
	}
	return 0
}

// mapInto maps one segment: its file part, and zeroed memory for the rest.
func (p *elfProg) mapInto(as *mm.AddressSpace, obj fileObject, bias uint64) linux.Errno {
	const mask = mm.PageSize - 1
	var prot mm.Prot
	if p.flags&linux.PF_R != 0 {
		prot |= mm.ProtRead
	}
	if p.flags&linux.PF_W != 0 {
		prot |= mm.ProtWrite
	}
	if p.flags&linux.PF_X != 0 {
		prot |= mm.ProtExec
	}
	start := p.vaddr + bias
	if start > mm.UserTop-p.memsz || start < 1<<16 {
		return linux.ENOEXEC
	}
	fileEnd, end := start+p.filesz, start+p.memsz
	next := start &^ mask
	if p.filesz > 0 {
		n := (fileEnd - next + mask) &^ mask
		r := mm.MapRequest{Addr: next, Len: n, Prot: prot, Fixed: true, Obj: obj, Off: p.off &^ mask}
		if _, errno := as.Map(r); errno != 0 {
			return errno
		}
		as.Prefault(next, next+n)
		next += n
	}
	if end > next {
		r := mm.MapRequest{Addr: next, Len: end - next, Prot: prot, Fixed: true}
		if _, errno := as.Map(r); errno != 0 {
			return errno
		}
	}
	if p.memsz > p.filesz && fileEnd&mask != 0 && prot&mm.ProtWrite != 0 {
		// The rest of the last file page is bss. Its failing means that the
		// page lies beyond the end of the file.
		if as.Zero(fileEnd, mm.PageSize-fileEnd&mask) != 0 {
			return linux.ENOEXEC
		}
	}
	return 0
}

// buildStack lays out argc, argv, envp and the auxiliary vector as the ABI has
// them (System V ABI, AMD64 supplement, 3.4.1).
func (t *Task) buildStack(as *mm.AddressSpace, img *image, e *execArgs, cred *Cred) linux.Errno {
	const initial = 132 << 10
	prot := mm.ProtRead | mm.ProtWrite
	if !img.noexec {
		prot |= mm.ProtExec
	}
	_, errno := as.Map(mm.MapRequest{
		Addr: stackTop - initial, Len: initial, Prot: prot, Fixed: true, Flags: mm.MapGrowsDown, Name: "[stack]",
	})
	if errno != 0 {
		return errno
	}
	s := stackBuilder{as: as, sp: stackTop - 8, room: make([]byte, 0, 256)}
	as.StackTop = stackTop
	execfn := s.str(e.path)
	envEnd := s.sp
	envp := s.strs(e.envp)
	as.EnvStart, as.EnvEnd = s.sp, envEnd
	argv := s.strs(e.argv)
	as.ArgStart, as.ArgEnd = s.sp, as.EnvStart
	platform := s.str("x86_64")
	var random [16]byte
	t.k.cfg.Entropy(random[:])
	randomAt := s.bytes(random[:])
	aux := auxVector(img, cred, execfn, platform, randomAt)
	words := 1 + len(argv) + 1 + len(envp) + 1 + len(aux)
	s.sp = (s.sp-uint64(words)*8)&^15 + 0
	img.sp = s.sp
	as.StackBase = s.sp
	out := make([]byte, 0, words*8)
	put := func(v uint64) { out = binary.LittleEndian.AppendUint64(out, v) }
	put(uint64(len(argv)))
	for _, p := range argv {
		put(p)
	}
	put(0)
	for _, p := range envp {
		put(p)
	}
	put(0)
	auxAt := len(out)
	for _, v := range aux {
		put(v)
	}
	as.Auxv = out[auxAt:]
	if s.errno == 0 {
		_, s.errno = as.CopyOut(img.sp, out)
	}
	if s.errno != 0 {
		return linux.E2BIG
	}
	return 0
}

// auxVector tells the program what it cannot find out (getauxval(3)).
func auxVector(img *image, cred *Cred, execfn, platform, random uint64) []uint64 {
	secure := uint64(0)
	if cred.secureExec {
		secure = 1
	}
	const hwcap = 0x178bfbff &^ (1 << 28) // CPUID.1:EDX as the engines report it, at least
	return []uint64{
		linux.AT_HWCAP, hwcap,
		linux.AT_PAGESZ, mm.PageSize,
		linux.AT_CLKTCK, clockTicks,
		linux.AT_PHDR, img.phdr,
		linux.AT_PHENT, 56,
		linux.AT_PHNUM, uint64(img.phnum),
		linux.AT_BASE, img.base,
		linux.AT_FLAGS, 0,
		linux.AT_ENTRY, img.entry,
		linux.AT_UID, uint64(cred.user.uidOut(cred.UID)),
		linux.AT_EUID, uint64(cred.user.uidOut(cred.EUID)),
		linux.AT_GID, uint64(cred.user.gidOut(cred.GID)),
		linux.AT_EGID, uint64(cred.user.gidOut(cred.EGID)),
		linux.AT_SECURE, secure,
		linux.AT_RANDOM, random,
		linux.AT_HWCAP2, 1 << 1, // user code may use RDFSBASE and its kin
		linux.AT_EXECFN, execfn,
		linux.AT_PLATFORM, platform,
		linux.AT_MINSIGSTKSZ, frameSize + xstateFrameSize + 64 + redZone,
		linux.AT_NULL, 0,
	}
}

// stackBuilder pushes strings onto a new stack, downwards.
type stackBuilder struct {
	as    *mm.AddressSpace
	sp    uint64
	room  []byte // of str
	errno linux.Errno
}

func (s *stackBuilder) bytes(b []byte) uint64 {
	s.sp -= uint64(len(b))
	if s.errno == 0 {
		_, s.errno = s.as.CopyOut(s.sp, b)
	}
	return s.sp
}

func (s *stackBuilder) str(v string) uint64 {
	s.room = append(append(s.room[:0], v...), 0)
	return s.bytes(s.room)
}

// strs pushes a list so that its strings lie in order, and returns their
// addresses.
func (s *stackBuilder) strs(list []string) []uint64 {
	addrs := make([]uint64, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		addrs[i] = s.str(list[i])
	}
	return addrs
}

// fileObject makes an open file something that can be mapped.
type fileObject struct{ f *vfs.File }

// Cache implements mm.Object.
func (o fileObject) Cache() *mm.PageCache {
	c, _ := o.f.Ops.Pages(o.f)
	return c
}

// Hold implements mm.Object.
func (o fileObject) Hold() { o.f.Get() }

// Drop implements mm.Object.
func (o fileObject) Drop() { o.f.Put() }

// Describe implements mm.Object.
func (o fileObject) Describe() (path string, dev, ino uint64) {
	st, _ := o.f.Ops.Stat(o.f)
	return o.f.Path.String(), st.Dev, st.Ino
}
