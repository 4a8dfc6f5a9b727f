package net

import "github.com/tinevm/tine/internal/vfs"

// Sockets that nobody can reach any more: all references on them are in messages
// that wait in sockets of the same kind (unix_gc). Their queues are emptied,
// which closes them and all else that was in the messages.

// gcEffort bounds the look for such sockets: after it, as many sockets must have
// been closed for each gcEffort sockets as there are before the next one.
const gcEffort = 256

// collect is called when a socket has been closed.
func (s *Stack) collect() {
	if s.flying == 0 || s.collecting {
		return
	}
	s.closes++
	if s.closes*gcEffort < s.count {
		return
	}
	s.closes, s.collecting = 0, true
	s.freeUnreachable()
	s.collecting = false
}

// freeUnreachable does it: sockets with no other references than those in
// messages are suspects; what can be reached from the queues of all others is
// cleared, and the rest goes.
func (s *Stack) freeUnreachable() {
	suspects := s.suspects()
	if len(suspects) == 0 {
		return
	}
	var reach []*unixSocket
	s.each(func(k Socket) {
		if u, ok := k.(*unixSocket); ok && !suspects[u] && (u.listener == nil || !suspects[u.listener]) {
			reach = append(reach, u)
		}
	})
	for len(reach) > 0 {
		u := reach[len(reach)-1]
		reach = reach[:len(reach)-1]
		u.queued(func(f *vfs.File) {
			if v, ok := f.Ops.(*unixSocket); ok && suspects[v] {
				delete(suspects, v)
				reach = append(append(reach, v), v.accept...)
			}
		})
	}
	// In order of creation: what is closed can be seen.
	var dead []*unixSocket
	s.each(func(k Socket) {
		if u, ok := k.(*unixSocket); ok && suspects[u] {
			dead = append(dead, u)
		}
	})
	var files []*vfs.File
	for _, u := range dead {
		for _, q := range append([]*unixSocket{u}, u.accept...) {
			for i := range q.recv.len() {
				files = append(files, s.takeFiles(q.recv.at(i))...)
			}
		}
	}
	for _, f := range files {
		f.Put()
	}
}

// suspects are the sockets of which all references are in messages.
func (s *Stack) suspects() map[*unixSocket]bool {
	inMessages := make(map[*vfs.File]int)
	s.each(func(k Socket) {
		if u, ok := k.(*unixSocket); ok {
			u.queued(func(f *vfs.File) {
				if _, ok := f.Ops.(*unixSocket); ok {
					inMessages[f]++
				}
			})
		}
	})
	found := make(map[*unixSocket]bool)
	for f, n := range inMessages {
		if f.Refs() == n {
			found[f.Ops.(*unixSocket)] = true
		}
	}
	return found
}

// queued calls fn for the files in messages that the socket has not received.
func (u *unixSocket) queued(fn func(f *vfs.File)) {
	for i := range u.recv.len() {
		for _, f := range u.recv.at(i).files {
			fn(f)
		}
	}
}
