package kernel

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// The files of /proc/PID through which namespaces are set up
// (user_namespaces(7), time_namespaces(7)).

// nsControl is a file that shows and changes a namespace of t.
func nsControl(mode uint32, read func(reader *Task) string, write func(writer *Task, text string) linux.Errno) *synthfs.Node {
	return &synthfs.Node{
		Mode: mode,
		Read: func(c *vfs.Context) ([]byte, linux.Errno) {
			reader, ok := c.Task.(*Task)
			if !ok {
				return nil, linux.EPERM
			}
			return []byte(read(reader)), 0
		},
		Write: func(c *vfs.Context, p []byte) linux.Errno {
			writer, ok := c.Task.(*Task)
			if !ok {
				return linux.EPERM
			}
			return write(writer, string(p))
		},
	}
}

// procIDMap is /proc/PID/uid_map (users) or gid_map.
func (k *Kernel) procIDMap(t *Task, users bool) *synthfs.Node {
	return nsControl(0o644,
		func(r *Task) string { return t.cred.user.procIDMap(r.cred.user, users) },
		func(w *Task, text string) linux.Errno { return t.cred.user.setIDMap(w, users, text) })
}

// procSetgroups is /proc/PID/setgroups.
func (k *Kernel) procSetgroups(t *Task) *synthfs.Node {
	return nsControl(0o644,
		func(*Task) string {
			if t.cred.user.noSetgroups {
				return "deny\n"
			}
			return "allow\n"
		},
		func(w *Task, text string) linux.Errno { return t.cred.user.setSetgroups(w, text) })
}

// procTimeOffsets is /proc/PID/timens_offsets: it can be set until the first
// task lives in the namespace.
func (k *Kernel) procTimeOffsets(t *Task) *synthfs.Node {
	return nsControl(0o644,
		func(*Task) string {
			n := t.ns.timeNext
			line := func(clock string, ns int64) string {
				sec := ns / 1e9
				if ns%1e9 < 0 {
					sec--
				}
				return fmt.Sprintf("%-10s %10d %9d\n", clock, sec, ns-sec*1e9)
			}
			return line("monotonic", n.monotonic) + line("boottime", n.boottime)
		},
		func(w *Task, text string) linux.Errno { return t.ns.timeNext.setOffsets(w, text) })
}

// setOffsets takes lines of a clock's name or number, seconds and nanoseconds.
func (n *timeNamespace) setOffsets(w *Task, text string) linux.Errno {
	if !w.capableIn(n.owner, linux.CAP_SYS_TIME) {
		return linux.EPERM
	}
	if n.used {
		return linux.EACCES
	}
	next := *n
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return linux.EINVAL
		}
		sec, err := strconv.ParseInt(f[1], 10, 64)
		nsec, err2 := strconv.ParseInt(f[2], 10, 64)
		if err != nil || err2 != nil || nsec < 0 || nsec >= 1e9 {
			return linux.EINVAL
		}
		if sec > 1<<32 || sec < -1<<32 || w.k.now()+sec*1e9+nsec < 0 {
			return linux.ERANGE
		}
		switch f[0] {
		case "monotonic", strconv.Itoa(linux.CLOCK_MONOTONIC):
			next.monotonic = sec*1e9 + nsec
		case "boottime", strconv.Itoa(linux.CLOCK_BOOTTIME):
			next.boottime = sec*1e9 + nsec
		default:
			return linux.EINVAL
		}
	}
	*n = next
	return 0
}
