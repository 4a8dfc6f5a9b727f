package kernel

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/tty"
	"github.com/tinevm/tine/internal/vfs"
)

// sysctl makes a read-only file of /proc/sys.
func sysctl(name, value string) synthfs.Entry {
	return synthfs.Entry{Name: name, Node: synthfs.Text(value + "\n")}
}

// sysctlNumber is a file of /proc/sys with a number that root can set.
func sysctlNumber(name string, v *int, least, most int) synthfs.Entry {
	return synthfs.Entry{Name: name, Node: procNumber(func() int { return *v }, func(_ *Task, n int) linux.Errno {
		if n < least || n > most {
			return linux.EINVAL
		}
		*v = n
		return 0
	})}
}

// sysctlText is one with a line of text, of which most bytes are kept.
func sysctlText(name string, v *string, most int) synthfs.Entry {
	return synthfs.Entry{Name: name, Node: nsControl(0o644,
		func(*Task) string { return *v + "\n" },
		func(_ *Task, text string) linux.Errno {
			text, _, _ = strings.Cut(text, "\n")
			text, _, _ = strings.Cut(text, "\x00")
			*v = text[:min(len(text), most)]
			return 0
		})}
}

// procSys is /proc/sys: the values that programs ask for.
func (k *Kernel) procSys() *synthfs.Node {
	file := func(name string, read func() string) synthfs.Entry {
		return synthfs.Entry{Name: name, Node: synthfs.File(func() string { return read() + "\n" })}
	}
	dir := func(name string, entries ...synthfs.Entry) synthfs.Entry {
		return synthfs.Entry{Name: name, Node: synthfs.Dir(entries...)}
	}
	return synthfs.Dir(
		dir("kernel",
			sysctl("ostype", sysName), sysctl("osrelease", sysRelease), sysctl("version", sysVersion),
			utsControl("hostname", func(n *utsNamespace) *string { return &n.hostname }),
			utsControl("domainname", func(n *utsNamespace) *string { return &n.domainname }),
			sysctl("pid_max", strconv.Itoa(pidMax)), sysctl("threads-max", strconv.Itoa(k.cfg.MaxTasks)),
			sysctl("cap_last_cap", strconv.Itoa(linux.CAP_LAST_CAP)), sysctl("ngroups_max", "65536"),
			sysctlText("core_pattern", &k.core.pattern, maxCorePattern), sysctlNumber("core_uses_pid", &k.core.usesPID, 0, math.MaxInt32),
			sysctlNumber("core_pipe_limit", &k.core.pipeLimit, 0, math.MaxInt32),
			sysctl("overflowuid", "65534"), sysctl("overflowgid", "65534"),
			sysctl("printk", "4\t4\t1\t7"), sysctl("panic", "0"), sysctl("dmesg_restrict", "0"), sysctl("kptr_restrict", "1"), sysctl("tainted", "0"), sysctl("shm_rmid_forced", "0"), sysctl("perf_event_paranoid", "2"), sysctl("randomize_va_space", "0"),
			sysctl("sem", "32000\t1024000000\t500\t32000"), sysctl("shmmax", "18446744073692774399"),
			sysctl("shmall", "18446744073692774399"), sysctl("shmmni", "4096"), sysctl("msgmax", "8192"), sysctl("msgmnb", "16384"), sysctl("msgmni", "32000"),
			sysctl("sched_child_runs_first", strconv.Itoa(int(b2u(k.cfg.ChildFirst)))),
			dir("pty",
				sysctl("max", strconv.Itoa(tty.MaxTTYs)), sysctl("reserve", "0"),
				file("nr", func() string { return strconv.Itoa(k.sys.tty.Count()) }),
			),
			dir("seccomp",
				sysctl("actions_avail", "kill_process kill_thread trap errno user_notif trace log allow"),
				sysctl("actions_logged", "kill_process kill_thread trap errno user_notif trace log"),
			),
			dir("random",
				file("boot_id", func() string { return k.bootID }),
				file("uuid", k.newUUID), sysctl("entropy_avail", "256"), sysctl("poolsize", "256"),
			),
		),
		dir("vm", sysctl("overcommit_memory", "0"), sysctl("overcommit_ratio", "50"), sysctl("max_map_count", "1048576"), sysctl("swappiness", "0"), sysctl("mmap_min_addr", "65536"),
			sysctl("overcommit_kbytes", "0"), sysctl("oom_kill_allocating_task", "0"), sysctl("panic_on_oom", "0"), sysctl("nr_hugepages", "0"), sysctl("nr_overcommit_hugepages", "0")),
		dir("fs",
			sysctl("file-max", "9223372036854775807"), file("file-nr", func() string { return fmt.Sprintf("%d\t0\t9223372036854775807", k.openFiles()) }), sysctl("nr_open", "1048576"),
			sysctl("pipe-max-size", "1048576"), sysctl("protected_hardlinks", "1"), sysctl("protected_symlinks", "0"),
			sysctl("protected_fifos", "0"), sysctl("protected_regular", "0"), sysctlNumber("suid_dumpable", &k.core.suidDumpable, dumpNobody, dumpRoot),
			sysctl("overflowuid", "65534"), sysctl("overflowgid", "65534"), sysctl("mount-max", "100000"), sysctl("leases-enable", "1"), sysctl("lease-break-time", "45"),
			dir("epoll", sysctl("max_user_watches", "1048576")),
			dir("inotify", sysctl("max_queued_events", "16384"), sysctl("max_user_instances", "128"), sysctl("max_user_watches", "65536")),
			dir("mqueue", sysctl("queues_max", strconv.Itoa(mqMaxQueues)), sysctl("msg_max", strconv.Itoa(mqMaxMessages)), sysctl("msgsize_max", strconv.Itoa(mqMaxSize)),
				sysctl("msg_default", strconv.Itoa(mqMaxMessages)), sysctl("msgsize_default", strconv.Itoa(mqMaxSize))),
		),
		dir("dev", dir("tty", sysctl("legacy_tiocsti", "1"))),
		dir("net",
			dir("core", sysctl("somaxconn", "4096"), sysctl("rmem_max", "212992"), sysctl("wmem_max", "212992"), sysctl("rmem_default", "212992"), sysctl("wmem_default", "212992")),
			dir("ipv4", sysctl("ip_local_port_range", "32768\t60999"), sysctl("tcp_fin_timeout", "60"), sysctl("tcp_keepalive_time", "7200")),
			dir("ipv6", dir("conf", dir("all", sysctl("disable_ipv6", "0")))),
			dir("unix", sysctl("max_dgram_qlen", "512")),
		),
	)
}

// utsControl is a file that shows and sets a name of the caller's host.
func utsControl(name string, field func(n *utsNamespace) *string) synthfs.Entry {
	return synthfs.Entry{Name: name, Node: nsControl(0o644,
		func(t *Task) string { return *field(t.ns.uts) + "\n" },
		func(t *Task, text string) linux.Errno {
			if !t.capableIn(t.ns.uts.owner, linux.CAP_SYS_ADMIN) {
				return linux.EPERM
			}
			name, _, _ := strings.Cut(text, "\n")
			*field(t.ns.uts) = name[:min(len(name), maxUTSName)]
			return 0
		})}
}

// openFiles counts the open files of all processes.
func (k *Kernel) openFiles() int {
	seen := make(map[*vfs.File]bool)
	k.pids.each(func(t *Task) {
		if t.files == nil {
			return
		}
		for _, s := range t.files.slots {
			if s.file != nil {
				seen[s.file] = true
			}
		}
	})
	return len(seen)
}

// newUUID makes a random UUID (RFC 9562, version 4).
func (k *Kernel) newUUID() string {
	var b [16]byte
	k.cfg.Entropy(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
