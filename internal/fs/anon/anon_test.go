package anon

import (
	"testing"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

func put(f *vfs.File, v byte) linux.Errno {
	_, errno := f.Ops.Write(f, []byte{v, 0, 0, 0, 0, 0, 0, 0}, 0)
	return errno
}

func take(f *vfs.File) (byte, linux.Errno) {
	var b [8]byte
	_, errno := f.Ops.Read(f, b[:], 0)
	return b[0], errno
}

func TestEventfd(t *testing.T) {
	f := vfs.NewFile(NewEventfd(0, false), linux.O_RDWR)
	if _, errno := take(f); errno != linux.EAGAIN {
		t.Errorf("read of zero: %v", errno)
	}
	put(f, 3)
	put(f, 4)
	if v, _ := take(f); v != 7 {
		t.Errorf("read %d, want 7", v)
	}
	s := vfs.NewFile(NewEventfd(2, true), linux.O_RDWR)
	for range 2 {
		if v, _ := take(s); v != 1 {
			t.Errorf("semaphore gave %d", v)
		}
	}
	if _, errno := take(s); errno != linux.EAGAIN {
		t.Errorf("empty semaphore: %v", errno)
	}
}

func TestEpollTriggers(t *testing.T) {
	ep := NewEpoll()
	level := vfs.NewFile(NewEventfd(1, false), linux.O_RDWR)
	edge := vfs.NewFile(NewEventfd(1, false), linux.O_RDWR)
	once := vfs.NewFile(NewEventfd(1, false), linux.O_RDWR)
	ep.Control(linux.EPOLL_CTL_ADD, 3, level, linux.EpollEvent{Events: linux.EPOLLIN, Data: 3})
	ep.Control(linux.EPOLL_CTL_ADD, 4, edge, linux.EpollEvent{Events: linux.EPOLLIN | linux.EPOLLET, Data: 4})
	ep.Control(linux.EPOLL_CTL_ADD, 5, once, linux.EpollEvent{Events: linux.EPOLLIN | linux.EPOLLONESHOT, Data: 5})
	data := func() (d []uint64) {
		for _, e := range ep.Collect(10) {
			d = append(d, e.Data)
		}
		return d
	}
	check := func(want ...uint64) {
		t.Helper()
		got := data()
		if len(got) != len(want) {
			t.Fatalf("events %v, want %v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("events %v, want %v", got, want)
			}
		}
	}
	check(3, 4, 5)
	check(3)
	put(edge, 1)
	put(once, 1)
	check(3, 4)
	ep.Control(linux.EPOLL_CTL_MOD, 5, once, linux.EpollEvent{Events: linux.EPOLLIN, Data: 6})
	check(3, 6)
	level.Put()
	check(6)
	if errno := ep.Control(linux.EPOLL_CTL_DEL, 9, edge, linux.EpollEvent{}); errno != linux.ENOENT {
		t.Errorf("delete of an unknown number: %v", errno)
	}
}

func TestEpollLoop(t *testing.T) {
	a, b := NewEpoll(), NewEpoll()
	fa, fb := vfs.NewFile(a, linux.O_RDWR), vfs.NewFile(b, linux.O_RDWR)
	if errno := a.Control(linux.EPOLL_CTL_ADD, 4, fb, linux.EpollEvent{Events: linux.EPOLLIN}); errno != 0 {
		t.Fatal(errno)
	}
	if errno := b.Control(linux.EPOLL_CTL_ADD, 3, fa, linux.EpollEvent{Events: linux.EPOLLIN}); errno != linux.ELOOP {
		t.Errorf("a loop was accepted: %v", errno)
	}
}
