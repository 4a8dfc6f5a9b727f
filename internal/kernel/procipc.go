package kernel

import (
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/ipc"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// procIPC is a file of /proc/sysvipc: it shows the objects of the reader's
// namespace.
func procIPC(read func(t *Task) string) *synthfs.Node {
	return &synthfs.Node{Mode: 0o444, Read: func(c *vfs.Context) ([]byte, linux.Errno) {
		t, ok := c.Task.(*Task)
		if !ok {
			return nil, linux.EPERM
		}
		return []byte(read(t)), 0
	}}
}

// ipcOwners are the four ids of an object as the reader knows them.
func (t *Task) ipcOwners(p *ipc.Perm) string {
	ns := t.cred.user
	return fmt.Sprintf("%5d %5d %5d %5d", ns.uidOut(p.UID), ns.gidOut(p.GID), ns.uidOut(p.CUID), ns.gidOut(p.CGID))
}

func (t *Task) procShm() string {
	var b strings.Builder
	b.WriteString("       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n")
	for s := range t.ns.ipc.Shm.All() {
		fmt.Fprintf(&b, "%10d %10d  %4o %21d %5d %5d  %5d %s %10d %10d %10d %21d %21d\n",
			s.Key, s.ID(), s.ShownMode(), s.Size, s.CPID, s.LPID, t.k.attached(s), t.ipcOwners(&s.Perm),
			s.ATime, s.DTime, s.CTime, s.Cache().Resident()<<12, 0)
	}
	return b.String()
}

func (t *Task) procSem() string {
	var b strings.Builder
	b.WriteString("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n")
	for s := range t.ns.ipc.Sem.All() {
		fmt.Fprintf(&b, "%10d %10d  %4o %10d %s %10d %10d\n", s.Key, s.ID(), s.Mode, len(s.Sems), t.ipcOwners(&s.Perm), s.OTime, s.CTime)
	}
	return b.String()
}

func (t *Task) procMsg() string {
	var b strings.Builder
	b.WriteString("       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n")
	for q := range t.ns.ipc.Msg.All() {
		n, bytes := q.Contents()
		fmt.Fprintf(&b, "%10d %10d  %4o  %10d %10d %5d %5d %s %10d %10d %10d\n",
			q.Key, q.ID(), q.Mode, bytes, n, q.LSPID, q.LRPID, t.ipcOwners(&q.Perm), q.STime, q.RTime, q.CTime)
	}
	return b.String()
}
