package trace

import (
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// pollKinds are the kinds of waiting for events.
func pollKinds() map[string]kind {
	return map[string]kind{
		"pollfds": {print: func(d *decoder, i int) {
			d.array(d.args[i], uint64(uint32(d.args[i+1])), linux.SizeofPollfd, func(b []byte) {
				d.str("{fd=")
				d.fd(int32(i32(b, 0)))
				if i32(b, 0) >= 0 {
					d.str(", events=")
					d.flags(pollEvents, u16(b, 4), "POLL???")
				}
				d.str("}")
			})
		}, exit: notePoll},
		"timeout":  now(func(d *decoder, a uint64) { d.int(int64(int32(a))) }),
		"sigsize":  now(func(d *decoder, a uint64) { d.uint(a) }),
		"fdset":    {print: func(d *decoder, i int) { d.fdset(d.args[i]) }},
		"selecttv": {print: func(d *decoder, i int) { d.timevalAt(d.args[i]) }, exit: func(d *decoder) { noteSelect(d, (*decoder).timevalAt) }},
		"selectts": {print: func(d *decoder, i int) { d.timespecAt(d.args[i]) }, exit: func(d *decoder) { noteSelect(d, (*decoder).timespecAt) }},
		"sigmaskarg": now(func(d *decoder, a uint64) {
			b := d.mem(a, 16)
			if b == nil {
				return
			}
			d.str("{sigmask=")
			if s := d.mem(u64(b, 0), 8); s != nil {
				d.str(sigset(u64(s, 0)))
			}
			d.f(", sigsetsize=%d}", u64(b, 8))
		}),
		"epollctl":   one(epollOps, "EPOLL_CTL_???"),
		"epollflags": set(epollFlags, "EPOLL_???"),
		"epollevent": {print: func(d *decoder, i int) {
			if d.args[1] == linux.EPOLL_CTL_DEL {
				d.ptr(d.args[i])
			} else if b := d.mem(d.args[i], linux.SizeofEpollEvent); b != nil {
				d.epollEvent(b)
			}
		}},
		"epollevents>": {late: true, print: func(d *decoder, i int) {
			d.array(d.args[i], uint64(d.ret), linux.SizeofEpollEvent, d.epollEvent)
		}},
		"efdflags": set(efdFlags, "EFD_???"),
	}
}

func (d *decoder) epollEvent(b []byte) {
	d.str("{events=")
	d.flags(epollEvents, u32(b, 0), "EPOLL???")
	d.f(", data={u32=%d, u64=%d}}", u32(b, 4), u64(b, 4))
}

// sub formats aside and gives the text.
func (d *decoder) sub(write func()) string {
	keep := d.b
	d.b = nil
	write()
	s := string(d.b)
	d.b = keep
	return s
}

// notePoll tells which descriptors are ready.
func notePoll(d *decoder) {
	if d.failed() {
		return
	}
	if d.ret == 0 {
		d.note = "Timeout"
		return
	}
	var ready []string
	for i := range uint64(uint32(d.args[1])) {
		b := d.peek(d.args[0]+i*linux.SizeofPollfd, linux.SizeofPollfd)
		if b == nil {
			break
		}
		if u16(b, 6) == 0 {
			continue
		}
		if len(ready) == d.limit {
			ready = append(ready, "...")
			break
		}
		ready = append(ready, fmt.Sprintf("{fd=%d, revents=%s}", i32(b, 0), flagString(pollEvents, u16(b, 6), "")))
	}
	d.note = "[" + strings.Join(ready, ", ") + "]"
	if d.nr == linux.SYS_ppoll && d.args[2] != 0 {
		d.note += ", left " + d.sub(func() { d.timespecAt(d.args[2]) })
	}
}

// setBits lists the descriptors of an fd_set below args[0].
func (d *decoder) setBits(addr uint64) (list []string, ok bool) {
	n := int(min(max(int32(d.args[0]), 0), 1024))
	b := d.peek(addr, (n+63)/64*8)
	if b == nil {
		return nil, n == 0 && addr != 0
	}
	for i := range n {
		if b[i/8]>>(i%8)&1 != 0 {
			list = append(list, fmt.Sprint(i))
		}
	}
	return list, true
}

func (d *decoder) fdset(addr uint64) {
	list, ok := d.setBits(addr)
	if !ok {
		d.ptr(addr)
		return
	}
	d.str("[" + strings.Join(list, " ") + "]")
}

// noteSelect tells which descriptors are ready and what is left of the timeout.
func noteSelect(d *decoder, left func(d *decoder, a uint64)) {
	if d.failed() {
		return
	}
	if d.ret == 0 {
		d.note = "Timeout"
		return
	}
	var parts []string
	for i, name := range []string{"in", "out", "except"} {
		if list, ok := d.setBits(d.args[1+i]); ok && len(list) > 0 {
			parts = append(parts, name+" ["+strings.Join(list, " ")+"]")
		}
	}
	if d.args[4] != 0 {
		parts = append(parts, "left "+d.sub(func() { left(d, d.args[4]) }))
	}
	d.note = strings.Join(parts, ", ")
}
