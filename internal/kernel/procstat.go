package kernel

import (
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/mm"
)

// The numbers of the whole machine in /proc: load, processor time, memory.

// loadState keeps the load averages as Linux does (uptime(1)): every five
// seconds the number of tasks that run, or wait uninterruptibly, enters
// averages that forget it after 1, 5 and 15 minutes. They are sampled when a
// processor enters the guest; while none does, nobody runs.
type loadState struct {
	next int64     // when the next sample is due, CLOCK_MONOTONIC ns
	avg  [3]uint64 // fixed point, loadOne is 1
}

const (
	loadPeriod = 5e9
	loadShift  = 11
	loadOne    = 1 << loadShift
)

// loadDecay are e^(-5s/1min), e^(-5s/5min) and e^(-5s/15min).
var loadDecay = [3]uint64{1884, 2014, 2037}

// sampleLoad takes the samples that are due at now.
func (k *Kernel) sampleLoad(now int64) {
	l := &k.load
	if l.next == 0 {
		l.next = k.started + loadPeriod
	}
	missed := (now - l.next) / loadPeriod
	if now < l.next {
		return
	}
	l.next += (missed + 1) * loadPeriod
	const forgotten = 4000 // after so many samples nothing is left
	for range min(missed, forgotten) {
		l.enter(0)
	}
	l.enter(uint64(k.active()))
}

func (l *loadState) enter(active uint64) {
	active *= loadOne
	for i, d := range loadDecay {
		n := l.avg[i]*d + active*(loadOne-d)
		if active >= l.avg[i] {
			n += loadOne - 1
		}
		l.avg[i] = n / loadOne
	}
}

// running is the number of tasks that run or want to.
func (k *Kernel) running() int {
	n := len(k.runq.heap)
	for _, p := range k.cpus {
		if p.task != nil {
			n++
		}
	}
	return n
}

// active is running with those that wait uninterruptibly.
func (k *Kernel) active() int { return k.running() + k.blocked() }

func (k *Kernel) blocked() (n int) {
	k.pids.each(func(t *Task) {
		if t.state == TaskDisk {
			n++
		}
	})
	return n
}

func (k *Kernel) procLoadavg() string {
	var b strings.Builder
	for _, v := range k.load.avg {
		const half = loadOne / 200 // rounds to hundredths
		v += half
		fmt.Fprintf(&b, "%d.%02d ", v>>loadShift, v&(loadOne-1)*100>>loadShift)
	}
	fmt.Fprintf(&b, "%d/%d %d\n", k.running(), k.pids.tasks, k.pids.last)
	return b.String()
}

// line is a line of /proc/stat, in clock ticks, of a processor or the sum of
// several that have been there for up.
func (c *cpuTime) line(name string, up int64) string {
	idle := max(up-c.user-c.nice-c.system, 0)
	return fmt.Sprintf("%s %d %d %d %d 0 0 0 0 0 0\n", name, ticks(c.user), ticks(c.nice), ticks(c.system), ticks(idle))
}

// cpuTimes is the sum over the processors, and how long they have been there.
func (k *Kernel) cpuTimes() (sum cpuTime, up int64) {
	k.chargeRunning()
	for _, p := range k.cpus {
		sum.user += p.time.user
		sum.nice += p.time.nice
		sum.system += p.time.system
	}
	return sum, (k.now() - k.started) * int64(len(k.cpus))
}

func (k *Kernel) procStat() string {
	var b strings.Builder
	sum, up := k.cpuTimes()
	b.WriteString(sum.line("cpu ", up))
	for i, p := range k.cpus {
		b.WriteString(p.time.line(fmt.Sprintf("cpu%d", i), up/int64(len(k.cpus))))
	}
	fmt.Fprintf(&b, "intr 0\nctxt %d\nbtime %d\nprocesses %d\nprocs_running %d\nprocs_blocked %d\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
		k.switches, k.bootTime/1e9, k.forks, k.running(), k.blocked())
	return b.String()
}

// procSoftirqs: there are no interrupts, so nothing is put off.
func (k *Kernel) procSoftirqs() string {
	var b strings.Builder
	b.WriteString("                    ")
	for i := range k.cpus {
		fmt.Fprintf(&b, "%-11s", fmt.Sprintf("CPU%d", i))
	}
	b.WriteString("\n")
	for _, name := range []string{"HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"} {
		fmt.Fprintf(&b, "%12s:", name)
		for range k.cpus {
			fmt.Fprintf(&b, " %10d", 0)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (k *Kernel) procUptime() string {
	sum, all := k.cpuTimes()
	up := k.now()
	idle := max(all-sum.user-sum.nice-sum.system, 0)
	return fmt.Sprintf("%.2f %.2f\n", float64(up)/1e9, float64(idle)/1e9)
}

func (k *Kernel) procMeminfo() string {
	total, free, cached, tables := k.totalMemory()>>10, k.freeMemory()>>10, k.acct.Cached()>>10, k.acct.Tables()>>10
	var committed uint64
	k.eachMemory(func(as *mm.AddressSpace) { committed += as.DataPages() })
	anon := max(total-free-cached-tables, 0)
	var b strings.Builder
	for _, l := range []struct {
		name string
		kb   int64
	}{
		{"MemTotal", total}, {"MemFree", free}, {"MemAvailable", free}, {"Buffers", 0}, {"Cached", cached}, {"SwapCached", 0},
		{"Active", anon + cached}, {"Inactive", 0}, {"Active(anon)", anon + cached}, {"Inactive(anon)", 0}, {"Active(file)", 0}, {"Inactive(file)", 0},
		{"Unevictable", 0}, {"Mlocked", 0}, {"SwapTotal", 0}, {"SwapFree", 0}, {"Dirty", 0}, {"Writeback", 0},
		{"AnonPages", anon}, {"Shmem", cached}, {"KReclaimable", 0}, {"Slab", 0}, {"SReclaimable", 0}, {"SUnreclaim", 0},
		{"KernelStack", 0}, {"PageTables", tables}, {"CommitLimit", total / 2}, {"Committed_AS", int64(committed) << 2},
		{"VmallocTotal", 34359738367}, {"VmallocUsed", 0}, {"HugePages_Total", -1}, {"HugePages_Free", -1}, {"HugePages_Rsvd", -1},
		{"HugePages_Surp", -1}, {"Hugepagesize", 2048},
	} {
		if l.kb < 0 {
			fmt.Fprintf(&b, "%-16s%8d\n", l.name+":", 0)
			continue
		}
		fmt.Fprintf(&b, "%-16s%8d kB\n", l.name+":", l.kb)
	}
	return b.String()
}

// eachMemory calls fn for every address space, once.
func (k *Kernel) eachMemory(fn func(as *mm.AddressSpace)) {
	seen := make(map[*mm.AddressSpace]bool)
	k.pids.each(func(t *Task) {
		if t.as != nil && !seen[t.as] {
			seen[t.as] = true
			fn(t.as)
		}
	})
}

func (k *Kernel) procVmstat() string {
	var u usage
	k.pids.each(func(t *Task) { u.add(&t.usage) })
	u.add(&k.deadUse)
	cached, free, tables := k.acct.Cached()>>mm.PageShift, k.freeMemory()>>mm.PageShift, k.acct.Tables()>>mm.PageShift
	anon := max(k.acct.Used()>>mm.PageShift-cached-tables, 0)
	return fmt.Sprintf("nr_free_pages %d\nnr_inactive_anon 0\nnr_active_anon %d\nnr_inactive_file 0\nnr_active_file 0\nnr_anon_pages %d\n"+
		"nr_mapped 0\nnr_file_pages %d\nnr_dirty 0\nnr_writeback 0\nnr_page_table_pages %d\nnr_shmem %d\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault %d\npgmajfault %d\n",
		free, anon+cached, anon, cached, tables, cached, u.minflt+u.majflt, u.majflt)
}

// procOOMScore is /proc/PID/oom_score: the share of memory in thousandths,
// with oom_score_adj, on Linux's scale from 0 to 2000, on which a process
// without memory has 666.
func (t *Task) procOOMScore() string {
	if t.as == nil || t.group.isInit() && t.pidNS() == t.k.pids || t.group.oomAdj == -1000 {
		return "0\n"
	}
	total := max(t.k.totalMemory()>>mm.PageShift, 1000)
	bad := int64(t.as.RSSPages()) + int64(t.group.oomAdj)*(total/1000)
	return fmt.Sprintf("%d\n", max((1000+bad*1000/total)*2/3, 0))
}
