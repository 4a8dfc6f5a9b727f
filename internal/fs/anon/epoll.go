package anon

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Epoll is an epoll instance (epoll(7)).
type Epoll struct {
	vfs.NoOps
	items map[itemKey]*item
	queue vfs.WaitQueue
	seq   uint64
	// The ready list: items that may have something to report, in order.
	first, last *item
}

// itemKey is how an instance knows an interest: by description and number.
type itemKey struct {
	file *vfs.File
	fd   int
}

// item is one entry of the interest list.
type item struct {
	ep     *Epoll
	key    itemKey
	event  linux.EpollEvent
	seq    uint64 // in order of adding
	wait   vfs.WaitEntry
	off    bool // disabled by EPOLLONESHOT until the next EPOLL_CTL_MOD
	listed bool
	next   *item
}

// Flags of an interest that are no events.
const epollFlags = linux.EPOLLET | linux.EPOLLONESHOT | linux.EPOLLWAKEUP | linux.EPOLLEXCLUSIVE

// exclusiveOK are the events and flags that go with EPOLLEXCLUSIVE.
const exclusiveOK = linux.EPOLLIN | linux.EPOLLOUT | linux.EPOLLERR | linux.EPOLLHUP |
	linux.EPOLLWAKEUP | linux.EPOLLET | linux.EPOLLEXCLUSIVE

// maxNesting is how deep instances may watch each other.
const maxNesting = 5

// NewEpoll makes an empty instance.
func NewEpoll() *Epoll { return &Epoll{items: make(map[itemKey]*item)} }

// Wake implements vfs.Waiter: the watched file may be ready.
func (it *item) Wake(_ *vfs.WaitEntry, events vfs.PollMask) {
	const always = vfs.PollErr | vfs.PollHup
	if it.off || events != 0 && events&(vfs.PollMask(it.event.Events)|always) == 0 {
		return
	}
	it.ep.list(it)
	it.ep.queue.Wake(vfs.PollIn | vfs.PollRdNorm)
}

// list puts an item at the end of the ready list.
func (ep *Epoll) list(it *item) {
	if it.listed {
		return
	}
	it.listed, it.next = true, nil
	if ep.last != nil {
		ep.last.next = it
	} else {
		ep.first = it
	}
	ep.last = it
}

// unlist takes an item off the ready list.
func (ep *Epoll) unlist(it *item) {
	if !it.listed {
		return
	}
	it.listed = false
	var prev *item
	for p := ep.first; p != it; p = p.next {
		prev = p
	}
	if prev == nil {
		ep.first = it.next
	} else {
		prev.next = it.next
	}
	if ep.last == it {
		ep.last = prev
	}
}

// ready gives the events of interest that are true now.
func (it *item) ready() uint32 {
	want := it.event.Events&^uint32(epollFlags) | linux.EPOLLERR | linux.EPOLLHUP
	return uint32(it.key.file.Ops.Poll(it.key.file)) & want
}

// Control is epoll_ctl(2).
func (ep *Epoll) Control(op int, fd int, f *vfs.File, ev linux.EpollEvent) linux.Errno {
	if f.Ops.Queue(f) == nil {
		return linux.EPERM
	}
	key := itemKey{f, fd}
	it := ep.items[key]
	switch op {
	case linux.EPOLL_CTL_ADD:
		return ep.add(key, it, ev)
	case linux.EPOLL_CTL_MOD:
		if it == nil {
			return linux.ENOENT
		}
		if (it.event.Events|ev.Events)&linux.EPOLLEXCLUSIVE != 0 {
			return linux.EINVAL
		}
		it.event, it.off = ev, false
		ep.recheck(it)
	case linux.EPOLL_CTL_DEL:
		if it == nil {
			return linux.ENOENT
		}
		ep.remove(it)
	default:
		return linux.EINVAL
	}
	return 0
}

func (ep *Epoll) add(key itemKey, old *item, ev linux.EpollEvent) linux.Errno {
	if old != nil {
		return linux.EEXIST
	}
	if ev.Events&linux.EPOLLEXCLUSIVE != 0 && ev.Events&^uint32(exclusiveOK) != 0 {
		return linux.EINVAL
	}
	if child, ok := key.file.Ops.(*Epoll); ok {
		if child == ep || child.reaches(ep, 0) || child.depth() >= maxNesting-1 {
			return linux.ELOOP
		}
		if ev.Events&linux.EPOLLEXCLUSIVE != 0 {
			return linux.EINVAL
		}
	}
	ep.seq++
	it := &item{ep: ep, key: key, event: ev, seq: ep.seq}
	it.wait.Waiter = it
	ep.items[key] = it
	q := key.file.Ops.Queue(key.file)
	if ev.Events&linux.EPOLLEXCLUSIVE != 0 {
		q.Add(&it.wait)
	} else {
		q.AddFirst(&it.wait)
	}
	key.file.OnRelease(func() {
		if ep.items[key] == it {
			ep.remove(it)
		}
	})
	ep.recheck(it)
	return 0
}

// recheck lists an item that is ready already.
func (ep *Epoll) recheck(it *item) {
	if it.ready() != 0 {
		it.Wake(nil, 0)
	}
}

func (ep *Epoll) remove(it *item) {
	it.wait.Remove()
	ep.unlist(it)
	delete(ep.items, it.key)
}

// reaches reports whether ep watches target, directly or through others.
func (ep *Epoll) reaches(target *Epoll, depth int) bool {
	for k := range ep.items {
		if c, ok := k.file.Ops.(*Epoll); ok && depth < maxNesting && (c == target || c.reaches(target, depth+1)) {
			return true
		}
	}
	return false
}

// depth is the length of the longest chain of instances below ep.
func (ep *Epoll) depth() (d int) {
	for k := range ep.items {
		if c, ok := k.file.Ops.(*Epoll); ok {
			d = max(d, 1+c.depth())
		}
	}
	return d
}

// FDInfo is what /proc/PID/fdinfo shows: the interests, by number.
func (ep *Epoll) FDInfo() string {
	list := make([]*item, 0, len(ep.items))
	for _, it := range ep.items {
		list = append(list, it)
	}
	slices.SortFunc(list, func(a, b *item) int {
		return cmp.Or(cmp.Compare(a.key.fd, b.key.fd), cmp.Compare(a.seq, b.seq))
	})
	var b strings.Builder
	for _, it := range list {
		st, _ := vfs.Fstat(it.key.file)
		events := it.event.Events | linux.EPOLLERR | linux.EPOLLHUP
		if it.off {
			events &= epollFlags
		}
		fmt.Fprintf(&b, "tfd: %8d events: %8x data: %16x  pos:%d ino:%x sdev:%x\n", it.key.fd, events, it.event.Data, it.key.file.Pos, st.Ino, st.Dev)
	}
	return b.String()
}

// Target is the nth file that is watched under the number fd. More than one is
// if a descriptor was closed, but not its file, and the number used again.
func (ep *Epoll) Target(fd, nth int) (*vfs.File, bool) {
	var found []*item
	for k, it := range ep.items {
		if k.fd == fd {
			found = append(found, it)
		}
	}
	if nth < 0 || nth >= len(found) {
		return nil, false
	}
	slices.SortFunc(found, func(a, b *item) int { return cmp.Compare(a.seq, b.seq) })
	return found[nth].key.file, true
}

// Collect reports up to n events and returns them. Level-triggered items that
// are still ready go to the end of the list, so that all get their turn.
func (ep *Epoll) Collect(n int) (out []linux.EpollEvent) {
	it, last := ep.first, ep.last
	for it != nil && len(out) < n {
		next, done := it.next, it == last
		ep.unlist(it)
		if got := it.ready(); got != 0 {
			out = append(out, linux.EpollEvent{Events: got, Data: it.event.Data})
			switch {
			case it.event.Events&linux.EPOLLONESHOT != 0:
				it.off = true
			case it.event.Events&linux.EPOLLET == 0:
				ep.list(it)
			}
		}
		if done {
			break
		}
		it = next
	}
	return out
}

// Poll implements vfs.FileOps.
func (ep *Epoll) Poll(*vfs.File) vfs.PollMask {
	for it := ep.first; it != nil; it = it.next {
		if it.ready() != 0 {
			return vfs.PollIn | vfs.PollRdNorm
		}
	}
	return 0
}

// Queue implements vfs.FileOps.
func (ep *Epoll) Queue(*vfs.File) *vfs.WaitQueue { return &ep.queue }

// Stat implements vfs.FileOps.
func (ep *Epoll) Stat(*vfs.File) (linux.Stat, linux.Errno) { return vfs.AnonStat(), 0 }

// Release implements vfs.FileOps.
func (ep *Epoll) Release(*vfs.File) {
	for _, it := range ep.items {
		it.wait.Remove()
	}
	ep.items, ep.first, ep.last = nil, nil, nil
}
