package net

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

var le, be = binary.LittleEndian, binary.BigEndian

// Socket is an open socket.
type Socket interface {
	vfs.FileOps

	// Common is the part of the state that all families have.
	Common() *SocketCommon

	Bind(c *Caller, addr []byte) linux.Errno
	Listen(c *Caller, backlog int) linux.Errno
	// Connect begins a connection, or continues one: EINPROGRESS when it has
	// begun and EALREADY while it goes on, EAGAIN (AF_UNIX) while the
	// listener's backlog is full.
	Connect(c *Caller, addr []byte) linux.Errno
	// Accept takes the next connection: EAGAIN if there is none.
	Accept(c *Caller) (Socket, linux.Errno)
	// SendMsg sends as much of m as has room, RecvMsg receives what is there.
	// Both return the result of the system call. MSG_DONTWAIT in m.Flags tells
	// that the caller will not wait; there are calls that end differently then.
	SendMsg(c *Caller, m *Msg) (int, linux.Errno)
	RecvMsg(c *Caller, m *Msg) (int, linux.Errno)
	Shutdown(c *Caller, how int) linux.Errno
	// GetSockOpt returns the value, at most size bytes of it.
	GetSockOpt(c *Caller, level, name, size int) ([]byte, linux.Errno)
	SetSockOpt(c *Caller, level, name int, value []byte) linux.Errno
	LocalName() ([]byte, linux.Errno)
	PeerName() ([]byte, linux.Errno)
}

// Msg is a message to send, or room for one to receive.
type Msg struct {
	Data  []byte
	Flags uint32 // MSG_... of the call

	// Name is the destination; nil if there is none. RecvMsg stores the
	// source.
	Name []byte

	// Files are the descriptors of SCM_RIGHTS. SendMsg takes references of its
	// own; those that RecvMsg stores belong to the receiver.
	Files []*vfs.File
	// Cred is the content of SCM_CREDENTIALS, nil if there is none.
	Cred *Ucred
	// Sender is set for receivers that asked for a pidfd (SO_PASSPIDFD).
	Sender *Ucred
	// Control are the other control messages.
	Control []Cmsg

	// Copied is the number of bytes that RecvMsg stored in Data, which MSG_TRUNC
	// makes different from its result.
	Copied int
	// OutFlags are the flags of a received message: MSG_TRUNC, MSG_EOR, ...
	OutFlags uint32
}

// Cmsg is a control message.
type Cmsg struct {
	Level, Type int
	Data        []byte
}

// connState is the state of a connection; the values are those of TCP_INFO and
// /proc/net/tcp.
type connState uint8

const (
	stateNone connState = iota
	stateEstablished
	stateSynSent
	stateSynRecv
	stateFinWait1
	stateFinWait2
	stateTimeWait
	stateClose
	stateCloseWait
	stateLastAck
	stateListen
	stateClosing
)

// The halves of a connection that are shut down (RCV_SHUTDOWN, SEND_SHUTDOWN).
const (
	shutRecv = 1
	shutSend = 2
	shutBoth = 3
)

// SocketCommon is the state that sockets of all families have. Implementations of
// Socket embed it.
type SocketCommon struct {
	vfs.NoOps

	Family, Type, Protocol int

	// RcvTimeo and SndTimeo limit how long the kernel waits, in nanoseconds; 0
	// means for ever (SO_RCVTIMEO, SO_SNDTIMEO).
	RcvTimeo, SndTimeo int64

	// Urgent, if not nil, is called when urgent data has come.
	Urgent func()

	stack      *Stack
	self       Socket
	prev, next *SocketCommon // in the stack's list; prev is nil outside of it
	ino        uint64
	cookie     uint64
	uid        uint32 // of the creator
	queue      vfs.WaitQueue
	state      connState
	err        linux.Errno // reported once, by SO_ERROR or the next call
	shut       uint8
	opts       options
	sndbuf     int
	rcvbuf     int
	closed     bool
}

// Common implements Socket.
func (b *SocketCommon) Common() *SocketCommon { return b }

// Ino is the inode number; /proc/PID/fd shows "socket:[ino]".
func (b *SocketCommon) Ino() uint64 { return b.ino }

// Queue implements vfs.FileOps.
func (b *SocketCommon) Queue(*vfs.File) *vfs.WaitQueue { return &b.queue }

// Stat implements vfs.FileOps.
func (b *SocketCommon) Stat(*vfs.File) (linux.Stat, linux.Errno) {
	return linux.Stat{Dev: b.stack.cfg.Dev, Ino: b.ino, Nlink: 1, Mode: linux.S_IFSOCK | 0o777, Uid: b.uid, Blksize: 4096}, 0
}

// Stream reports whether the socket carries bytes rather than messages.
func (b *SocketCommon) Stream() bool { return b.Type == linux.SOCK_STREAM }

// Target is how many bytes a receiver of n waits for (SO_RCVLOWAT and
// MSG_WAITALL).
func (b *SocketCommon) Target(flags uint32, n int) int {
	if !b.Stream() {
		return min(n, 1)
	}
	if flags&linux.MSG_WAITALL != 0 {
		return n
	}
	return min(n, max(int(b.opts.rcvlowat), 1))
}

// takeErr returns the pending error and clears it (sock_error).
func (b *SocketCommon) takeErr() linux.Errno {
	e := b.err
	b.err = 0
	return e
}

// wake announces a change of any kind.
func (b *SocketCommon) wake() { b.queue.Wake(0) }

// wakeReaders and wakeWriters announce that there is something to read or room
// to write.
func (b *SocketCommon) wakeReaders() { b.queue.Wake(vfs.PollIn | vfs.PollRdNorm) }

func (b *SocketCommon) wakeWriters() { b.queue.Wake(vfs.PollOut | vfs.PollWrNorm | vfs.PollWrBand) }

// pollCommon are the events that all kinds derive from errors and shutdowns.
func (b *SocketCommon) pollCommon() (m vfs.PollMask) {
	if b.err != 0 {
		m |= vfs.PollErr
	}
	if b.shut == shutBoth {
		m |= vfs.PollHup
	}
	if b.shut&shutRecv != 0 {
		m |= vfs.PollRdHup | pollRead
	}
	return m
}

const (
	pollRead  = vfs.PollIn | vfs.PollRdNorm
	pollWrite = vfs.PollOut | vfs.PollWrNorm
)

// nameFamily returns the family of a socket address; it must be two bytes long.
func nameFamily(name []byte) int { return int(le.Uint16(name)) }
