package kernel

import (
	"strings"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// Limits of execve(2).
const (
	maxArgStrlen  = 128 << 10 // MAX_ARG_STRLEN: one string
	maxInterpreps = 4         // nested #! scripts
	scriptLine    = 256       // BINPRM_BUF_SIZE
)

// execArgs is a program about to be started.
type execArgs struct {
	file    *vfs.File
	path    string // as it was found, for AT_EXECFN and comm
	interp  string // what is being started now: path, or the interpreter of a script
	argv    []string
	envp    []string
	closeFD bool // the descriptor it was opened by is close-on-exec
	secret  bool // a file of it may be executed but not read
}

// execve replaces the caller's image (execve(2)). Until the new program has
// been checked and loaded nothing changes, so that every error leaves the old
// image intact.
func (t *Task) execve(e *execArgs) linux.Errno {
	if errno := t.resolveScript(e); errno != 0 {
		return errno
	}
	bin, errno := t.openELF(e.file)
	if errno != 0 {
		return errno
	}
	defer bin.close()
	e.secret = !t.mayRead(bin.file) || bin.interp != nil && !t.mayRead(bin.interp.file)
	cred := t.execCred(e.file)
	as := mm.NewAddressSpace(t.group.cgroup.acct, t.k.peers)
	as.Limits = t.memLimits()
	img, errno := t.loadELF(as, bin)
	if errno == 0 {
		errno = t.buildStack(as, img, e, cred)
	}
	if errno != 0 {
		as.Put()
		return errno
	}
	if !t.becomeOnlyThread() {
		as.Put()
		return linux.EAGAIN // another thread is faster: this one ends
	}
	t.commitExec(e, img, as, cred)
	return 0
}

// mayRead reports whether the caller may read a program, and so may have an image
// of it.
func (t *Task) mayRead(f *vfs.File) bool {
	return vfs.Permission(t.ctx(), f.Path, vfs.MayRead) == 0
}

// becomeOnlyThread ends the other threads and makes the caller the leader
// (de_thread). Their memory and descriptors are shared with the caller, so
// they can be ended on the spot.
func (t *Task) becomeOnlyThread() bool {
	g := t.group
	if t.killed || g.exiting {
		return false
	}
	for _, u := range append([]*Task(nil), g.threads...) {
		if u == t {
			continue
		}
		if u.sched.onCPU && u.state == TaskRunning {
			t.k.cpus[u.cpu].v.Stop()
		}
		u.traceDethread()
		u.dethread()
	}
	if g.leader == t {
		return true
	}
	t.traceTakeOver(g.leader)
	// The caller takes over the leader's identity.
	old := g.leader
	g.leader = t
	t.exitSignal, t.startTime = old.exitSignal, old.startTime
	old.state = TaskDead
	t.id.detach(t)
	old.id.handOver(t)
	t.k.users.add(old.cred.UID, -1)
	g.cgroup.chargePIDs(-1)
	old.sighand.put()
	old.ns.put()
	g.threads = []*Task{t}
	return true
}

// dethread ends a thread of a process that execs.
func (u *Task) dethread() {
	if !u.exiting {
		u.exiting = true
		u.sc.active = false
		u.leaveCgroup()
		u.removeWaits()
		u.cancelFutex()
		u.unqueue()
		u.as.Put()
		u.as = nil
		u.files.put()
		u.files = nil
		u.fs.put()
		u.fs = nil
		u.exitSemaphores()
		u.state = TaskZombie
		u.noteExit(false)
	}
	if !u.isLeader() {
		u.release()
	}
}

// commitExec makes the new image the caller's. Nothing can fail from here on.
func (t *Task) commitExec(e *execArgs, img *image, as *mm.AddressSpace, cred *Cred) {
	g := t.group
	t.leaveImage()
	t.as = as
	t.execTimeNS()
	as.Exe = fileObject{e.file.Get()}
	t.comm = baseName(e.path)
	t.noteExec(e)
	t.ptraceExec(t.nr())
	t.forkNoExec, t.didExec = false, true
	t.exitSignal, g.exitSignal = linux.SIGCHLD, linux.SIGCHLD
	g.stopTimers()
	t.unshareFiles()
	t.files.closeOnExec()
	t.unshareSigHand()
	t.sighand.reset()
	t.altstack = linux.StackT{Flags: linux.SS_DISABLE}
	if cred.EUID != t.cred.EUID || cred.EGID != t.cred.EGID {
		t.pdeathsig = 0
	}
	g.dumpable = dumpUser
	if cred.EUID != cred.UID || cred.EGID != cred.GID || e.secret {
		g.dumpable = t.k.core.suidDumpable
	}
	t.cred = cred
	t.personality &^= linux.PER_CLEAR_ON_SETID * b2u(cred.EUID != cred.UID)
	t.Regs.Reset()
	t.debug, g.membarrier = nil, 0
	t.Regs.RIP = img.start
	t.Regs.GPR[cpu.RSP] = img.sp
}

// leaveImage gives up the old address space; a process that has never run has
// none.
func (t *Task) leaveImage() {
	if t.as == nil {
		return
	}
	t.usage.maxrss = max(t.usage.maxrss, int64(t.as.PeakPages()))
	t.exitRobust()
	t.exitPI()
	t.clearChildTID = 0
	t.rseq = rseqArea{}
	t.as.Put()
	t.as = nil
	t.releaseVfork()
}

func b2u(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// unshareFiles gives the caller a descriptor table of its own.
func (t *Task) unshareFiles() {
	if t.files.refs > 1 {
		own := t.files.copy()
		t.files.put()
		t.files = own
	}
}

func (t *Task) unshareSigHand() {
	if t.sighand.refs > 1 {
		own := t.sighand.copy()
		t.sighand.put()
		t.sighand = own
	}
}

// baseName is the name of a task after exec: the last component of the path,
// at most 15 bytes.
func baseName(path string) string {
	return clipComm(path[strings.LastIndexByte(path, '/')+1:])
}

func clipComm(s string) string { return s[:min(len(s), 15)] }

// resolveScript follows #! lines until e.file is a binary.
func (t *Task) resolveScript(e *execArgs) linux.Errno {
	e.interp = e.path
	for depth := 0; ; depth++ {
		var head [scriptLine]byte
		n, errno := e.file.Ops.Read(e.file, head[:], 0)
		if errno != 0 {
			return errno
		}
		line := head[:n]
		if len(line) < 2 || line[0] != '#' || line[1] != '!' {
			return 0
		}
		if depth > maxInterpreps {
			return linux.ELOOP
		}
		interp, arg, errno := parseScript(line)
		if errno != 0 {
			return errno
		}
		if e.closeFD {
			return linux.ENOENT // the interpreter could not open the script
		}
		f, errno := t.openExec(interp)
		if errno != 0 {
			return errno
		}
		e.file.Put()
		e.file = f
		argv := []string{interp}
		if arg != "" {
			argv = append(argv, arg)
		}
		argv = append(argv, e.interp)
		e.interp = interp
		if len(e.argv) > 1 {
			argv = append(argv, e.argv[1:]...)
		}
		e.argv = argv
	}
}

// parseScript splits a #! line: the interpreter and at most one argument.
func parseScript(line []byte) (interp, arg string, errno linux.Errno) {
	s := string(line[2:])
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		s = s[:i]
	} else if len(line) == scriptLine && !strings.ContainsAny(strings.TrimLeft(s, " \t"), " \t\x00") {
		return "", "", linux.ENOEXEC // the interpreter's name is cut off
	}
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	s = strings.Trim(s, " \t")
	if s == "" {
		return "", "", linux.ENOEXEC
	}
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.TrimLeft(s[i:], " \t"), 0
	}
	return s, "", 0
}

// openExec opens a file for execution.
func (t *Task) openExec(path string) (*vfs.File, linux.Errno) {
	return vfs.OpenExec(t.ctx(), t.fs.Cwd, path, 0)
}

func sysExecve(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.doExec(linux.AT_FDCWD, a[0], a[1], a[2], 0)
}

func sysExecveat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[4]&^(linux.AT_EMPTY_PATH|linux.AT_SYMLINK_NOFOLLOW) != 0 {
		return 0, linux.EINVAL
	}
	return t.doExec(int(int32(a[0])), a[1], a[2], a[3], a[4])
}

func (t *Task) doExec(dirfd int, pathAddr, argv, envp, flags uint64) (uint64, linux.Errno) {
	path, errno := t.path(pathAddr)
	if errno != 0 {
		return 0, errno
	}
	e := execArgs{path: path}
	start := t.fs.Cwd
	if dirfd != linux.AT_FDCWD && !strings.HasPrefix(path, "/") {
		f, errno := t.anyFile(uint64(dirfd))
		if errno != 0 {
			return 0, errno
		}
		start = f.Path
		e.path = execfdPath(dirfd, path)
		e.closeFD = t.files.slots[dirfd].cloexec
	}
	f, errno := vfs.OpenExec(t.ctx(), start, path, flags)
	if errno != 0 {
		return t.fileWait(nil, 0, errno)
	}
	e.file = f
	defer func() { e.file.Put() }()
	if e.argv, errno = t.stringVector(argv); errno != 0 {
		return 0, errno
	}
	if e.envp, errno = t.stringVector(envp); errno != 0 {
		return 0, errno
	}
	if len(e.argv) == 0 {
		e.argv = []string{""} // since Linux 5.18
	}
	return t.fileWait(nil, 0, t.execve(&e))
}

// execfdPath is the name of a program started through a descriptor.
func execfdPath(fd int, path string) string {
	s := "/dev/fd/" + itoa(fd)
	if path != "" {
		s += "/" + path
	}
	return s
}

// getPointer reads the i-th pointer of an array.
func (t *Task) getPointer(addr, i uint64) (uint64, linux.Errno) {
	if t.sc.gate32 {
		p, errno := t.getUint32(addr + 4*i)
		return uint64(p), errno
	}
	return t.getUint64(addr + 8*i)
}

// stringVector reads an argv or envp array.
func (t *Task) stringVector(addr uint64) (list []string, errno linux.Errno) {
	if addr == 0 {
		return nil, 0
	}
	limit := max(t.rlimit(linux.RLIMIT_STACK)/4, maxArgStrlen)
	limit = min(limit, 6<<20) // three quarters of _STK_LIM
	var total uint64
	list = make([]string, 0, 16)
	for i := uint64(0); ; i++ {
		p, errno := t.getPointer(addr, i)
		if errno != 0 {
			return nil, errno
		}
		if p == 0 {
			return list, 0
		}
		s, errno := t.as.CopyInString(p, maxArgStrlen-1)
		if errno == linux.ENAMETOOLONG {
			return nil, linux.E2BIG
		}
		if errno != 0 {
			return nil, errno
		}
		if total += uint64(len(s)) + 9; total > limit {
			return nil, linux.E2BIG
		}
		list = append(list, s)
	}
}
