package kernel

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/fs/anon"
	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// The open files of a process in /proc: fd, fdinfo, and locks.

// procFDs is a directory with an entry for each descriptor.
func (k *Kernel) procFDs(t *Task, mode uint32, make func(t *Task, fd int) *synthfs.Node) *synthfs.Node {
	return &synthfs.Node{
		Mode: mode,
		List: func(*vfs.Context, int64) (list []synthfs.Entry) {
			if t.files == nil {
				return nil
			}
			for fd, s := range t.files.slots {
				if s.file != nil {
					list = append(list, synthfs.Entry{Name: strconv.Itoa(fd), Node: make(t, fd), Pos: int64(fd) + 2})
				}
			}
			return list
		},
		Lookup: func(_ *vfs.Context, name string) *synthfs.Node {
			fd, err := strconv.Atoi(name)
			if err != nil || t.files == nil || strconv.Itoa(fd) != name {
				return nil
			}
			if _, errno := t.files.lookup(fd); errno != 0 {
				return nil
			}
			return make(t, fd)
		},
	}
}

func (k *Kernel) procFDLink(t *Task, fd int) *synthfs.Node {
	n := &synthfs.Node{Mode: 0o500, Ino: procIno(t, 1024+fd), Permit: t.procPermit}
	f := t.files.slots[fd].file
	if f.Writable() {
		n.Mode |= 0o200
	}
	n.Link = func(c *vfs.Context) (string, linux.Errno) {
		if f.Path.Dentry != nil {
			name, _ := f.Path.Name(c.Root)
			return name, 0
		}
		return anonName(f), 0
	}
	n.Follow = func(c *vfs.Context) (vfs.Path, linux.Errno) {
		if f.Path.Dentry != nil {
			return f.Path.Get(), 0
		}
		return k.sys.anonPath(c, f)
	}
	return n
}

// anonName is what readlink shows of a file without a name.
func anonName(f *vfs.File) string {
	st, _ := f.Ops.Stat(f)
	switch st.Mode & linux.S_IFMT {
	case linux.S_IFIFO:
		return fmt.Sprintf("pipe:[%d]", st.Ino)
	case linux.S_IFSOCK:
		return fmt.Sprintf("socket:[%d]", st.Ino)
	case linux.S_IFCHR:
		return fmt.Sprintf("/dev/host:[%d]", st.Ino)
	}
	switch o := f.Ops.(type) {
	case *memfd:
		return o.name + " (deleted)"
	case *nsFile:
		return fmt.Sprintf("%s:[%d]", o.kind.kind, o.ref.ino)
	case *anon.Epoll:
		return "anon_inode:[eventpoll]"
	case mqFile:
		if o.q.name == "" {
			return "/ (deleted)"
		}
		return "/" + o.q.name
	case *seccompListener:
		return "anon_inode:seccomp notify"
	case *vfs.Inotify:
		return "anon_inode:inotify"
	}
	kind := fmt.Sprintf("%T", f.Ops)
	return "anon_inode:[" + strings.ToLower(kind[strings.LastIndexByte(kind, '.')+1:]) + "]"
}

// fdInfo is implemented by files that show more of themselves in fdinfo.
type fdInfo interface{ FDInfo() string }

func (k *Kernel) procFDInfo(t *Task, fd int) *synthfs.Node {
	return &synthfs.Node{Mode: 0o444, Read: func(c *vfs.Context) ([]byte, linux.Errno) {
		f, errno := t.files.lookup(fd)
		if errno != 0 {
			return nil, linux.ENOENT
		}
		reader, _ := c.Task.(*Task)
		return []byte(t.fdInfo(f, t.files.slots[fd].cloexec, reader)), 0
	}}
}

// fdInfo describes an open file as proc(5) says.
func (t *Task) fdInfo(f *vfs.File, cloexec bool, reader *Task) string {
	flags, mount := f.Flags, 0
	if cloexec {
		flags |= linux.O_CLOEXEC
	}
	if f.Path.Mount != nil {
		mount = f.Path.Mount.ID
	}
	st, _ := vfs.Fstat(f)
	var b strings.Builder
	fmt.Fprintf(&b, "pos:\t%d\nflags:\t0%o\nmnt_id:\t%d\nino:\t%d\n", f.Pos, flags, mount, st.Ino)
	for i, l := range vfs.FileLocks(f) {
		fmt.Fprintf(&b, "lock:\t%d: %s\n", i+1, reader.lockLine(&l))
	}
	switch o := f.Ops.(type) {
	case fdInfo:
		b.WriteString(o.FDInfo())
	case *pidfd:
		nr, levels := -1, ""
		if o.g.leader.state != TaskDead {
			nr = o.g.nrFor(t)
			levels = "\nNSpid:" + o.g.leader.id.levels(t.pidNS())
		}
		fmt.Fprintf(&b, "Pid:\t%d%s\n", nr, levels)
	}
	return b.String()
}

// lockLine describes a lock as /proc/locks does, without its number.
func (t *Task) lockLine(l *vfs.LockInfo) string {
	mode, end := "READ", "EOF"
	if l.Exclusive {
		mode = "WRITE"
	}
	if l.End != maxFileSize {
		end = strconv.FormatInt(l.End, 10)
	}
	pid := int32(l.PID)
	if t != nil {
		pid = t.lockOwner(l.PID)
	}
	state := "ADVISORY"
	if l.State != "" {
		state, mode = l.State, l.Mode
	}
	return fmt.Sprintf("%-6s %-9s %s %d %02x:%02x:%d %d %s", l.Kind, state, mode, pid, linux.Major(l.Dev), linux.Minor(l.Dev), l.Ino, l.Start, end)
}

// procLocks is /proc/locks. Behind each lock are those who wait for it.
func (k *Kernel) procLocks(c *vfs.Context) ([]byte, linux.Errno) {
	reader, _ := c.Task.(*Task)
	var b strings.Builder
	n := 0
	var seen vfs.LockSet
	k.pids.each(func(t *Task) {
		if t.files == nil {
			return
		}
		for _, s := range t.files.slots {
			if s.file == nil || !seen.Add(s.file) {
				continue
			}
			waiting := k.lockWaiters(s.file)
			for _, l := range vfs.FileLocks(s.file) {
				n++
				fmt.Fprintf(&b, "%d: %s\n", n, reader.lockLine(&l))
				for i := range waiting {
					if w := &waiting[i]; w.Kind != "" && w.Blocks(&l) {
						fmt.Fprintf(&b, "%d: -> %s\n", n, reader.lockLine(w))
						w.Kind = ""
					}
				}
			}
		}
	})
	return []byte(b.String()), 0
}

// lockWaiters are the locks of a file that sleeping tasks ask for.
func (k *Kernel) lockWaiters(f *vfs.File) (list []vfs.LockInfo) {
	dev, ino := vfs.LockPlace(f)
	k.pids.each(func(t *Task) {
		if t.state != TaskSleeping || t.files == nil {
			return
		}
		g, errno := t.anyFile(t.sc.args[0])
		if errno != 0 || !vfs.SharesLocks(f, g) {
			return
		}
		l := vfs.LockInfo{Kind: "FLOCK", PID: t.group.pid, Dev: dev, Ino: ino, End: maxFileSize}
		switch {
		case t.sc.nr == linux.SYS_flock:
			l.Exclusive = t.sc.args[1]&linux.LOCK_EX != 0
		case t.sc.nr == linux.SYS_fcntl && (t.sc.args[1] == linux.F_SETLKW || t.sc.args[1] == linux.F_OFD_SETLKW):
			var fl linux.Flock
			if t.getStruct(t.sc.args[2], &fl, linux.SizeofFlock) != 0 {
				return
			}
			r, errno := t.lockRange(g, &fl)
			if errno != 0 {
				return
			}
			l.Kind, l.Exclusive, l.Start, l.End = "POSIX", r.Type == linux.F_WRLCK, r.Start, r.End
			if t.sc.args[1] == linux.F_OFD_SETLKW {
				l.Kind, l.PID = "OFDLCK", -1
			}
		default:
			return
		}
		list = append(list, l)
	})
	return list
}
