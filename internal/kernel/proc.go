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
			{Name: "diskstats", Node: synthfs.Text("")},
			{Name: "filesystems", Node: synthfs.File(k.procFilesystems)},
			{Name: "interrupts", Node: synthfs.File(k.procInterrupts)},
			{Name: "loadavg", Node: synthfs.File(k.procLoadavg)},
			{Name: "locks", Node: &synthfs.Node{Mode: 0o444, Read: k.procLocks}},
			{Name: "meminfo", Node: synthfs.File(k.procMeminfo)},
			{Name: "modules", Node: synthfs.Text("")},
			{Name: "mounts", Node: synthfs.Symlink("self/mounts")},
			{Name: "net", Node: synthfs.Symlink("self/net")},
			{Name: "partitions", Node: synthfs.Text("major minor  #blocks  name\n\n")},
			{Name: "stat", Node: synthfs.File(k.procStat)},
			{Name: "swaps", Node: synthfs.Text("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")},
			{Name: "sys", Node: k.procSys()},
			{Name: "softirqs", Node: synthfs.File(k.procSoftirqs)},
			{Name: "sysvipc", Node: synthfs.Dir(
				synthfs.Entry{Name: "msg", Node: procIPC((*Task).procMsg)},
				synthfs.Entry{Name: "sem", Node: procIPC((*Task).procSem)},
				synthfs.Entry{Name: "shm", Node: procIPC((*Task).procShm)},
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
	return procPID(procView{ns, t})
}

func (k *Kernel) procCPUInfo() string {
	// As the engines' CPUID has it.
	level, fma, avx, avx2, xsave := 13, " fma", " xsave avx f16c", " avx2", " xsaveopt xsavec xgetbv1"
	if k.cfg.NoAVX {
		level, fma, avx, avx2, xsave = 7, "", "", "", ""
	}
	var b strings.Builder
	for i := range k.cpus {
		fmt.Fprintf(&b, "processor\t: %d\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 15\nmodel name\t: tine virtual CPU\n"+
			"stepping\t: 1\ncpu MHz\t\t: 1000.000\ncache size\t: 8192 KB\nphysical id\t: 0\nsiblings\t: %d\ncore id\t\t: %d\n"+
			"cpu cores\t: %d\napicid\t\t: %d\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %d\nwp\t\t: yes\n"+
			"flags\t\t: fpu tsc cx8 cmov clflush mmx fxsr sse sse2 syscall nx rdtscp lm constant_tsc rep_good nopl cpuid pni pclmulqdq ssse3%s cx16 sse4_1 sse4_2 movbe popcnt aes%s hypervisor lahf_lm abm fsgsbase bmi1%s bmi2 erms adx sha_ni%s rdpid fsrm\n"+
			"bugs\t\t:\nbogomips\t: 2000.00\nclflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: 46 bits physical, 48 bits virtual\npower management:\n\n",
			i, len(k.cpus), i, len(k.cpus), i, level, fma, avx, avx2, xsave)
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
