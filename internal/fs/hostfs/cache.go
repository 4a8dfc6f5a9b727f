package hostfs

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// sharedFile is a host file that is or was open, with its pages. All machines
// of the process share it, so what is here is protected by shared.mu, and the
// pages by their cache's own lock.
type sharedFile struct {
	id     fileID
	st     hostStat // as of when the pages were read; changed by our own writes
	reader *os.File
	pages  *mm.PageCache
	refs   int         // open files; 0: on the list of unused files
	cost   int         // pages counted in shared.unused
	mapped atomic.Bool // reads must see what mappings write

	prev, next *sharedFile
}

// The most that files nobody has open may keep.
const (
	maxUnusedPages = 512 << 20 / mm.PageSize
	maxUnusedFiles = 512
)

// shared is the cache of host files, one per process.
var shared struct {
	mu         sync.Mutex
	files      map[fileID]*sharedFile
	head, tail *sharedFile // unused ones, least recently used first
	n, unused  int         // files and pages on that list
}

// openShared returns the shared file of a host file, opening it if it is not
// there or has changed since. It brings st up to date.
func openShared(st *hostStat, open func() (*os.File, linux.Errno)) (*sharedFile, linux.Errno) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if s := shared.files[st.id]; s != nil && s.st.same(st) {
		s.hold()
		return s, 0
	}
	f, errno := open()
	if errno != 0 {
		return nil, errno
	}
	now, errno := statFile(f, st.id)
	if errno != 0 {
		f.Close()
		return nil, errno
	}
	*st = now
	if s := shared.files[now.id]; s != nil {
		if s.st.same(&now) {
			f.Close()
			s.hold()
			return s, 0
		}
		s.forget()
	}
	s := &sharedFile{id: now.id, st: now, reader: f, refs: 1}
	s.pages = mm.NewPageCache(nil, s.fill)
	s.pages.ReadAhead()
	s.pages.SetSize(now.attr.Size)
	if shared.files == nil {
		shared.files = make(map[fileID]*sharedFile)
	}
	shared.files[now.id] = s
	return s, 0
}

// hold takes a reference. shared.mu is held.
func (s *sharedFile) hold() {
	if s.refs == 0 {
		s.unlist()
	}
	s.refs++
}

// forget makes s unreachable for new openings: the host file has changed.
// shared.mu is held.
func (s *sharedFile) forget() {
	if shared.files[s.id] == s {
		delete(shared.files, s.id)
	}
	if s.refs == 0 {
		s.unlist()
		s.free()
	}
}

// put drops a reference. Unused files are kept within limits, unless nobody can
// open them again.
func (s *sharedFile) put(gone bool) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if s.refs--; s.refs > 0 {
		return
	}
	if gone && shared.files[s.id] == s {
		delete(shared.files, s.id)
	}
	if shared.files[s.id] != s {
		s.free()
		return
	}
	s.mapped.Store(false)
	s.list()
	for shared.unused > maxUnusedPages || shared.n > maxUnusedFiles {
		shared.head.forget()
	}
}

func (s *sharedFile) free() {
	s.pages.SetSize(0)
	s.pages.Release()
	s.reader.Close()
}

func (s *sharedFile) list() {
	s.cost = s.pages.Resident()
	shared.unused += s.cost
	shared.n++
	s.prev, s.next = shared.tail, nil
	if s.prev != nil {
		s.prev.next = s
	} else {
		shared.head = s
	}
	shared.tail = s
}

func (s *sharedFile) unlist() {
	shared.unused -= s.cost
	shared.n--
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		shared.head = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		shared.tail = s.prev
	}
	s.prev, s.next = nil, nil
}

// DropCaches frees the pages of all host files that no machine has open.
func DropCaches() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for shared.head != nil {
		shared.head.forget()
	}
}

// fill reads from a page on.
func (s *sharedFile) fill(index uint64, p []byte) linux.Errno {
	n, errno := readFull(s.reader, p, int64(index)<<mm.PageShift)
	clear(p[n:])
	return errno
}

// readFull reads until p is full or the file ends.
func readFull(f *os.File, p []byte, off int64) (int, linux.Errno) {
	n, err := f.ReadAt(p, off)
	if n > 0 || err == nil || isEOF(err) {
		return n, 0
	}
	return 0, toErrno(err)
}
