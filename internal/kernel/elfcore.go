package kernel

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// A core file is an ELF file (elf(5)) of type ET_CORE: headers, notes that
// describe the process and its threads, and one segment for each mapping, of
// which only some have contents in the file.

// coreImage is what is written and how far the writing has come.
type coreImage struct {
	tail []byte // what follows the segments
	segs []coreSegment

	seg  int    // the segment that is being written
	at   uint64 // its next page
	off  int64  // the next byte of the file, holes included
	hole int64  // bytes up to off that are not written, only skipped
	buf  []byte // contents that go to the file at off
	room []byte // memory for buf
}

// coreSegment is a mapping in a core file. The first size bytes of it are in
// the file.
type coreSegment struct {
	mm.VMA
	size uint64
}

// The bits of /proc/PID/coredump_filter (core(5)).
const (
	coreAnonPrivate = 1 << iota
	coreAnonShared
	coreMappedPrivate
	coreMappedShared
	coreELFHeaders
	coreHugePrivate
	coreHugeShared
	coreDAXPrivate
	coreDAXShared

	coreFilterMask    = 1<<9 - 1
	coreFilterDefault = coreAnonPrivate | coreAnonShared | coreELFHeaders | coreHugePrivate
)

const (
	coreStep     = 256 // pages that are looked at before others get a turn
	coreFlush    = 64 << 10
	progSize     = 56 // sizeof(Elf64_Phdr)
	sectionSize  = 64 // sizeof(Elf64_Shdr)
	maxFileNote  = 4 << 20
	ptLoad       = linux.PT_LOAD
	ptNote       = linux.PT_NOTE
	manyPrograms = 0xffff // PN_XNUM: the count is in the first section header
)

// imageCore plans the file.
func (t *Task) imageCore(c *coreDump) {
	t.as.VMAs(func(v mm.VMA) bool {
		c.segs = append(c.segs, coreSegment{v, t.coreSize(&v)})
		return true
	})
	notes := t.coreNotes(c)
	progs := len(c.segs) + 1
	notesAt := uint64(elfHeaderSize + progs*progSize)
	data := (notesAt + uint64(len(notes)) + mm.PageSize - 1) &^ (mm.PageSize - 1)
	le := binary.LittleEndian
	prog := func(b []byte, typ, flags uint32, off, vaddr, filesz, memsz, align uint64) []byte {
		b = le.AppendUint32(b, typ)
		b = le.AppendUint32(b, flags)
		for _, v := range []uint64{off, vaddr, 0, filesz, memsz, align} {
			b = le.AppendUint64(b, v)
		}
		return b
	}
	b := make([]byte, elfHeaderSize, data)
	b = prog(b, ptNote, 0, notesAt, 0, uint64(len(notes)), 0, 4)
	end := data
	for i := range c.segs {
		s := &c.segs[i]
		b = prog(b, ptLoad, elfFlags(s.Prot), end, s.Start, s.size, s.Len(), mm.PageSize)
		end += s.size
	}
	coreHeader(b, progs, end)
	b = append(b, notes...)
	c.buf = append(b, make([]byte, int(data)-len(b))...)
	if progs >= manyPrograms {
		c.tail = make([]byte, sectionSize)
		le.PutUint64(c.tail[32:], 1)             // sh_size: section headers
		le.PutUint32(c.tail[44:], uint32(progs)) // sh_info
	}
	c.room = make([]byte, 0, coreFlush+mm.PageSize)
	if len(c.segs) > 0 {
		c.at = c.segs[0].Start
	}
}

// coreHeader fills in the ELF header of a file of so many program headers, whose
// segments end at end.
func coreHeader(b []byte, progs int, end uint64) {
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], linux.ET_CORE)
	le.PutUint16(b[18:], linux.EM_X86_64)
	le.PutUint32(b[20:], 1) // e_version
	le.PutUint64(b[32:], elfHeaderSize)
	le.PutUint16(b[52:], elfHeaderSize)
	le.PutUint16(b[54:], progSize)
	le.PutUint16(b[56:], uint16(min(progs, manyPrograms)))
	if progs >= manyPrograms {
		le.PutUint64(b[40:], end) // e_shoff
		le.PutUint16(b[58:], sectionSize)
		le.PutUint16(b[60:], 1) // e_shnum
	}
}

// elfFlags are the flags of a segment: execute, write, read.
func elfFlags(p mm.Prot) (f uint32) {
	for i, bit := range []mm.Prot{mm.ProtExec, mm.ProtWrite, mm.ProtRead} {
		if p&bit != 0 {
			f |= 1 << i
		}
	}
	return f
}

// coreSize is how much of a mapping is dumped (vma_dump_size, in Linux's words):
// all of it, nothing, or the first page of a program so that it can be told which
// it was.
func (t *Task) coreSize(v *mm.VMA) uint64 {
	filter := func(bit uint32) bool { return t.group.coreFilter&bit != 0 }
	switch {
	case v.Flags&mm.MapDontDump != 0:
		return 0
	case v.Flags&mm.MapShared != 0:
		bit := uint32(coreMappedShared)
		if objectLinks(v.Obj) == 0 {
			bit = coreAnonShared
		}
		if filter(bit) {
			return v.Len()
		}
		return 0
	case filter(coreAnonPrivate) && t.as.Written(v.Start, v.End), v.Obj != nil && filter(coreMappedPrivate):
		return v.Len()
	case v.Obj != nil && filter(coreELFHeaders) && v.Off == 0 && isProgram(v.Obj):
		return mm.PageSize
	}
	return 0
}

// objectLinks is the number of names of what is mapped; memory has none.
func objectLinks(o mm.Object) uint64 {
	f, ok := o.(fileObject)
	if !ok {
		return 0
	}
	st, errno := vfs.Fstat(f.f)
	if errno != 0 {
		return 0
	}
	return st.Nlink
}

// isProgram reports whether a mapped file can be executed or looks as if.
func isProgram(o mm.Object) bool {
	f, ok := o.(fileObject)
	if !ok {
		return false
	}
	if st, errno := vfs.Fstat(f.f); errno == 0 && st.Mode&0o111 != 0 {
		return true
	}
	var magic [4]byte
	return readFull(f.f, magic[:], 0) == 0 && string(magic[:]) == "\x7fELF"
}

// writeCore writes a piece. It returns 0 if there is more, EAGAIN if the file
// does not take any more now, and another errno if that was all.
func (t *Task) writeCore(c *coreDump) linux.Errno {
	if len(c.buf) > 0 {
		return c.flush(t)
	}
	for range coreStep {
		if c.seg == len(c.segs) {
			return t.endCore(c)
		}
		s := &c.segs[c.seg]
		if c.at >= s.Start+s.size {
			if c.seg++; c.seg < len(c.segs) {
				c.at = c.segs[c.seg].Start
			}
			continue
		}
		page, at := t.corePage(s, c.at)
		if at > c.at || page == nil {
			if len(c.buf) > 0 {
				break // what is before the hole goes first
			}
			c.skip(int64(at - c.at))
			c.at = at
		}
		if page != nil {
			c.buf = append(c.buf, page...)
			c.at += mm.PageSize
		}
		if len(c.buf) >= coreFlush {
			break
		}
	}
	if len(c.buf) == 0 {
		return 0
	}
	return c.flush(t)
}

// zeroes is what a hole reads as.
var zeroes [coreFlush]byte

// corePage finds the next page of a segment that is not all zero: its contents,
// if it is at from itself, or where to look next.
func (t *Task) corePage(s *coreSegment, from uint64) (page []byte, at uint64) {
	end := s.Start + s.size
	at, page, ok := t.as.Resident(from, end)
	switch {
	case ok && at == from:
	case s.Obj == nil && ok:
		return nil, at
	case s.Obj == nil:
		return nil, end
	default:
		if page, ok = cachedPage(s, from); !ok {
			return nil, end
		}
	}
	if bytes.Equal(page, zeroes[:mm.PageSize]) {
		return nil, from + mm.PageSize
	}
	return page, from
}

// cachedPage reads a page of a mapped file that is not in the page table; ok is
// false behind the end of the file.
func cachedPage(s *coreSegment, va uint64) (page []byte, ok bool) {
	cache, off := s.Obj.Cache(), int64(s.Off+va-s.Start)
	n := min(cache.Size()-off, mm.PageSize)
	if n <= 0 {
		return nil, false
	}
	page = make([]byte, mm.PageSize)
	cache.ReadAt(page[:n], off) // what cannot be read is zero
	return page, true
}

// skip leaves n bytes of zero.
func (c *coreDump) skip(n int64) {
	c.hole += n
	c.off += n
}

// flush writes the hole, if the file has none, and then the buffer, or as much
// of both as the file takes at once.
func (c *coreDump) flush(t *Task) linux.Errno {
	if !c.file.Ops.Seekable() && c.hole > 0 {
		n, errno := c.put(t, zeroes[:min(c.hole, coreFlush)], 0)
		c.hole -= int64(n)
		return errno
	}
	c.hole = 0
	n, errno := c.put(t, c.buf[:min(len(c.buf), coreFlush)], c.off)
	c.off += int64(n)
	if c.buf = c.buf[n:]; len(c.buf) == 0 {
		c.buf = c.room
	}
	return errno
}

// put writes to the file, unless that would exceed a limit.
func (c *coreDump) put(t *Task, p []byte, off int64) (int, linux.Errno) {
	if uint64(len(p)) > c.limit-c.written {
		p = p[:(c.limit-c.written)&^(mm.PageSize-1)] // whole pages are written or not at all
	}
	if c.file.Ops.Seekable() {
		room, errno := t.fileRoom(off, uint64(len(p)))
		if errno != 0 {
			return 0, errno
		}
		p = p[:room]
	}
	if len(p) == 0 {
		return 0, linux.EFBIG
	}
	n, errno := c.file.Ops.Write(c.file, p, off)
	c.written += uint64(n)
	return n, errno
}

// endCore writes what follows the segments: the section header, or the last
// byte of a hole, so that the file has its full size.
func (t *Task) endCore(c *coreDump) linux.Errno {
	switch {
	case len(c.buf) > 0:
		return c.flush(t)
	case len(c.tail) > 0:
		c.buf, c.tail = c.tail, nil
		return c.flush(t)
	case c.hole > 0 && !c.file.Ops.Seekable():
		return c.flush(t)
	case c.hole > 0:
		c.hole, c.off = 0, c.off-1
		c.buf = []byte{0}
		return c.flush(t)
	}
	return linux.ENODATA
}

// coreNotes are the notes, in Linux's order: the dumper's status, what the
// process is, its signal, its auxiliary vector and files, the dumper's other
// registers, and the status and registers of each other thread.
func (t *Task) coreNotes(c *coreDump) []byte {
	var n noteList
	n.add("CORE", linux.NT_PRSTATUS, t.prstatus(c))
	n.add("CORE", linux.NT_PRPSINFO, t.prpsinfo())
	info := make([]byte, linux.SizeofSiginfo)
	c.info.Encode(info)
	n.add("CORE", linux.NT_SIGINFO, info)
	n.add("CORE", linux.NT_AUXV, t.as.Auxv)
	if files := fileNote(c.segs); files != nil {
		n.add("CORE", linux.NT_FILE, files)
	}
	t.registerNotes(&n)
	for _, u := range t.group.threads {
		if u.inCore {
			n.add("CORE", linux.NT_PRSTATUS, u.prstatus(c))
			u.registerNotes(&n)
		}
	}
	return n.b
}

// registerNotes are a thread's registers beyond the general ones.
func (t *Task) registerNotes(n *noteList) {
	var fx [fxsaveSize]byte
	t.Regs.FXSave(&fx)
	n.add("CORE", linux.NT_PRFPREG, fx[:])
	n.add("LINUX", linux.NT_X86_XSTATE, t.xstateRegset())
}

// noteList is a sequence of ELF notes.
type noteList struct{ b []byte }

// add appends a note: name and contents are padded to four bytes.
func (n *noteList) add(name string, typ uint32, desc []byte) {
	le := binary.LittleEndian
	n.b = le.AppendUint32(n.b, uint32(len(name)+1))
	n.b = le.AppendUint32(n.b, uint32(len(desc)))
	n.b = le.AppendUint32(n.b, typ)
	n.b = n.pad(append(append(n.b, name...), 0))
	n.b = n.pad(append(n.b, desc...))
}

func (*noteList) pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// prstatus is struct elf_prstatus of a thread.
func (t *Task) prstatus(c *coreDump) []byte {
	g := t.group
	b := make([]byte, 336)
	le := binary.LittleEndian
	le.PutUint32(b, uint32(c.info.Signo))      // pr_info.si_signo
	le.PutUint16(b[12:], uint16(c.info.Signo)) // pr_cursig
	le.PutUint64(b[16:], uint64(t.pending.set))
	le.PutUint64(b[24:], uint64(t.sigmask))
	t.encodeIDs(b[32:])
	use := t.usage
	if t.isLeader() {
		use = g.ownUsage()
	}
	for i, ns := range []int64{use.user, use.system, g.childUse.user, g.childUse.system} {
		le.PutUint64(b[48+16*i:], uint64(ns/1e9))
		le.PutUint64(b[56+16*i:], uint64(ns%1e9/1e3))
	}
	regs := t.userRegs()
	if t.sc.active { // the end of the process has interrupted the call
		le.PutUint64(regs[8*userRAX:], errnoResult(cmp.Or(t.sc.intr, linux.ERESTARTSYS)))
	}
	copy(b[112:], regs)
	le.PutUint32(b[328:], 1) // pr_fpvalid
	return b
}

// encodeIDs encodes pid, ppid, pgrp and sid, as the thread itself sees them.
func (t *Task) encodeIDs(b []byte) {
	g, ns := t.group, t.pidNS()
	ids := []int{t.nr(), 0, 0, 0}
	if g.parent != nil {
		ids[1] = g.parent.leader.id.in(ns)
	}
	if g.pgrp != nil {
		ids[2], ids[3] = g.pgrp.pid.in(ns), g.session.pid.in(ns)
	}
	for i, id := range ids {
		binary.LittleEndian.PutUint32(b[4*i:], uint32(id))
	}
}

// prpsinfo is struct elf_prpsinfo, of the leader of the process.
func (t *Task) prpsinfo() []byte {
	const argsSize = 80
	l := t.group.leader
	b := make([]byte, 136)
	le := binary.LittleEndian
	b[1] = '.' // a state without a letter: the leader rests while another writes
	if l == t {
		b[1] = 'R'
	}
	if l.state == TaskZombie {
		b[1], b[2] = 'Z', 1
	}
	b[3] = byte(int8(l.sched.nice))
	le.PutUint64(b[8:], uint64(l.flags()))
	le.PutUint32(b[16:], t.cred.user.uidOut(l.cred.UID))
	le.PutUint32(b[20:], t.cred.user.gidOut(l.cred.GID))
	l.encodeIDs(b[24:])
	copy(b[40:55], l.comm)
	args := []byte(t.memory(t.as.ArgStart, min(t.as.ArgEnd, t.as.ArgStart+argsSize-1)))
	copy(b[56:], bytes.ReplaceAll(args, []byte{0}, []byte{' '}))
	return b
}

// fileNote is NT_FILE: how many mappings of files there are and the unit of
// their offsets, start, end and offset of each, then their names. A note that is
// too long is left out.
func fileNote(segs []coreSegment) []byte {
	var table, names []byte
	le := binary.LittleEndian
	count := uint64(0)
	for i := range segs {
		s := &segs[i]
		if s.Obj == nil {
			continue
		}
		name, _, _ := s.Obj.Describe()
		for _, v := range []uint64{s.Start, s.End, s.Off >> mm.PageShift} {
			table = le.AppendUint64(table, v)
		}
		names = append(append(names, name...), 0)
		if count++; len(table)+len(names) > maxFileNote {
			return nil
		}
	}
	if count == 0 {
		return nil
	}
	b := le.AppendUint64(nil, count)
	b = le.AppendUint64(b, mm.PageSize)
	return append(append(b, table...), names...)
}
