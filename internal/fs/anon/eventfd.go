package anon

import (
	"encoding/binary"
	"fmt"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Eventfd is a 64-bit counter as a file (eventfd(2)).
type Eventfd struct {
	vfs.NoOps
	count     uint64
	semaphore bool
	queue     vfs.WaitQueue
}

// NewEventfd makes a counter. With semaphore each read takes one.
func NewEventfd(initial uint64, semaphore bool) *Eventfd {
	return &Eventfd{count: initial, semaphore: semaphore}
}

// FDInfo is what /proc/PID/fdinfo shows.
func (e *Eventfd) FDInfo() string {
	semaphore := 0
	if e.semaphore {
		semaphore = 1
	}
	return fmt.Sprintf("eventfd-count: %16x\neventfd-semaphore: %d\n", e.count, semaphore)
}

// eventMax is the largest value of the counter.
const eventMax = ^uint64(0) - 1

// Read implements vfs.FileOps.
func (e *Eventfd) Read(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if len(p) < 8 {
		return 0, linux.EINVAL
	}
	if e.count == 0 {
		return 0, linux.EAGAIN
	}
	v := e.count
	if e.semaphore {
		v = 1
	}
	e.count -= v
	binary.LittleEndian.PutUint64(p, v)
	e.queue.Wake(vfs.PollOut | vfs.PollWrNorm)
	return 8, 0
}

// Write implements vfs.FileOps.
func (e *Eventfd) Write(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if len(p) < 8 {
		return 0, linux.EINVAL
	}
	v := binary.LittleEndian.Uint64(p)
	if v == ^uint64(0) {
		return 0, linux.EINVAL
	}
	if v > eventMax-e.count {
		return 0, linux.EAGAIN
	}
	e.count += v
	e.queue.Wake(vfs.PollIn | vfs.PollRdNorm)
	return 8, 0
}

// Poll implements vfs.FileOps.
func (e *Eventfd) Poll(*vfs.File) (m vfs.PollMask) {
	if e.count > 0 {
		m |= vfs.PollIn
	}
	if e.count < eventMax {
		m |= vfs.PollOut
	}
	return m
}

// Queue implements vfs.FileOps.
func (e *Eventfd) Queue(*vfs.File) *vfs.WaitQueue { return &e.queue }

// Stat implements vfs.FileOps.
func (e *Eventfd) Stat(*vfs.File) (linux.Stat, linux.Errno) { return vfs.AnonStat(), 0 }
