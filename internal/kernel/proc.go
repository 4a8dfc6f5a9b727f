package kernel

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/tty"
	"github.com/tinevm/tine/internal/vfs"
)

// The files of /proc, as proc(5) describes them and procps reads them: the
// machine's in this file and procsys.go, those of a process in procpid.go.

// firstPIDPos is where processes begin in the directory /proc, so that the
// position in it does not move when processes come and go.
const firstPIDPos = 256

const procMagic = 0x9fa0 // PROC_SUPER_MAGIC

// NewProcFS makes /proc as process 1 of the machine sees it; a mount(2) with a
// caller shows the processes of the caller's namespace.
func (k *Kernel) NewProcFS(c *vfs.Context) vfs.FileSystem {
	ns := k.pids
	if c != nil {
		ns = c.Task.(*Task).pidNS()
	}
	root := &synthfs.Node{
		Mode: 0o555,
		Entries: []synthfs.Entry{
			{Name: "self", Node: &synthfs.Node{Mode: 0o777, Link: ns.selfLink}},
			{Name: "thread-self", Node: &synthfs.Node{Mode: 0o777, Link: ns.threadSelfLink}},
			{Name: "cgroups", Node: synthfs.File(k.procCgroups)},
			{Name: "cmdline", Node: synthfs.Text("tine\n")},
			{Name: "cpuinfo", Node: synthfs.File(k.procCPUInfo)},
			{Name: "devices", Node: synthfs.Text("Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:\n")},
			{Name: "filesystems", Node: synthfs.File(k.procFilesystems)},
			{Name: "interrupts", Node: synthfs.File(k.procInterrupts)},
			{Name: "loadavg", Node: synthfs.File(k.procLoadavg)},
			{Name: "locks", Node: &synthfs.Node{Mode: 0o444, Read: k.procLocks}},
			{Name: "meminfo", Node: synthfs.File(k.procMeminfo)},
			{Name: "mounts", Node: synthfs.Symlink("self/mounts")},
			{Name: "net", Node: synthfs.Symlink("self/net")},
			{Name: "partitions", Node: synthfs.Text("major minor  #blocks  name\n\n")},
			{Name: "stat", Node: synthfs.File(k.procStat)},
			{Name: "swaps", Node: synthfs.Text("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")},
			{Name: "sys", Node: k.procSys()},
			{Name: "sysvipc", Node: synthfs.Dir(
				synthfs.Entry{Name: "shm", Node: synthfs.Text("       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n")},
				synthfs.Entry{Name: "sem", Node: synthfs.Text("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n")},
				synthfs.Entry{Name: "msg", Node: synthfs.Text("       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n")},
			)},
			{Name: "tty", Node: synthfs.Dir(synthfs.Entry{Name: "drivers", Node: synthfs.Text(tty.Drivers)})},
			{Name: "uptime", Node: synthfs.File(k.procUptime)},
			{Name: "version", Node: synthfs.Text(sysName + " version " + sysRelease + " (tine) " + sysVersion + "\n")},
			{Name: "vmstat", Node: synthfs.File(k.procVmstat)},
		},
		List:   ns.procPIDs,
		Lookup: ns.procLookup,
	}
	return synthfs.New("proc", procMagic, root, k.realtime)
}

func (ns *pidNamespace) selfLink(c *vfs.Context) (string, linux.Errno) {
	t, ok := c.Task.(*Task)
	if !ok || !t.visibleTo(ns) {
		return "", linux.ENOENT
	}
	return strconv.Itoa(t.group.leader.id.in(ns)), 0
}

func (ns *pidNamespace) threadSelfLink(c *vfs.Context) (string, linux.Errno) {
	t, ok := c.Task.(*Task)
	if !ok || !t.visibleTo(ns) {
		return "", linux.ENOENT
	}
	return fmt.Sprintf("%d/task/%d", t.group.leader.id.in(ns), t.id.in(ns)), 0
}

// procPIDs lists the processes from a position on; a directory of many is read
// in pieces.
func (ns *pidNamespace) procPIDs(_ *vfs.Context, from int64) (list []synthfs.Entry) {
	const piece = 1024
	ns.numbers.Ascend(int(max(from-firstPIDPos, 0)), func(nr int, p *pid) bool {
		if t := p.task; t != nil && t.isLeader() {
			list = append(list, synthfs.Entry{
				Name: strconv.Itoa(nr), Pos: int64(firstPIDPos + nr),
				Make: func() *synthfs.Node { return procPID(procView{ns, t}) },
			})
		}
		return len(list) < piece
	})
	return list
}

// procLookup finds a process by name. Threads can be looked up but are not
// listed.
func (ns *pidNamespace) procLookup(_ *vfs.Context, name string) *synthfs.Node {
	pid, err := strconv.Atoi(name)
	if err != nil || strconv.Itoa(pid) != name {
		return nil
	}
	t := ns.task(pid)
	if t == nil {
		return nil
	}
	return procPID(procView{ns, t.group.leader})
}

func (k *Kernel) procCPUInfo() string {
	var b strings.Builder
	for i := range k.cpus {
		fmt.Fprintf(&b, "processor\t: %d\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 15\nmodel name\t: tine virtual CPU\n"+
			"stepping\t: 1\ncpu MHz\t\t: 1000.000\ncache size\t: 8192 KB\nphysical id\t: 0\nsiblings\t: %d\ncore id\t\t: %d\n"+
			"cpu cores\t: %d\napicid\t\t: %d\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 7\nwp\t\t: yes\n"+
			"flags\t\t: fpu tsc cx8 cmov clflush mmx fxsr sse sse2 syscall nx rdtscp lm constant_tsc rep_good nopl cpuid pni pclmulqdq ssse3 cx16 sse4_1 sse4_2 movbe popcnt aes hypervisor lahf_lm abm fsgsbase bmi1 bmi2 erms adx sha_ni rdpid fsrm\n"+
			"bugs\t\t:\nbogomips\t: 2000.00\nclflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: 46 bits physical, 48 bits virtual\npower management:\n\n",
			i, len(k.cpus), i, len(k.cpus), i)
	}
	return b.String()
}

func (k *Kernel) procFilesystems() string {
	var b strings.Builder
	for _, t := range k.cfg.Root.Sys.Filesystems() {
		if t.NoDev {
			b.WriteString("nodev")
		}
		fmt.Fprintf(&b, "\t%s\n", t.Name)
	}
	return b.String()
}

func (k *Kernel) procInterrupts() string {
	var b strings.Builder
	b.WriteString("    ")
	for i := range k.cpus {
		fmt.Fprintf(&b, "       CPU%d", i)
	}
	b.WriteString("\n")
	return b.String()
}

// procLoadavg: the averages are not kept; running and existing tasks and the
// last pid are.
func (k *Kernel) procLoadavg() string {
	running := len(k.runq.heap)
	for _, p := range k.cpus {
		if p.task != nil {
			running++
		}
	}
	return fmt.Sprintf("0.00 0.00 0.00 %d/%d %d\n", running, k.pids.tasks, k.pids.last)
}

func (k *Kernel) procMeminfo() string {
	total, free := k.totalMemory()>>10, k.freeMemory()>>10
	var b strings.Builder
	for _, l := range []struct {
		name string
		kb   int64
	}{
		{"MemTotal", total}, {"MemFree", free}, {"MemAvailable", free}, {"Buffers", 0}, {"Cached", 0}, {"SwapCached", 0},
		{"Active", total - free}, {"Inactive", 0}, {"SwapTotal", 0}, {"SwapFree", 0}, {"Dirty", 0}, {"Writeback", 0},
		{"AnonPages", total - free}, {"Mapped", 0}, {"Shmem", 0}, {"Slab", 0}, {"SReclaimable", 0}, {"SUnreclaim", 0},
		{"KernelStack", 0}, {"PageTables", 0}, {"CommitLimit", total}, {"Committed_AS", total - free},
		{"VmallocTotal", 34359738367}, {"VmallocUsed", 0}, {"HugePages_Total", -1}, {"HugePages_Free", -1}, {"Hugepagesize", 2048},
	} {
		if l.kb < 0 {
			fmt.Fprintf(&b, "%-16s%8d\n", l.name+":", 0)
			continue
		}
		fmt.Fprintf(&b, "%-16s%8d kB\n", l.name+":", l.kb)
	}
	return b.String()
}

// cpuTimes are the user and idle times of all processors, in clock ticks.
func (k *Kernel) cpuTimes() (user, idle int64) {
	var u usage
	k.pids.each(func(t *Task) { u.add(&t.usage) })
	up := ticks(k.now()-k.started) * int64(len(k.cpus))
	user = ticks(u.user + u.system + k.deadTime)
	return user, max(up-user, 0)
}

func (k *Kernel) procStat() string {
	var b strings.Builder
	user, idle := k.cpuTimes()
	fmt.Fprintf(&b, "cpu  %d 0 0 %d 0 0 0 0 0 0\n", user, idle)
	n := int64(len(k.cpus))
	for i := range k.cpus {
		fmt.Fprintf(&b, "cpu%d %d 0 0 %d 0 0 0 0 0 0\n", i, user/n, idle/n)
	}
	running := 0
	k.pids.each(func(t *Task) {
		if t.state == TaskRunning {
			running++
		}
	})
	fmt.Fprintf(&b, "intr 0\nctxt %d\nbtime %d\nprocesses %d\nprocs_running %d\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
		k.switches, k.bootTime/1e9, k.forks, running)
	return b.String()
}

func (k *Kernel) procUptime() string {
	up := float64(k.now()-k.started) / 1e9
	_, idle := k.cpuTimes()
	return fmt.Sprintf("%.2f %.2f\n", up, float64(idle)/clockTicks)
}

func (k *Kernel) procVmstat() string {
	var u usage
	k.pids.each(func(t *Task) { u.add(&t.usage) })
	return fmt.Sprintf("nr_free_pages %d\npgfault %d\npgmajfault %d\npswpin 0\npswpout 0\npgpgin 0\npgpgout 0\n",
		k.freeMemory()>>12, u.minflt+u.majflt, u.majflt)
}

// sysctl makes a read-only file of /proc/sys.
func sysctl(name, value string) synthfs.Entry {
	return synthfs.Entry{Name: name, Node: synthfs.Text(value + "\n")}
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
			file("hostname", func() string { return k.rootNS.uts.hostname }),
			file("domainname", func() string { return k.rootNS.uts.domainname }),
			sysctl("pid_max", strconv.Itoa(pidMax)), sysctl("threads-max", strconv.Itoa(k.cfg.MaxTasks)),
			sysctl("cap_last_cap", strconv.Itoa(linux.CAP_LAST_CAP)), sysctl("ngroups_max", "65536"),
			sysctl("core_pattern", "core"), sysctl("core_uses_pid", "0"), sysctl("overflowuid", "65534"), sysctl("overflowgid", "65534"),
			sysctl("printk", "4\t4\t1\t7"), sysctl("perf_event_paranoid", "2"), sysctl("randomize_va_space", "0"),
			sysctl("sem", "32000\t1024000000\t500\t32000"), sysctl("shmmax", "18446744073692774399"),
			sysctl("shmall", "18446744073692774399"), sysctl("shmmni", "4096"), sysctl("msgmax", "8192"), sysctl("msgmnb", "16384"), sysctl("msgmni", "32000"),
			sysctl("sched_child_runs_first", strconv.Itoa(int(b2u(k.cfg.ChildFirst)))),
			dir("pty",
				sysctl("max", strconv.Itoa(tty.MaxTTYs)), sysctl("reserve", "0"),
				file("nr", func() string { return strconv.Itoa(k.sys.tty.Count()) }),
			),
			dir("random",
				file("boot_id", func() string { return k.bootID }),
				file("uuid", k.newUUID), sysctl("entropy_avail", "256"), sysctl("poolsize", "256"),
			),
		),
		dir("vm", sysctl("overcommit_memory", "0"), sysctl("overcommit_ratio", "50"), sysctl("max_map_count", "1048576"), sysctl("swappiness", "0"), sysctl("mmap_min_addr", "65536")),
		dir("fs",
			sysctl("file-max", "9223372036854775807"), sysctl("file-nr", "0\t0\t9223372036854775807"), sysctl("nr_open", "1048576"),
			sysctl("pipe-max-size", "1048576"), sysctl("protected_hardlinks", "1"), sysctl("protected_symlinks", "0"),
			dir("inotify", sysctl("max_queued_events", "16384"), sysctl("max_user_instances", "128"), sysctl("max_user_watches", "65536")),
			dir("mqueue"),
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

// newUUID makes a random UUID (RFC 9562, version 4).
func (k *Kernel) newUUID() string {
	var b [16]byte
	k.cfg.Entropy(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// NewSysFS makes /sys: the little of it that libraries read.
func (k *Kernel) NewSysFS() vfs.FileSystem {
	cpus := fmt.Sprintf("0-%d", len(k.cpus)-1)
	if len(k.cpus) == 1 {
		cpus = "0"
	}
	dir := func(name string, entries ...synthfs.Entry) synthfs.Entry {
		return synthfs.Entry{Name: name, Node: synthfs.Dir(entries...)}
	}
	cpuDirs := []synthfs.Entry{
		sysctl("online", cpus), sysctl("possible", cpus), sysctl("present", cpus), sysctl("offline", ""), sysctl("kernel_max", "63"),
	}
	for i := range k.cpus {
		n := strconv.Itoa(i)
		cpuDirs = append(cpuDirs, dir("cpu"+n, dir("topology",
			sysctl("core_id", n), sysctl("physical_package_id", "0"), sysctl("thread_siblings_list", n), sysctl("core_siblings_list", cpus),
		)))
	}
	root := synthfs.Dir(
		dir("devices", dir("system", dir("cpu", cpuDirs...), dir("node",
			sysctl("online", "0"), sysctl("possible", "0"), sysctl("has_memory", "0"),
			dir("node0", sysctl("cpulist", cpus), sysctl("cpumap", fmt.Sprintf("%x", k.allCPUs())), synthfs.Entry{Name: "meminfo", Node: synthfs.File(func() string {
				return fmt.Sprintf("Node 0 MemTotal:       %d kB\nNode 0 MemFree:        %d kB\n", k.totalMemory()>>10, k.freeMemory()>>10)
			})}),
		))),
		dir("kernel", dir("mm", dir("transparent_hugepage", sysctl("enabled", "always madvise [never]"), sysctl("hpage_pmd_size", "2097152")))),
		dir("fs", dir("cgroup")),
		dir("class", dir("net"), dir("block"), dir("tty")),
		dir("block"), dir("bus"), dir("module"),
	)
	return synthfs.New("sysfs", linux.SYSFS_MAGIC, root, k.realtime)
}
