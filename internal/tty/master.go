package tty

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// master is the other side of a terminal: the FileOps of a file opened through
// /dev/ptmx, or the end that the host drives.
type master struct {
	vfs.NoOps
	tty   *TTY
	queue vfs.WaitQueue
	ready func() // told of every change, if the host drives it

	held   bool  // TCOOFF: writing waits
	alone  bool  // TIOCEXCL, which says nothing about the slave
	packet bool  // TIOCPKT
	status uint8 // what packet mode has to tell (TIOCPKT_...)
}

// wake tells those who wait for the master side.
func (m *master) wake(events vfs.PollMask) {
	m.queue.Wake(events)
	if m.ready != nil {
		m.ready()
	}
}

// note adds to what packet mode tells.
func (m *master) note(set, forget uint8) {
	if !m.packet {
		return
	}
	m.status = m.status&^forget | set
	m.wake(vfs.PollPri | vfs.PollIn | vfs.PollRdNorm)
}

// abandoned reports whether the slave side was open and is no longer.
func (m *master) abandoned() bool { return m.tty.opened && m.tty.opens == 0 }

// Read implements vfs.FileOps. In packet mode the first byte tells what
// follows: data, or nothing but a change of status.
func (m *master) Read(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	if m.packet && m.status != 0 {
		p[0], m.status = m.status, 0
		return 1, 0
	}
	if len(m.tty.out.buf) == 0 {
		if m.abandoned() {
			return 0, linux.EIO
		}
		return 0, linux.EAGAIN
	}
	if m.packet {
		p[0] = linux.TIOCPKT_DATA
		return 1 + m.tty.drain(p[1:]), 0
	}
	return m.tty.drain(p), 0
}

// Write implements vfs.FileOps.
func (m *master) Write(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	if !m.held {
		if n := m.tty.arrive(p); n > 0 {
			return n, 0
		}
	}
	return 0, linux.EAGAIN
}

// Poll implements vfs.FileOps.
func (m *master) Poll(*vfs.File) (e vfs.PollMask) {
	if len(m.tty.out.buf) > 0 {
		e |= vfs.PollIn | vfs.PollRdNorm
	}
	if m.packet && m.status != 0 {
		e |= vfs.PollPri | vfs.PollIn | vfs.PollRdNorm
	}
	if !m.held && len(m.tty.in.arrived) < backlog {
		e |= vfs.PollOut | vfs.PollWrNorm
	}
	if m.abandoned() {
		e |= vfs.PollHup
	}
	return e
}

// Queue implements vfs.FileOps.
func (m *master) Queue(*vfs.File) *vfs.WaitQueue { return &m.queue }

// Stat implements vfs.FileOps.
func (m *master) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// Release implements vfs.FileOps.
func (m *master) Release(*vfs.File) { m.tty.closeMaster() }
