package jit

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/cpu/cputest"
	"github.com/tinevm/tine/internal/mm"
)

// archiveIn makes a folder the archive until the test ends, as a new process with another
// build would: with no code in memory.
func archiveIn(t testing.TB, dir, build string) *archive {
	newJIT(t)
	old := minMade
	minMade = 1
	Flush()
	cache.archive = newArchive(dir, build)
	t.Cleanup(func() { cache.archive, minMade = nil, old })
	return cache.archive
}

// newArchive opens the archive of a build in a folder.
func newArchive(dir, build string) *archive {
	a := &archive{root: dir, build: func() (string, error) { return build, nil }}
	a.open()
	return a
}

// add makes the folders and saves pages.
func (a *archive) add(pages []archived) error {
	if err := a.makeFolders(); err != nil {
		return err
	}
	size := 0
	for i := range pages {
		size += int(mm.PageSize)
		for j := range pages[i].filed {
			size += blockBytes + pages[i].filed[j].bytes()
		}
	}
	return a.save(pages, size)
}

// privateDir is a folder as an archive must be.
func privateDir(t testing.TB) string {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// archiveLoop is a loop that stores the numbers from RCX to 1 in memory, and calls a
// function that adds them up.
var archiveLoop = []byte{
	0x89, 0x0b, // next: mov [rbx], ecx
	0xe8, 0x06, 0, 0, 0, // call add
	0xff, 0xc9, // dec ecx
	0x75, 0xf5, // jne next
	0x0f, 0x05, // syscall
	0x03, 0x03, // add: add eax, [rbx]
	0xc3, // ret
}

// playLoop runs it, and returns how many blocks came from the archive.
func playLoop(t testing.TB, rounds uint64) int {
	return playCode(t, rounds, archiveLoop)
}

func playCode(t testing.TB, rounds uint64, code []byte) int {
	t.Helper()
	a := cache.archive
	before := a.recalled
	m := cputest.NewMachine(t, New(), code...)
	m.R.RIP, m.R.GPR[cpu.RCX], m.R.GPR[cpu.RAX] = cputest.CodeAt, rounds, 0
	m.R.GPR[cpu.RBX], m.R.GPR[cpu.RSP] = cputest.DataAt, cputest.DataAt+1024
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+13, int64(6*rounds+1))
	if sum := rounds * (rounds + 1) / 2; m.R.GPR[cpu.RAX] != sum {
		t.Fatalf("the sum is %d, want %d", m.R.GPR[cpu.RAX], sum)
	}
	return a.recalled - before
}

// filesIn are the names of an archive's files.
func filesIn(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, archiveFolder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// saved makes an archive that has the loop, and returns its file.
func saved(t testing.TB, dir string) string {
	t.Helper()
	archiveIn(t, dir, "a")
	playLoop(t, 100)
	if err := SaveArchive(); err != nil {
		t.Fatal(err)
	}
	names := filesIn(t, dir)
	if len(names) != 1 {
		t.Fatalf("%q", names)
	}
	return names[0]
}

func TestArchive(t *testing.T) {
	heat(t, 20)
	dir := privateDir(t)
	saved(t, dir)
	archiveIn(t, dir, "a")
	if n := playLoop(t, 100); n == 0 {
		t.Error("nothing was recalled")
	}
	hot := false
	for n := uint32(1); n < cache.nblocks; n++ {
		b := numbered(n)
		hot = hot || b.archived && b.tier == tierHot && b.pc == cputest.CodeAt
	}
	if !hot {
		t.Error("what was hot is not so at once")
	}
}

// What is recalled counts, and becomes hot.
func TestArchivedBlocksBecomeHot(t *testing.T) {
	dir := privateDir(t)
	saved(t, dir)
	heat(t, 20)
	archiveIn(t, dir, "a")
	for _, rounds := range []uint64{10, 100} {
		playLoop(t, rounds)
		hot := false
		for n := uint32(1); n < cache.nblocks; n++ {
			hot = hot || numbered(n).tier == tierHot
		}
		if hot != (rounds > 20) {
			t.Errorf("hot after %d rounds: %v", rounds, hot)
		}
	}
}

// What has been recalled is good for no other bytes, and dropped with them.
func TestArchiveComparesBytes(t *testing.T) {
	dir := privateDir(t)
	saved(t, dir)
	archiveIn(t, dir, "a")
	more := append(slices.Clone(archiveLoop), 0x90)
	if n := playCode(t, 100, more); n != 0 {
		t.Errorf("%d blocks of another page", n)
	}
	m := cputest.NewMachine(t, New(), archiveLoop...)
	run := func(sum uint64) {
		t.Helper()
		m.R.RIP, m.R.GPR[cpu.RCX], m.R.GPR[cpu.RAX] = cputest.CodeAt, 10, 0
		m.R.GPR[cpu.RBX], m.R.GPR[cpu.RSP] = cputest.DataAt, cputest.DataAt+1024
		m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+13, 61)
		if m.R.GPR[cpu.RAX] != sum {
			t.Errorf("the sum is %d, want %d", m.R.GPR[cpu.RAX], sum)
		}
	}
	run(55)
	n := cache.archive.recalled
	if n == 0 {
		t.Error("nothing was recalled")
	}
	if _, errno := m.AS.CopyOut(cputest.CodeAt+13, []byte{0x2b}); errno != 0 { // sub
		t.Fatal(errno)
	}
	run(^uint64(0) >> 32 & uint64(uint32(^uint32(54))))
	if cache.archive.recalled != n {
		t.Error("something was recalled for what has been written")
	}
	if _, errno := m.AS.CopyOut(cputest.CodeAt+13, []byte{0x03}); errno != 0 {
		t.Fatal(errno)
	}
	run(55)
	if cache.archive.recalled == n {
		t.Error("nothing was recalled for what is as it was")
	}
}

// Pages that the guest may have written with its own instructions are not kept.
func TestArchiveLeavesWrittenPages(t *testing.T) {
	dir := privateDir(t)
	archiveIn(t, dir, "a")
	m := cputest.NewMachine(t, New(), 0xc6, 0x05, 0, 1, 0, 0, 0x90, 0xeb, 0x00, 0x0f, 0x05) // mov byte [rip+256], 0x90; jmp to syscall
	for range 3 {
		m.R.RIP = cputest.CodeAt
		m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+11, 3)
	}
	if err := SaveArchive(); err != nil || len(filesIn(t, dir)) != 0 {
		t.Errorf("%v, %q", err, filesIn(t, dir))
	}
}

func TestArchiveOfBuilds(t *testing.T) {
	dir := privateDir(t)
	saved(t, dir)
	archiveIn(t, dir, "b")
	if n := playLoop(t, 100); n != 0 {
		t.Errorf("%d blocks of another build", n)
	}
	if err := SaveArchive(); err != nil {
		t.Fatal(err)
	}
	for _, build := range []string{"a", "b"} {
		archiveIn(t, dir, build)
		if playLoop(t, 100) == 0 {
			t.Errorf("nothing was recalled for %s", build)
		}
	}
	// A file of another build in the place of its own.
	a, b := newArchive(dir, "a"), newArchive(dir, "b")
	os.RemoveAll(b.dir)
	if err := os.Rename(a.dir, b.dir); err != nil {
		t.Fatal(err)
	}
	archiveIn(t, dir, "b")
	if n := playLoop(t, 100); n != 0 {
		t.Errorf("%d blocks of another build under its name", n)
	}
}

// Whatever happens to a file, programs run as they should.
func TestArchiveDamaged(t *testing.T) {
	heat(t, 20)
	name := saved(t, privateDir(t))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	recalled := 0
	for range 400 {
		recalled += playDamaged(t, filepath.Dir(filepath.Dir(name)), name, damage(r, whole))
	}
	if recalled == 0 {
		t.Error("nothing was recalled at all")
	}
}

// damage changes a few bytes or cuts something off. Most of the file is a page of guest
// code and nothing but zero, so that is seldom what it changes.
func damage(r *rand.Rand, whole []byte) []byte {
	b := slices.Clone(whole)
	if r.IntN(4) == 0 {
		return b[:r.IntN(len(b))]
	}
	for range 1 + r.IntN(3) {
		at := r.IntN(len(b))
		if page := int(mm.PageSize); r.IntN(20) > 0 && at < page {
			at = page + r.IntN(len(b)-page)
		}
		b[at] ^= byte(1 + r.IntN(255))
	}
	return b
}

// playDamaged puts b where an archive's only file was and runs the loop.
func playDamaged(t testing.TB, dir, name string, b []byte) int {
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	a := archiveIn(t, dir, "a")
	n := playLoop(t, 100)
	for _, f := range a.list {
		unix.Munmap(f.data)
	}
	return n
}

// FuzzArchive puts right the checksum of what it damages, of the list of pages that is: of
// the rest wrong code could come.
func FuzzArchive(f *testing.F) {
	name := saved(f, privateDir(f))
	whole, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[len(whole)-trailerBytes:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if end := len(b) - trailerBytes; end >= 0 && end%8 == 0 {
			h := &view[archiveTrailer](b[end:], 1)[0]
			h.magic, h.key, h.size = archiveMagic, newArchive("", "a").key, uint64(len(b))
			if list := uint64(h.pages) * uint64(pageBytes); list <= uint64(end) {
				h.check = checksum(b[uint64(end)-list : end])
			}
		}
		playDamaged(t, filepath.Dir(filepath.Dir(name)), name, b)
	})
}

// A file may become shorter while it is mapped.
func TestArchiveCutOff(t *testing.T) {
	name := saved(t, privateDir(t))
	for _, size := range []int64{0, 1, 4096} {
		archiveIn(t, filepath.Dir(filepath.Dir(name)), "a")
		if len(cache.archive.list) != 1 {
			t.Fatal("the file is not used")
		}
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, size); err != nil {
			t.Fatal(err)
		}
		if n := playLoop(t, 100); n != 0 {
			t.Errorf("%d blocks of %d bytes", n, size)
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Also when some of it has been used already.
func TestArchiveCutOffLater(t *testing.T) {
	name := saved(t, privateDir(t))
	archiveIn(t, filepath.Dir(filepath.Dir(name)), "a")
	m := cputest.NewMachine(t, New(), archiveLoop...)
	m.R.RIP, m.R.GPR[cpu.RCX], m.R.GPR[cpu.RAX] = cputest.CodeAt, 20, 0
	m.R.GPR[cpu.RBX], m.R.GPR[cpu.RSP] = cputest.DataAt, cputest.DataAt+1024
	if trap, n := m.Run(64); trap.Kind != cpu.TrapBudget || n != 64 {
		t.Fatalf("%+v after %d", trap, n)
	}
	if cache.archive.recalled == 0 || cache.archive.list[0].bad {
		t.Fatal("nothing was recalled")
	}
	if err := os.Truncate(name, 0); err != nil {
		t.Fatal(err)
	}
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+13, 57)
	if m.R.GPR[cpu.RAX] != 210 || !cache.archive.list[0].bad {
		t.Errorf("the sum is %d", m.R.GPR[cpu.RAX])
	}
}

// What others could have written is not used.
func TestArchivePermissions(t *testing.T) {
	dir := privateDir(t)
	name := saved(t, dir)
	for _, c := range []struct {
		what     string
		do, undo func() error
	}{
		{"a file that all can write", func() error { return os.Chmod(name, 0o602) }, func() error { return os.Chmod(name, 0o600) }},
		{"a file that a group can write", func() error { return os.Chmod(name, 0o620) }, func() error { return os.Chmod(name, 0o600) }},
		{"a folder that all can write", func() error { return os.Chmod(dir, 0o702) }, func() error { return os.Chmod(dir, 0o700) }},
		{"a folder of the build that all can write", func() error { return os.Chmod(filepath.Dir(name), 0o702) }, func() error { return os.Chmod(filepath.Dir(name), 0o700) }},
		{"a file of another user", func() error { return os.Chown(name, 1, -1) }, func() error { return os.Chown(name, os.Geteuid(), -1) }},
		{"a folder of another user", func() error { return os.Chown(dir, 1, -1) }, func() error { return os.Chown(dir, os.Geteuid(), -1) }},
		{"a symbolic link", func() error { return errors.Join(os.Rename(name, dir+"/x"), os.Symlink(dir+"/x", name)) }, func() error { return os.Rename(dir+"/x", name) }},
		{"a folder", func() error { return errors.Join(os.Rename(name, dir+"/x"), os.Mkdir(name, 0o700)) }, func() error { return errors.Join(os.Remove(name), os.Rename(dir+"/x", name)) }},
		{"a pipe", func() error { return errors.Join(os.Rename(name, dir+"/x"), unix.Mkfifo(name, 0o600)) }, func() error { return os.Rename(dir+"/x", name) }},
	} {
		if err := c.do(); err != nil {
			if errors.Is(err, os.ErrPermission) {
				continue // only root can do it
			}
			t.Fatal(err)
		}
		archiveIn(t, dir, "a")
		if playLoop(t, 100) != 0 {
			t.Errorf("%s was used", c.what)
		}
		if private := privateFolder(dir) == nil && privateFolder(filepath.Dir(name)) == nil; !private && SaveArchive() == nil {
			t.Errorf("something was saved beside %s", c.what)
		}
		if err := c.undo(); err != nil {
			t.Fatal(err)
		}
	}
	archiveIn(t, dir, "a")
	if playLoop(t, 100) == 0 {
		t.Error("what is right was not used")
	}
}

// pagesOf makes pages with n blocks each, which only look like some.
func pagesOf(r *rand.Rand, pages, n int) (list []archived) {
	for range pages {
		p := archived{page: uint64(r.IntN(1000)) << mm.PageShift, bytes: make([]byte, mm.PageSize)}
		p.bytes[r.IntN(len(p.bytes))] = byte(r.IntN(3))
		p.sum = checksum(p.bytes)
		for range n {
			c := archivedContents{archivedBlock: archivedBlock{key: uint16(r.IntN(1 << 13)), code: uint16(1 + r.IntN(500)), sites: uint16(r.IntN(4)), refs: uint16(r.IntN(4))}}
			c.all = make([]byte, c.bytes())
			for i := range c.all {
				c.all[i] = byte(r.Uint32())
			}
			c.check = checksum(c.all)
			p.filed = append(p.filed, c)
		}
		list = append(list, p)
	}
	return list
}

// What is written is what is read, by which page and block it is found, and who comes
// first has the last word.
func TestArchiveFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	a := archiveIn(t, privateDir(t), "a")
	type name struct {
		page uint64
		sum  uint32
		key  uint16
	}
	want := map[name][]byte{}
	for range 20 {
		pages := pagesOf(r, 1+r.IntN(40), 1+r.IntN(20))
		for i := len(pages) - 1; i >= 0; i-- {
			for j := len(pages[i].filed) - 1; j >= 0; j-- {
				b := &pages[i].filed[j]
				want[name{pages[i].page, pages[i].sum, b.key}] = b.all
			}
		}
		if err := a.add(pages); err != nil {
			t.Fatal(err)
		}
	}
	files := openArchiveFiles(a.dir, a.key)
	if len(files) == 0 || len(files) > 6 {
		t.Errorf("%d files", len(files))
	}
	got := map[name][]byte{}
	for _, f := range slices.Backward(files) {
		pages, err := f.read(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pages {
			for _, b := range p.filed {
				i, _ := f.first(p.page)
				part, ok, err := f.at(i, p.page, p.bytes, p.sum)
				if !ok || err != nil || part.block(b.key) == nil {
					t.Fatalf("a block is not found: %v", err)
				}
				got[name{p.page, p.sum, b.key}] = b.all
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d blocks, want %d", len(got), len(want))
	}
	for n, all := range want {
		if !bytes.Equal(got[n], all) {
			t.Fatalf("%+v is another", n)
		}
	}
}

// Processes that save at once do not lose or damage anything.
func TestArchiveAtOnce(t *testing.T) {
	dir := privateDir(t)
	archiveIn(t, dir, "a")
	r := rand.New(rand.NewPCG(5, 6))
	var group sync.WaitGroup
	blocks := map[uint32]bool{}
	for range 8 {
		pages := pagesOf(r, 5, 5)
		for i := range pages {
			for j := range pages[i].filed {
				pages[i].filed[j].key = uint16(len(blocks)) // all different
				blocks[pages[i].filed[j].check] = true
			}
		}
		group.Go(func() {
			if err := newArchive(dir, "a").add(pages); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	a := newArchive(dir, "a")
	for _, f := range openArchiveFiles(a.dir, a.key) {
		pages, err := f.read(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pages {
			for _, b := range p.filed {
				delete(blocks, b.check)
			}
		}
	}
	if len(blocks) != 0 {
		t.Errorf("%d blocks are lost", len(blocks))
	}
	for _, name := range filesIn(t, dir) {
		if filepath.Ext(name) != archiveExt {
			t.Errorf("%s is left", name)
		}
	}
}

// failing is a writer that has room for so many bytes.
type failing int

func (f *failing) Write(b []byte) (int, error) {
	n := min(len(b), int(*f))
	*f -= failing(n)
	if n < len(b) {
		return n, unix.ENOSPC
	}
	return n, nil
}

func TestArchiveFull(t *testing.T) {
	pages := merge(pagesOf(rand.New(rand.NewPCG(7, 8)), 30, 10))
	var all bytes.Buffer
	if err := writeArchive(&all, [32]byte{}, pages); err != nil {
		t.Fatal(err)
	}
	for room := 0; room < all.Len(); room += all.Len()/40 + 1 {
		f := failing(room)
		if err := writeArchive(&f, [32]byte{}, pages); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("with room for %d bytes: %v", room, err)
		}
	}
	f := failing(all.Len())
	if err := writeArchive(io.MultiWriter(&f), [32]byte{}, pages); err != nil {
		t.Error(err)
	}
}

// A file that cannot be written leaves nothing behind.
func TestArchiveOnFullDisk(t *testing.T) {
	dir := privateDir(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=700"); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	a := archiveIn(t, dir, "a")
	if err := a.add(pagesOf(rand.New(rand.NewPCG(7, 8)), 1, 1)); err != nil {
		t.Fatal(err)
	}
	before := filesIn(t, dir)
	if err := a.add(pagesOf(rand.New(rand.NewPCG(7, 8)), 30, 10)); !errors.Is(err, unix.ENOSPC) {
		t.Error(err)
	}
	if after := filesIn(t, dir); !slices.Equal(before, after) {
		t.Errorf("%q became %q", before, after)
	}
}

// What has not been used for long goes, what was used first goes when there is too much,
// and what is not of an archive stays.
func TestArchivePrunes(t *testing.T) {
	dir := privateDir(t)
	now := time.Now()
	file := func(name string, size int64, age time.Duration) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		err := errors.Join(os.WriteFile(name, nil, 0o600), os.Truncate(name, size), os.Chtimes(name, now.Add(-age), now.Add(-age)))
		if err != nil {
			t.Fatal(err)
		}
	}
	const a, b, c = "tine-0123456789abcdef/", "tine-00000000000000ff/", "tine-aaaaaaaaaaaaaaaa/"
	file(a+"1.tine", maxArchive/2, 3*time.Hour)
	file(a+"2.tine", maxArchive/4, time.Hour)
	file(b+"1.tine", maxArchive/2, 2*time.Hour)
	file(b+"2.tine", 10, 31*24*time.Hour)
	file(b+"3.tmp", 10, 25*time.Hour)
	file(b+"4.tmp", 10, time.Hour)
	file(b+"mine", 10, 1000*time.Hour)
	file(c+"1.tine", 10, 31*24*time.Hour)
	file("mine.tine", maxArchive, 1000*time.Hour)
	file("mine/1.tine", maxArchive, 1000*time.Hour)
	prune(dir)
	var got []string
	filepath.WalkDir(dir, func(name string, _ os.DirEntry, _ error) error {
		rel, _ := filepath.Rel(dir, name)
		got = append(got, rel)
		return nil
	})
	want := []string{".", "mine", "mine/1.tine", "mine.tine", b[:21], b + "1.tine", b + "4.tmp", b + "mine", a[:21], a + "2.tine"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// A file that is in use is noted as such.
func TestArchiveTouches(t *testing.T) {
	name := saved(t, privateDir(t))
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	archiveIn(t, filepath.Dir(filepath.Dir(name)), "a")
	minMade = 1000
	playLoop(t, 10)
	if err := SaveArchive(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || !info.ModTime().After(old) {
		t.Errorf("%v, %v", info.ModTime(), err)
	}
}

// A process can save several times, each time what is new.
func TestArchiveSavesOnce(t *testing.T) {
	dir := privateDir(t)
	archiveIn(t, dir, "a")
	m := cputest.NewMachine(t, New(), archiveLoop...)
	for range 3 {
		m.R.RIP, m.R.GPR[cpu.RCX] = cputest.CodeAt, 20
		m.R.GPR[cpu.RBX], m.R.GPR[cpu.RSP] = cputest.DataAt, cputest.DataAt+1024
		m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+13, 121)
		if err := SaveArchive(); err != nil {
			t.Fatal(err)
		}
	}
	names := filesIn(t, dir)
	if err := SaveArchive(); err != nil || !slices.Equal(names, filesIn(t, dir)) {
		t.Errorf("%v: %q became %q", err, names, filesIn(t, dir))
	}
}

// A run that finds nearly all that it needs writes nothing.
func TestArchiveIsNotWrittenForLittle(t *testing.T) {
	dir := privateDir(t)
	name := saved(t, dir)
	a := archiveIn(t, dir, "a")
	a.recalled = 1000
	playLoop(t, 100)
	if err := SaveArchive(); err != nil {
		t.Fatal(err)
	}
	if names := filesIn(t, dir); !slices.Equal(names, []string{name}) {
		t.Errorf("%q", names)
	}
}

func TestBuildID(t *testing.T) {
	id, err := buildID()
	if err != nil || len(id) < 40 {
		t.Errorf("%q, %v", id, err)
	}
}
