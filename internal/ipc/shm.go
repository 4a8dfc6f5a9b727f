package ipc

import (
	"fmt"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// Segment is a shared memory segment (shmget(2)). It is the mm.Object that
// address spaces map.
type Segment struct {
	Perm
	Size         uint64
	CPID, LPID   int // creator, and who attached or detached last
	ATime, DTime int64
	CTime        int64

	ns    *Namespace
	cache *mm.PageCache
	holds int  // by address spaces
	dest  bool // IPC_RMID was done; goes with the last attachment
}

// shmMax is the largest segment: kernel.shmmax.
const shmMax = 1<<64 - 1 - 1<<24

// Shmget finds or makes a segment. The pages are charged to acct.
func (n *Namespace) Shmget(c *Caller, key int32, size uint64, flags uint32, acct *mm.Account) (int, linux.Errno) {
	return n.Shm.get(c, key, flags, func(s *Segment) linux.Errno {
		if s.Size < size {
			return linux.EINVAL
		}
		return 0
	}, func(p Perm) (*Segment, linux.Errno) {
		switch {
		case size < 1 || size > shmMax:
			return nil, linux.EINVAL
		case flags&linux.SHM_HUGETLB != 0:
			return nil, linux.ENOMEM // the pool of huge pages is empty
		case acct != nil && acct.Limit() != 0 && size > uint64(acct.Limit()) && flags&linux.SHM_NORESERVE == 0, size >= 1<<47:
			return nil, linux.ENOMEM
		}
		s := &Segment{Perm: p, Size: size, CPID: c.PID, CTime: c.Now, ns: n, cache: mm.NewPageCache(acct, nil)}
		s.cache.SetSize(int64((size + mm.PageSize - 1) &^ (mm.PageSize - 1)))
		return s, 0
	})
}

// Cache implements mm.Object.
func (s *Segment) Cache() *mm.PageCache { return s.cache }

// Hold implements mm.Object.
func (s *Segment) Hold() { s.holds++ }

// Drop implements mm.Object.
func (s *Segment) Drop() {
	s.holds--
	s.destroy()
}

// destroy frees a segment that has been removed and is not attached.
func (s *Segment) destroy() {
	if s.dest && s.holds == 0 && !s.removed {
		s.ns.Shm.remove(s)
		s.cache.Release()
	}
}

// Describe implements mm.Object.
func (s *Segment) Describe() (path string, dev, ino uint64) {
	return fmt.Sprintf("/SYSV%08x (deleted)", uint32(s.Key)), 1, uint64(s.id)
}

// Remove is IPC_RMID.
func (s *Segment) Remove() {
	s.Key, s.dest = linux.IPC_PRIVATE, true
	s.destroy()
}

// Set is IPC_SET, from a struct shmid64_ds.
func (s *Segment) Set(c *Caller, b []byte) {
	s.set(b)
	s.CTime = c.Now
}

// ShownMode is the mode with SHM_DEST for a segment that goes with its last
// attachment.
func (s *Segment) ShownMode() uint32 {
	if s.dest {
		return s.Mode | linux.SHM_DEST
	}
	return s.Mode
}

// SizeofShmid is the size of struct shmid64_ds.
const SizeofShmid = 112

// Encode writes struct shmid64_ds; attached is the number of attachments.
func (s *Segment) Encode(b []byte, attached int) {
	clear(b[:SizeofShmid])
	s.encode(b)
	le.PutUint32(b[20:], s.ShownMode())
	for i, v := range []int64{int64(s.Size), s.ATime, s.DTime, s.CTime} {
		le.PutUint64(b[48+8*i:], uint64(v))
	}
	le.PutUint32(b[80:], uint32(s.CPID))
	le.PutUint32(b[84:], uint32(s.LPID))
	le.PutUint64(b[88:], uint64(attached))
}

// Lock is SHM_LOCK and SHM_UNLOCK. Memory is never swapped.
func (s *Segment) Lock(on bool) {
	s.Mode &^= linux.SHM_LOCKED
	if on {
		s.Mode |= linux.SHM_LOCKED
	}
}

// Pages is the number of pages of all segments.
func (n *Namespace) Pages() (pages uint64) {
	for _, s := range n.Shm.slots {
		if s != nil {
			pages += (s.Size + mm.PageSize - 1) / mm.PageSize
		}
	}
	return pages
}

// Limits of shared memory, as IPC_INFO tells them.
const (
	SizeofShminfo = 72
	SizeofShmInfo = 48
	shmMni        = 4096
)

// EncodeShminfo writes struct shminfo64.
func EncodeShminfo(b []byte) {
	clear(b[:SizeofShminfo])
	for i, v := range []uint64{shmMax, 1, shmMni, shmMni, shmMax} {
		le.PutUint64(b[8*i:], v)
	}
}

// EncodeShmInfo writes struct shm_info.
func (n *Namespace) EncodeShmInfo(b []byte) {
	clear(b[:SizeofShmInfo])
	le.PutUint32(b, uint32(n.Shm.count))
	le.PutUint64(b[8:], n.Pages())
	le.PutUint64(b[16:], n.Pages())
}
