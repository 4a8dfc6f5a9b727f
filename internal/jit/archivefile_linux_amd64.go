package jit

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/mm"
)

// A file of the archive has what one run of the process, or several, translated. It
// is mapped, and only what is needed is read; all that is read is looked at first:
//
//	for each page of guest code, in order of their addresses:
//		its bytes
//		archivedBlock  for each of its blocks, in order of their keys
//		for each block: its sites, code and references
//	archivedPage   for each page
//	archiveTrailer
//
// The file is only for the build of tine that made it, on a processor of the same kind,
// so things are in it as they are in memory.

type archiveTrailer struct {
	magic [8]byte
	key   [32]byte // see archive
	size  uint64   // of the file
	pages uint32
	check uint32 // of the list of pages
}

var archiveMagic = [8]byte{'t', 'i', 'n', 'e', '-', 'j', 'i', 't'}

// archivedPage is a page of guest code at an address. Its code is good for a frame only
// if that has all bytes of the page: sum only tells quickly which has not.
type archivedPage struct {
	page   uint64
	at     uint64 // of its part in the file
	sum    uint32
	blocks uint32
	check  uint32 // of the list of blocks
	_      uint32
}

// archivedBlock is a block.
type archivedBlock struct {
	far                uint64
	at                 uint32 // of its sites, from the page's part
	check              uint32 // of sites, code and references
	key                uint16 // see blockKey
	code               uint16 // bytes
	sites, refs        uint16
	checked, mem, host uint16   // entries, positions in the code
	lasts              [2]uint8 // how many entries of context.rl and wl it has
	n                  uint8    // instructions
	tier               tier
	alone              bool
	_                  uint8
	looks              int32
}

const (
	trailerBytes = int(unsafe.Sizeof(archiveTrailer{}))
	pageBytes    = int(unsafe.Sizeof(archivedPage{}))
	blockBytes   = int(unsafe.Sizeof(archivedBlock{}))
	siteBytes    = int(unsafe.Sizeof(site{}))
	refBytes     = int(unsafe.Sizeof(ref(0)))
)

// blockKey is what a block is found by in its page.
func blockKey(pc uint64, plain bool) uint16 { return uint16(pc&pageMask<<1) | uint16(bit(plain)) }

// checksum is of the kind whose tables are made fastest: the others are twice as fast, but
// take a third of a millisecond to begin.
func checksum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// view makes a slice of what the first bytes of b are.
func view[T any](b []byte, n int) []T {
	if n == 0 {
		return nil
	}
	b = b[:n*int(unsafe.Sizeof(*new(T)))]
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
}

// raw is the inverse of view.
func raw[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

var errDamaged = errors.New("jit: a file of translations is damaged")

// guarded calls fn, which reads files that are mapped. If one has become shorter
// meanwhile, or what is in it makes no sense, that is an error.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = errDamaged
		}
	}()
	return fn()
}

// archiveFile is a file that is mapped.
type archiveFile struct {
	name  string
	data  []byte
	pages []archivedPage
	info  os.FileInfo
	used  bool // something of it was
	bad   bool // nothing of it is to be used any more
}

// openArchiveFile maps a file, if it is one for key that nobody else can have written.
func openArchiveFile(name string, key [32]byte) (*archiveFile, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := private(info); err != nil {
		return nil, err
	}
	size := info.Size()
	if !info.Mode().IsRegular() || size < int64(trailerBytes) || size > maxArchive {
		return nil, errDamaged
	}
	a := &archiveFile{name: name, info: info}
	if a.data, err = unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE); err != nil {
		return nil, err
	}
	if err := guarded(func() error { return a.check(key) }); err != nil {
		unix.Munmap(a.data)
		return nil, err
	}
	return a, nil
}

// check looks at the trailer and the list of pages.
func (a *archiveFile) check(key [32]byte) error {
	end := len(a.data) - trailerBytes
	t := &view[archiveTrailer](a.data[end:], 1)[0]
	if t.magic != archiveMagic || t.key != key || t.size != uint64(len(a.data)) {
		return errDamaged
	}
	list := a.data[end-int(t.pages)*pageBytes : end]
	if checksum(list) != t.check {
		return errDamaged
	}
	a.pages = view[archivedPage](list, int(t.pages))
	return nil
}

// part is what a file has of a page.
type part struct {
	file   *archiveFile
	data   []byte // from its beginning
	blocks []archivedBlock
}

// part returns that of a page in the list.
func (a *archiveFile) part(p *archivedPage) (part, error) {
	data := a.data[p.at:]
	list := data[mm.PageSize : int(mm.PageSize)+int(p.blocks)*blockBytes]
	if checksum(list) != p.check {
		return part{}, errDamaged
	}
	return part{a, data, view[archivedBlock](list, int(p.blocks))}, nil
}

// first is the index of the first page in the list that is not before page, and whether
// it is that.
func (a *archiveFile) first(page uint64) (i int, ok bool) {
	return slices.BinarySearchFunc(a.pages, page, func(p archivedPage, page uint64) int { return cmp.Compare(p.page, page) })
}

// at finds the part for a page with these bytes, which begins at index i of the list at
// the earliest.
func (a *archiveFile) at(i int, page uint64, b []byte, sum uint32) (p part, ok bool, err error) {
	for ; i < len(a.pages) && a.pages[i].page == page; i++ {
		e := &a.pages[i]
		if e.sum == sum && bytes.Equal(a.data[e.at:e.at+mm.PageSize], b) {
			p, err = a.part(e)
			return p, err == nil, err
		}
	}
	return part{}, false, nil
}

// block finds a block.
func (p *part) block(key uint16) *archivedBlock {
	lo, hi := 0, len(p.blocks)
	for lo < hi {
		if m := int(uint(lo+hi) / 2); p.blocks[m].key < key {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(p.blocks) && p.blocks[lo].key == key {
		return &p.blocks[lo]
	}
	return nil
}

// contents are the sites, code and references of a block.
func (p *part) contents(b *archivedBlock) (all []byte, err error) {
	all = p.data[b.at : int(b.at)+b.bytes()]
	if checksum(all) != b.check {
		return nil, errDamaged
	}
	return all, nil
}

// bytes is the length of a block's contents.
func (b *archivedBlock) bytes() int {
	return int(b.sites)*siteBytes + int(b.code) + int(b.refs)*refBytes
}

// split is the inverse of how contents are put together.
func (b *archivedBlock) split(all []byte) (sites []site, code []byte, refs []ref) {
	n := int(b.sites) * siteBytes
	return view[site](all, int(b.sites)), all[n : n+int(b.code)], view[ref](all[n+int(b.code):], int(b.refs))
}

// archived is what is to be written about a page: blocks of the cache, by their numbers,
// and of files.
type archived struct {
	page   uint64
	bytes  []byte
	sum    uint32
	cached []uint32
	filed  []archivedContents
}

type archivedContents struct {
	archivedBlock
	all []byte
}

// merge makes one page of those that are at the same address with the same bytes.
func merge(pages []archived) []archived {
	slices.SortStableFunc(pages, func(p, q archived) int {
		return cmp.Or(cmp.Compare(p.page, q.page), cmp.Compare(p.sum, q.sum), bytes.Compare(p.bytes, q.bytes))
	})
	out := pages[:0]
	for _, p := range pages {
		if n := len(out); n > 0 && out[n-1].page == p.page && out[n-1].sum == p.sum && bytes.Equal(out[n-1].bytes, p.bytes) {
			out[n-1].cached = append(out[n-1].cached, p.cached...)
			out[n-1].filed = append(out[n-1].filed, p.filed...)
		} else {
			out = append(out, p)
		}
	}
	return out
}

// layout appends the list of the page's blocks and their contents to what is empty. Of
// blocks with the same key the first counts, and those of the cache before others.
func (p *archived) layout(table []archivedBlock, contents []byte) ([]archivedBlock, []byte) {
	order := make([]uint64, 0, len(p.cached)+len(p.filed)) // keys, and indices in both lists
	for _, n := range p.cached {
		b := numbered(n)
		order = append(order, uint64(blockKey(b.pc, b.tier == tierPlain))<<32|uint64(len(order)))
	}
	for i := range p.filed {
		order = append(order, uint64(p.filed[i].key)<<32|uint64(len(order)))
	}
	slices.Sort(order)
	order = slices.CompactFunc(order, func(a, b uint64) bool { return a>>32 == b>>32 })
	first := int(mm.PageSize) + len(order)*blockBytes
	for _, o := range order {
		var e archivedBlock
		begin := len(contents)
		if i := int(uint32(o)); i < len(p.cached) {
			e, contents = describe(p.cached[i], contents)
			e.check = checksum(contents[begin:])
		} else {
			c := &p.filed[i-len(p.cached)]
			e, contents = c.archivedBlock, append(contents, c.all...)
		}
		e.at = uint32(first + begin)
		table = append(table, e)
		contents = append(contents, make([]byte, aligned(len(contents))-len(contents))...)
	}
	return table, contents
}

// describe gives what a file has of a block of the cache, and appends its contents.
func describe(number uint32, contents []byte) (archivedBlock, []byte) {
	b := numbered(number)
	contents = append(contents, raw(b.sites)...)
	contents = b.appendNeutral(contents, number)
	contents = append(contents, raw(b.refs)...)
	return archivedBlock{
		far: b.far, key: blockKey(b.pc, b.tier == tierPlain), code: uint16(b.end - b.start),
		sites: uint16(len(b.sites)), refs: uint16(len(b.refs)),
		checked: uint16(b.entry.checked - b.start), mem: uint16(b.entry.mem - b.start), host: uint16(b.entry.host - b.start),
		lasts: [2]uint8{uint8(len(b.lasts[0])), uint8(len(b.lasts[1]))}, n: uint8(b.n), tier: b.tier, alone: b.alone, looks: b.looks,
	}, contents
}

// read appends what a file has.
func (a *archiveFile) read(pages []archived) ([]archived, error) {
	for i := range a.pages {
		e := &a.pages[i]
		p, err := a.part(e)
		if err != nil {
			return pages, err
		}
		to := archived{page: e.page, bytes: p.data[:mm.PageSize], sum: e.sum}
		for j := range p.blocks {
			b := &p.blocks[j]
			all, err := p.contents(b)
			if err != nil {
				return pages, err
			}
			to.filed = append(to.filed, archivedContents{*b, all})
		}
		pages = append(pages, to)
	}
	return pages, nil
}

// writeArchive writes a file of pages that have been merged. cache.mu is held if some
// of their blocks are in the cache.
func writeArchive(to io.Writer, key [32]byte, pages []archived) error {
	w := bufio.NewWriterSize(to, 1<<16)
	list := make([]archivedPage, len(pages))
	at := 0
	var table []archivedBlock
	var contents []byte
	for i := range pages {
		p := &pages[i]
		table, contents = p.layout(table[:0], contents[:0])
		list[i] = archivedPage{page: p.page, at: uint64(at), sum: p.sum, blocks: uint32(len(table)), check: checksum(raw(table))}
		for _, b := range [][]byte{p.bytes, raw(table), contents} {
			w.Write(b)
			at += len(b)
		}
	}
	w.Write(raw(list))
	size := at + len(list)*pageBytes + trailerBytes
	w.Write(raw([]archiveTrailer{{magic: archiveMagic, key: key, size: uint64(size), pages: uint32(len(list)), check: checksum(raw(list))}}))
	return w.Flush()
}

// aligned is n rounded up so that what comes next is aligned as in memory.
func aligned(n int) int { return (n + 7) &^ 7 }
