package net

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// packet is one entry of a socket's queue (struct sk_buff).
type packet struct {
	data     []byte
	off      int // bytes already received, on streams
	truesize int // what it is charged

	cred  Ucred       // sender
	files []*vfs.File // in flight
	uid   uint32      // whose quota the files count against
	owner *unixSocket // the sender, whose send buffer it occupies
	inet  packetInfo  // AF_INET: what control messages tell
}

func (p *packet) rest() []byte { return p.data[p.off:] }

// packetQueue is a FIFO of packets.
type packetQueue struct {
	list []*packet
	head int
}

func (q *packetQueue) len() int { return len(q.list) - q.head }

func (q *packetQueue) push(p *packet) { q.list = append(q.list, p) }

// at returns the packet at position i.
func (q *packetQueue) at(i int) *packet { return q.list[q.head+i] }

// first returns the oldest packet, nil if there is none.
func (q *packetQueue) first() *packet {
	if q.len() == 0 {
		return nil
	}
	return q.list[q.head]
}

func (q *packetQueue) pop() *packet {
	p := q.list[q.head]
	q.list[q.head] = nil
	q.head++
	switch {
	case q.head == len(q.list):
		q.list, q.head = q.list[:0], 0
	case q.head >= 64 && q.head*2 >= len(q.list):
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	return p
}

// What Linux charges for a packet besides its data: struct sk_buff and struct
// skb_shared_info on x86-64.
const (
	skbStruct = 256
	skbShared = 320
)

// The largest linear part of a packet with one page (SKB_MAX_HEAD) and with
// four (SKB_MAX_ALLOC).
const (
	skbMaxHead  = 4096 - skbShared
	skbMaxAlloc = 16384 - skbShared
)

// maxFrags is how many bytes the pages of one packet hold (MAX_SKB_FRAGS).
const maxFrags = 17 << 12

// pageUp rounds up to pages.
func pageUp(n int) int { return (n + 4095) &^ 4095 }

// headSize is the memory of a linear part of n bytes: kmalloc rounds up to a
// power of two.
func headSize(n int) int {
	n += skbShared
	size := 512
	for size < n {
		size *= 2
	}
	return size + skbStruct
}

// truesize is what a packet of n bytes is charged if its linear part holds up
// to head bytes (alloc_skb_with_frags).
func truesize(n, head int) int {
	frags := 0
	if n > head {
		frags = min(n, pageUp(min(n-head, maxFrags)))
	}
	return headSize(n-frags) + pageUp(frags)
}

// gather copies what a message carries: guest memory may change at any time.
func gather(p []byte) []byte { return append(make([]byte, 0, len(p)), p...) }

// recvOne gives a receiver the message of a packet queue's packet p, cutting
// what does not fit.
func (m *Msg) recvOne(data []byte) int {
	m.Copied = copy(m.Data, data)
	if m.Copied < len(data) {
		m.OutFlags |= linux.MSG_TRUNC
	}
	if m.Flags&linux.MSG_TRUNC != 0 {
		return len(data)
	}
	return m.Copied
}
