package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// sysPoll is poll(2): fds, nfds, timeout in milliseconds.
func sysPoll(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	ms := int64(int32(a[2]))
	ns := int64(-1)
	if ms >= 0 {
		ns = ms * 1e6
	}
	t.setTimeout(ns)
	return t.poll(a[0], a[1], linux.ERESTART_RESTARTBLOCK)
}

// sysPpoll is ppoll(2): fds, nfds, timespec, sigmask, its size. The time left
// is stored back.
func sysPpoll(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if errno := t.timeoutArg(a[2]); errno != 0 {
		return 0, errno
	}
	if errno := t.maskArg(a[3], a[4]); errno != 0 {
		return 0, errno
	}
	ret, errno := t.poll(a[0], a[1], linux.ERESTARTNOHAND)
	if a[2] != 0 && (errno != eBlock || t.interrupted()) {
		left := nsTimespec(max(t.sc.deadline-t.k.now(), 0))
		t.putStruct(a[2], &left, linux.SizeofTimespec)
	}
	return ret, errno
}

// maskArg replaces the signal mask for the duration of the call, the first
// time the handler runs.
func (t *Task) maskArg(addr, size uint64) linux.Errno {
	if addr == 0 || t.sc.step != 0 {
		return 0
	}
	if size != sigsetSize {
		return linux.EINVAL
	}
	set, errno := t.getSigset(addr)
	if errno != 0 {
		return errno
	}
	t.suspendMask(set)
	t.sc.step = 1
	return 0
}

// pollFile returns what is true of a descriptor out of what is asked for.
// Errors and hang-ups are always reported.
func (t *Task) pollFile(fd uint64, events vfs.PollMask) (*vfs.File, vfs.PollMask) {
	f, errno := t.file(fd)
	if errno != 0 {
		return nil, vfs.PollNval
	}
	return f, f.Ops.Poll(f) & (events | vfs.PollErr | vfs.PollHup)
}

func (t *Task) poll(addr, n uint64, intr linux.Errno) (uint64, linux.Errno) {
	if n > t.rlimit(linux.RLIMIT_NOFILE) {
		return 0, linux.EINVAL
	}
	buf := make([]byte, n*linux.SizeofPollfd)
	if errno := t.copyIn(addr, buf); errno != 0 {
		return 0, errno
	}
	le := binary.LittleEndian
	ready := uint64(0)
	files := make([]*vfs.File, n)
	for i := range files {
		p := buf[i*linux.SizeofPollfd:]
		le.PutUint16(p[6:], 0)
		if int32(le.Uint32(p)) < 0 {
			continue
		}
		var got vfs.PollMask
		files[i], got = t.pollFile(uint64(le.Uint32(p)), vfs.PollMask(le.Uint16(p[4:])))
		if got != 0 {
			ready++
			le.PutUint16(p[6:], uint16(got))
		}
	}
	if ready > 0 || t.timedOut() {
		// Only revents may be written.
		for i := range files {
			p := buf[i*linux.SizeofPollfd:]
			if errno := t.copyOut(addr+uint64(i)*linux.SizeofPollfd+6, p[6:8]); errno != 0 {
				return 0, errno
			}
		}
		return ready, 0
	}
	t.waitFiles(files)
	return t.block(intr)
}

// waitFiles waits on the queues of all files that are not nil.
func (t *Task) waitFiles(files []*vfs.File) {
	t.expectWaits(len(files))
	for _, f := range files {
		if f != nil {
			t.waitOn(f.Ops.Queue(f))
		}
	}
}

// sysSelect is select(2): nfds, three sets, timeval. The time left is stored
// back.
func sysSelect(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if t.sc.deadline == 0 {
		ns := int64(-1)
		if a[4] != 0 {
			var tv linux.Timeval
			if errno := t.getStruct(a[4], &tv, linux.SizeofTimeval); errno != 0 {
				return 0, errno
			}
			tv.Sec, tv.Usec = tv.Sec+tv.Usec/1e6, tv.Usec%1e6
			var errno linux.Errno
			if ns, errno = timevalNS(tv); errno != 0 {
				return 0, errno
			}
		}
		t.setTimeout(ns)
	}
	ret, errno := t.selectSets(a)
	if a[4] != 0 && (errno != eBlock || t.interrupted()) {
		left := nsTimeval(max(t.sc.deadline-t.k.now(), 0))
		t.putStruct(a[4], &left, linux.SizeofTimeval)
	}
	return ret, errno
}

// sysPselect6 is pselect6(2): as select with a timespec and, behind the sixth
// argument, a signal mask and its size.
func sysPselect6(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if errno := t.timeoutArg(a[4]); errno != 0 {
		return 0, errno
	}
	if a[5] != 0 {
		mask, errno := t.getUint64(a[5])
		if errno != 0 {
			return 0, errno
		}
		size, errno := t.getUint64(a[5] + 8)
		if errno != 0 {
			return 0, errno
		}
		if errno := t.maskArg(mask, size); errno != 0 {
			return 0, errno
		}
	}
	ret, errno := t.selectSets(a)
	if a[4] != 0 && (errno != eBlock || t.interrupted()) {
		left := nsTimespec(max(t.sc.deadline-t.k.now(), 0))
		t.putStruct(a[4], &left, linux.SizeofTimespec)
	}
	return ret, errno
}

// The events that put a descriptor into each of select's sets.
var selectEvents = [3]vfs.PollMask{
	vfs.PollIn | vfs.PollRdNorm | vfs.PollRdBand | vfs.PollHup | vfs.PollErr,
	vfs.PollOut | vfs.PollWrNorm | vfs.PollWrBand | vfs.PollErr,
	vfs.PollPri,
}

func (t *Task) selectSets(a *[6]uint64) (uint64, linux.Errno) {
	if int32(a[0]) < 0 {
		return 0, linux.EINVAL
	}
	n := min(int(int32(a[0])), max(len(t.files.slots), 64))
	size := (n + 63) / 64 * 8
	var in, out [3][]byte
	for s := range in {
		in[s], out[s] = make([]byte, size), make([]byte, size)
		if a[1+s] != 0 {
			if errno := t.copyIn(a[1+s], in[s]); errno != 0 {
				return 0, errno
			}
		}
	}
	ready := uint64(0)
	var files []*vfs.File
	for fd := range n {
		bit := byte(1) << (fd & 7)
		var events vfs.PollMask
		for s := range in {
			if in[s][fd/8]&bit != 0 {
				events |= selectEvents[s]
			}
		}
		if events == 0 {
			continue
		}
		f, got := t.pollFile(uint64(fd), events)
		if f == nil {
			return 0, linux.EBADF
		}
		files = append(files, f)
		for s := range in {
			if in[s][fd/8]&bit != 0 && got&selectEvents[s] != 0 {
				out[s][fd/8] |= bit
				ready++
			}
		}
	}
	if ready == 0 && !t.timedOut() {
		t.waitFiles(files)
		return t.block(linux.ERESTARTNOHAND)
	}
	for s := range out {
		if a[1+s] != 0 {
			if errno := t.copyOut(a[1+s], out[s]); errno != 0 {
				return 0, errno
			}
		}
	}
	return ready, 0
}
