package kernel

import (
	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// pidfd is an open file that refers to a process (pidfd_open(2)). It becomes
// readable when the process ends.
type pidfd struct {
	vfs.NoOps
	g *Group
}

func (k *Kernel) newPidfd() *vfs.File {
	return vfs.NewFile(&pidfd{}, linux.O_RDWR)
}

func (k *Kernel) bindPidfd(f *vfs.File, g *Group) { f.Ops.(*pidfd).g = g }

// Poll implements vfs.FileOps.
func (p *pidfd) Poll(*vfs.File) vfs.PollMask {
	if p.g.zombie {
		return vfs.PollIn | vfs.PollRdNorm
	}
	return 0
}

// Queue implements vfs.FileOps.
func (p *pidfd) Queue(*vfs.File) *vfs.WaitQueue { return &p.g.exitq }

// Stat implements vfs.FileOps.
func (p *pidfd) Stat(*vfs.File) (linux.Stat, linux.Errno) {
	return vfs.AnonStat(), 0
}

// pidfdGroup finds the process that a pidfd argument names.
func (t *Task) pidfdGroup(fd uint64) (*Group, *vfs.File, linux.Errno) {
	f, errno := t.file(fd)
	if errno != 0 {
		return nil, nil, errno
	}
	p, ok := f.Ops.(*pidfd)
	if !ok {
		return nil, f, linux.EBADF
	}
	return p.g, f, 0
}

func sysPidfdOpen(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	pid := int(int32(a[0]))
	if a[1]&^linux.O_NONBLOCK != 0 || pid <= 0 {
		return 0, linux.EINVAL
	}
	u := t.pidNS().task(pid)
	if u == nil {
		return 0, linux.ESRCH
	}
	if !u.isLeader() {
		return 0, linux.EINVAL
	}
	f := t.k.newPidfd()
	f.Flags |= uint32(a[1])
	t.k.bindPidfd(f, u.group)
	return t.installFD(f, true)
}

func sysPidfdSendSignal(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	sig := linux.Signal(int32(a[1]))
	if a[3] != 0 {
		return 0, linux.EINVAL
	}
	g, errno := t.signalTarget(a[0])
	if errno != 0 {
		return 0, errno
	}
	if sig < 0 || sig > linux.NSIG {
		return 0, linux.EINVAL
	}
	if g.leader.state == TaskDead {
		return 0, linux.ESRCH
	}
	if a[2] == 0 {
		return 0, t.killGroup(g, sig)
	}
	signo, errno := t.getUint32(a[2])
	if errno != 0 {
		return 0, errno
	}
	if linux.Signal(signo) != sig {
		return 0, linux.EINVAL
	}
	info, errno := t.queueInfo(a[2], sig, g.nrFor(t))
	if errno != 0 {
		return 0, errno
	}
	if !t.maySignal(g, sig) {
		return 0, linux.EPERM
	}
	return 0, t.sendSignal(g, nil, sig, info)
}

// signalTarget finds the process that a pidfd, or an open /proc/PID, names.
func (t *Task) signalTarget(fd uint64) (*Group, linux.Errno) {
	g, f, errno := t.pidfdGroup(fd)
	if errno == linux.EBADF && f != nil {
		if g, ok := synthfs.ObjectOf(f.Path.Inode()).(*Group); ok {
			return g, 0
		}
	}
	return g, errno
}

func sysPidfdGetfd(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[2] != 0 {
		return 0, linux.EINVAL
	}
	g, _, errno := t.pidfdGroup(a[0])
	if errno != 0 {
		return 0, errno
	}
	if g.leader.state == TaskDead || g.zombie {
		return 0, linux.ESRCH
	}
	if _, errno := t.otherMemory(g.nrFor(t)); errno != 0 {
		return 0, errno
	}
	f, errno := g.livingThread().files.lookup(int(int32(a[1])))
	if errno != 0 {
		return 0, errno
	}
	return t.installFD(f.Get(), true)
}
