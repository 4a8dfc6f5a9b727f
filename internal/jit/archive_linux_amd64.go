package jit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/mm"
)

// The archive keeps translations from one run of the process to the next, in a folder of
// the user's. A frame with the same bytes as then, at the same address, gets the blocks
// that were made then, each when it is looked for. They are like blocks that have just been
// made: they are linked, counted, made anew and dropped in the same way.
//
// The guest cannot write what another will execute: blocks are those of a page whose
// bytes are all compared. But who can write to the folder can have tine execute
// anything.
//
// Files are never changed. A run that has made enough writes another, with what small
// files had in it as well, and removes those; so there are few, and their number and
// what is written in all grow with the logarithm of their size. Processes that do so at
// the same time keep the same things twice until somebody merges them. The file that
// is begun by the last run has the last word.

const (
	maxArchive = 128 << 20 // bytes in the folder
	// A run adds no more than this at a time; what runs often comes first.
	mostSaved = maxArchive / 4
	// No more is added to a file of this size; those that were used last stay.
	fullArchive = maxArchive / 8
	// How long files of other builds stay after their last use.
	keepArchive = 30 * 24 * time.Hour
	// How exactly it is known when a file was used.
	touchArchive = 10 * time.Minute
	// How long a file may be unfinished.
	writeArchiveIn = 24 * time.Hour

	// What a run made is kept if it is minMade blocks, and a madeShare'th of what it got
	// from the archive.
	madeShare = 20

	archiveExt    = ".tine"
	unfinishedExt = ".tmp"
)

var minMade = 16

// archiveFolder is a pattern of the names of the folders of builds.
var archiveFolder = "tine-" + strings.Repeat("[0-9a-f]", 16)

type archive struct {
	root  string
	build func() (string, error) // see buildID

	once sync.Once // for what follows
	dir  string    // of this build; "" if it is not known which that is
	key  [32]byte
	list []*archiveFile // the last word first

	made, recalled int // blocks, under cache.mu
}

// OpenArchive has translations kept in a folder: those that are there are used, and
// SaveArchive adds to them. It must be called before any engine runs. That there is
// something wrong with the folder is no error: it is then not used.
func OpenArchive(dir string) error {
	if err := Available(); err != nil {
		return err
	}
	cache.mu.Lock()
	defer cache.mu.Unlock()
	cache.archive = &archive{root: dir, build: buildID}
	go cache.archive.open()
	return nil
}

// open finds the files, once.
func (a *archive) open() {
	a.once.Do(func() {
		build, err := a.build()
		if err != nil {
			return
		}
		h := sha256.New()
		fmt.Fprintf(h, "%q %+v\n", build, hostHas)
		h.Write(cache.mem.w[:cache.common.size])
		h.Sum(a.key[:0])
		a.dir = filepath.Join(a.root, fmt.Sprintf("tine-%x", a.key[:8]))
		a.list = openArchiveFiles(a.dir, a.key)
	})
}

var errNoBuild = errors.New("jit: the build has no ID")

// buildID identifies what this process executes: the note that Go's linker makes, which
// is at the beginning of the file. It depends on all that went into the build.
func buildID() (string, error) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b [2 * mm.PageSize]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil {
		return "", err
	}
	// The size of the ID, then the type, the owner and the ID.
	note := []byte{4, 0, 0, 0, 'G', 'o', 0, 0}
	if i := bytes.Index(b[:n], note); i >= 4 {
		if size := int(binary.LittleEndian.Uint32(b[i-4:])); size > 0 && size <= n-i-len(note) {
			return string(b[i+len(note):][:size]), nil
		}
	}
	return "", errNoBuild
}

// openArchiveFiles maps the files of a folder.
func openArchiveFiles(dir string, key [32]byte) (files []*archiveFile) {
	if privateFolder(filepath.Dir(dir)) != nil || privateFolder(dir) != nil {
		return nil
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	slices.Reverse(list)
	for _, e := range list {
		if strings.HasSuffix(e.Name(), archiveExt) {
			if f, err := openArchiveFile(filepath.Join(dir, e.Name()), key); err == nil {
				files = append(files, f)
			}
		}
	}
	return files
}

// private reports an error unless only the user can write what info is about.
func private(info os.FileInfo) error {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || s.Uid != uint32(os.Geteuid()) || info.Mode().Perm()&0o022 != 0 {
		return fs.ErrPermission
	}
	return nil
}

func privateFolder(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fs.ErrPermission
	}
	return private(info)
}

// keptCode is what the archive has of a frame at one of its addresses.
type keptCode struct {
	known bool // it has been looked for
	page  uint64
	parts []part
}

// recall makes the block at pc, which is in cf, of what the archive has. It returns nil if
// that does not have it.
func (t *translator) recall(cf *codeFrame, pc uint64, tier tier) *block {
	k := &cf.kept
	if page := pc &^ pageMask; !k.known || k.page != page {
		*k = keptCode{known: true, page: page, parts: cache.archive.parts(page, cf.frame.Bytes())}
	}
	for i := range k.parts {
		if p := &k.parts[i]; !p.file.bad && t.fetch(cf, pc, tier, p) {
			b := t.publish()
			b.archived = true
			cf.enter(b, t.number)
			cache.archive.recalled++
			p.file.used = true
			return b
		}
	}
	return nil
}

// parts finds what there is of a page with these bytes.
func (a *archive) parts(page uint64, b []byte) (list []part) {
	sum, summed := uint32(0), false
	a.open()
	for _, f := range a.list {
		if f.bad {
			continue
		}
		err := guarded(func() error {
			i, ok := f.first(page)
			if !ok {
				return nil
			}
			if !summed {
				sum, summed = checksum(b), true
			}
			p, ok, err := f.at(i, page, b, sum)
			if ok {
				list = append(list, p)
			}
			return err
		})
		f.bad = err != nil
	}
	return list
}

// fetch makes the code and the sites of the block at pc, if p has it.
func (t *translator) fetch(cf *codeFrame, pc uint64, tier tier, p *part) (ok bool) {
	err := guarded(func() error {
		e := p.block(blockKey(pc, tier == tierPlain))
		if e == nil || e.tier == tierOnce && tier == tierCold {
			return nil
		}
		all, err := p.contents(e)
		if err != nil {
			return err
		}
		sites, code, refs := e.split(all)
		t.pc, t.tier, t.page, t.other, t.beside = pc, e.tier, cf.number(pc&^pageMask), 0, t.beside[:0]
		t.far, t.alone, t.looks = e.far, e.alone, e.looks
		t.list = t.list[:e.n]
		t.open(cf)
		t.n = int32(copy(t.b, code))
		t.sites = append(t.sites, sites...)
		for i := range t.lasts {
			for range e.lasts[i] {
				t.lasts[i] = append(t.lasts[i], cache.lasts[i].take())
			}
		}
		at := place{t.base, t.number, t.page}
		at.settle(t.b, refs, &t.lasts)
		t.out = layout{int32(e.checked), int32(e.mem), int32(e.host)}
		ok = true
		return nil
	})
	p.file.bad = err != nil
	return ok
}

// SaveArchive adds what was translated to the archive, if it is enough. Engines may be
// running, but translate nothing meanwhile.
func SaveArchive() error {
	a := cache.archive
	if a == nil {
		return nil
	}
	if a.open(); a.dir == "" {
		return errNoBuild
	}
	cache.mu.Lock()
	defer cache.mu.Unlock()
	a.touch()
	if !a.enough(a.made) {
		return nil
	}
	if err := a.makeFolders(); err != nil {
		return err
	}
	pages, size := a.collect()
	if len(pages) == 0 {
		return nil
	}
	var saved []uint32
	for i := range pages {
		saved = append(saved, pages[i].cached...)
	}
	if err := a.save(pages, size); err != nil {
		return err
	}
	for _, n := range saved {
		numbered(n).archived = true
	}
	a.made = 0
	return nil
}

// makeFolders makes the folders in which files are, unless they are there. Others must not
// be able to write to them.
func (a *archive) makeFolders() error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	return errors.Join(privateFolder(a.root), privateFolder(a.dir))
}

// enough reports whether so many new blocks are worth another file.
func (a *archive) enough(blocks int) bool { return blocks >= minMade && blocks >= a.recalled/madeShare }

// collect lists what has been translated and is not from the archive, if it is enough,
// and says how large a file of it is.
func (a *archive) collect() (pages []archived, size int) {
	var once []archived // what may run once, of all
	sizeOnce, blocks := 0, 0
	for f, cf := range cache.frames {
		// What an engine may have written is not of a file: it is data, or made by
		// the guest's own compiler.
		if cf.n == 0 || !f.HasCode() || f.MayStore() {
			continue
		}
		for _, at := range cf.pages {
			p := archived{page: at.page, bytes: f.Bytes()}
			q := p
			n, m := cf.archived(at, &p.cached, &q.cached)
			if n+m == 0 || size+n+int(mm.PageSize) > mostSaved {
				continue
			}
			p.sum = checksum(p.bytes)
			q.sum = p.sum
			blocks += len(p.cached) + len(q.cached)
			pages, once = append(pages, p), append(once, q)
			size, sizeOnce = size+n+int(mm.PageSize), sizeOnce+m
		}
	}
	if !a.enough(blocks) {
		return nil, 0
	}
	if size+sizeOnce <= mostSaved {
		return append(pages, once...), size + sizeOnce
	}
	return slices.DeleteFunc(pages, func(p archived) bool { return len(p.cached) == 0 }), size
}

// archived appends the numbers of those blocks of a frame at an address that are not in
// the archive and depend on nothing else, to one list or, if they may run once, to another.
// It returns how many bytes they take.
func (cf *codeFrame) archived(at codePage, list, once *[]uint32) (size, sizeOnce int) {
	for _, e := range cf.table {
		if e == 0 {
			continue
		}
		number := uint32(e & numberMask)
		b := numbered(number)
		if b.page != at.n || b.archived || b.dead.Load() || len(b.beside) > 0 || b.other != 0 {
			continue
		}
		n := blockBytes + int(b.end-b.start) + len(b.sites)*siteBytes + len(b.refs)*refBytes
		if b.tier == tierOnce {
			*once = append(*once, number)
			sizeOnce += n
		} else {
			*list = append(*list, number)
			size += n
		}
	}
	return size, sizeOnce
}

// save writes pages, of so many bytes, and what small files have to another file.
func (a *archive) save(pages []archived, size int) error {
	// Others may have added files since this process began.
	files := openArchiveFiles(a.dir, a.key)
	defer func() {
		for _, f := range files {
			unix.Munmap(f.data)
		}
	}()
	small := slices.Clone(files)
	slices.SortStableFunc(small, func(p, q *archiveFile) int { return len(p.data) - len(q.data) })
	last := 0
	for last < len(small) && len(small[last].data) <= 2*size && size+len(small[last].data) <= fullArchive {
		size += len(small[last].data)
		last++
	}
	small = small[:last]
	err := guarded(func() error {
		for _, f := range files {
			if slices.Contains(small, f) {
				if more, err := f.read(pages); err == nil {
					pages = more
				}
			}
		}
		return a.write(merge(pages), files)
	})
	if err != nil {
		return err
	}
	for _, f := range small {
		os.Remove(f.name)
	}
	prune(a.root)
	return nil
}

// write makes a file that comes after files.
func (a *archive) write(pages []archived, files []*archiveFile) error {
	number := uint64(0)
	if len(files) > 0 {
		fmt.Sscanf(filepath.Base(files[0].name), "%x", &number)
	}
	f, err := os.CreateTemp(a.dir, fmt.Sprintf("%08x-*"+unfinishedExt, number+1))
	if err != nil {
		return err
	}
	err = writeArchive(f, a.key, pages)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), strings.TrimSuffix(f.Name(), unfinishedExt)+archiveExt)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// touch notes that files are in use.
func (a *archive) touch() {
	now := time.Now()
	for _, f := range a.list {
		if f.used && now.Sub(f.info.ModTime()) > touchArchive {
			os.Chtimes(f.name, now, now)
		}
	}
}

// prune removes what has not been used for long, and what was used first as long as
// there is too much. In dir may be files of others.
func prune(dir string) {
	type file struct {
		name string
		info os.FileInfo
	}
	var files []file
	total := int64(0)
	now := time.Now()
	names, _ := filepath.Glob(filepath.Join(dir, archiveFolder, "*"))
	for _, name := range names {
		info, err := os.Lstat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		limit := keepArchive
		switch filepath.Ext(name) {
		case archiveExt:
		case unfinishedExt:
			limit = writeArchiveIn
		default:
			continue
		}
		if now.Sub(info.ModTime()) > limit {
			os.Remove(name)
			os.Remove(filepath.Dir(name)) // if it is empty
			continue
		}
		files, total = append(files, file{name, info}), total+info.Size()
	}
	slices.SortFunc(files, func(p, q file) int { return p.info.ModTime().Compare(q.info.ModTime()) })
	for _, f := range files {
		if total <= maxArchive {
			break
		}
		os.Remove(f.name)
		total -= f.info.Size()
	}
}
