package kernel

import (
	"github.com/tinevm/tine/internal/fs/anon"
	"github.com/tinevm/tine/internal/fs/pipefs"
	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/net"
	"github.com/tinevm/tine/internal/vfs"
)

// waitPlaces are the functions of Linux in which the calls sleep, for
// /proc/PID/wchan.
var waitPlaces = map[uint64]string{
	linux.SYS_poll: "poll_schedule_timeout", linux.SYS_ppoll: "poll_schedule_timeout",
	linux.SYS_select: "poll_schedule_timeout", linux.SYS_pselect6: "poll_schedule_timeout",
	linux.SYS_epoll_wait: "ep_poll", linux.SYS_epoll_pwait: "ep_poll", linux.SYS_epoll_pwait2: "ep_poll",
	linux.SYS_wait4: "do_wait", linux.SYS_waitid: "do_wait", linux.SYS_futex: "futex_wait_queue",
	linux.SYS_nanosleep: "hrtimer_nanosleep", linux.SYS_clock_nanosleep: "hrtimer_nanosleep",
	linux.SYS_pause: "__do_sys_pause", linux.SYS_rt_sigsuspend: "sigsuspend", linux.SYS_rt_sigtimedwait: "do_sigtimedwait",
	linux.SYS_flock: "locks_lock_inode_wait", linux.SYS_fcntl: "fcntl_setlk",
	linux.SYS_semop: "__do_semtimedop", linux.SYS_semtimedop: "__do_semtimedop",
	linux.SYS_msgrcv: "do_msgrcv", linux.SYS_msgsnd: "do_msgsnd",
	linux.SYS_open: "wait_for_partner", linux.SYS_openat: "wait_for_partner",
	linux.SYS_vfork: "kernel_clone", linux.SYS_clone: "kernel_clone", linux.SYS_clone3: "kernel_clone",
}

// procWchan is /proc/PID/wchan, which shows "0" to those who may not know.
func (t *Task) procWchan() *synthfs.Node {
	return &synthfs.Node{Mode: 0o444, Read: func(c *vfs.Context) ([]byte, linux.Errno) {
		place := t.wchan()
		if place == "" || t.procPermit(c) != 0 {
			place = "0"
		}
		return []byte(place), 0
	}}
}

// wchan names what the task sleeps in; "" if it does not.
func (t *Task) wchan() string {
	switch t.state {
	case TaskStopped:
		return "do_signal_stop"
	case TaskTraced:
		return "ptrace_stop"
	case TaskSleeping, TaskDisk:
	default:
		return ""
	}
	if place := waitPlaces[t.sc.nr]; place != "" || t.files == nil {
		return place
	}
	// The others have the file as their first argument.
	f, errno := t.files.lookup(int(int32(t.sc.args[0])))
	if errno != 0 {
		return ""
	}
	return t.fileWchan(f)
}

// fileWchan names what a task sleeps in that waits for a file.
func (t *Task) fileWchan(f *vfs.File) string {
	switch o := f.Ops.(type) {
	case net.Socket:
		return socketWchan(o.Common(), t.sc.nr)
	case *timerfd:
		return "timerfd_read"
	case *signalfd:
		return "signalfd_dequeue"
	case *anon.Eventfd:
		return "eventfd_read"
	}
	if !pipefs.Is(f) {
		return "wait_woken" // terminals, inotify
	}
	switch t.sc.nr {
	case linux.SYS_read, linux.SYS_readv, linux.SYS_preadv2:
		return "pipe_read"
	case linux.SYS_write, linux.SYS_writev, linux.SYS_pwritev2:
		return "pipe_write"
	}
	return "pipe_wait_readable"
}

func socketWchan(k *net.SocketCommon, nr uint64) string {
	stream := k.Type == linux.SOCK_STREAM
	switch {
	case k.Family == linux.AF_UNIX && stream && (nr == linux.SYS_accept || nr == linux.SYS_accept4):
		return "__skb_wait_for_more_packets"
	case nr == linux.SYS_accept, nr == linux.SYS_accept4:
		return "inet_csk_accept"
	case nr == linux.SYS_write, nr == linux.SYS_sendto, nr == linux.SYS_sendmsg, nr == linux.SYS_sendfile:
		return "sock_alloc_send_pskb"
	case nr == linux.SYS_connect:
		return "wait_woken"
	case !stream:
		return "__skb_wait_for_more_packets"
	case k.Family == linux.AF_UNIX:
		return "unix_stream_read_generic"
	}
	return "wait_woken"
}
