package kernel

import (
	"fmt"
	"strconv"

	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// sysTopology describes a processor: each is a core of the one package.
func (k *Kernel) sysTopology(cpu int) synthfs.Entry {
	n, one, all := strconv.Itoa(cpu), fmt.Sprintf("%x", uint64(1)<<cpu), fmt.Sprintf("%x", k.allCPUs())
	list := cpuList(k.allCPUs())
	entries := []synthfs.Entry{sysctl("core_id", n), sysctl("die_id", "0"), sysctl("cluster_id", "65535"), sysctl("physical_package_id", "0")}
	for _, name := range []string{"core_cpus", "thread_siblings", "cluster_cpus"} {
		entries = append(entries, sysctl(name, one), sysctl(name+"_list", n))
	}
	for _, name := range []string{"core_siblings", "die_cpus", "package_cpus"} {
		entries = append(entries, sysctl(name, all), sysctl(name+"_list", list))
	}
	return synthfs.Entry{Name: "topology", Node: synthfs.Dir(entries...)}
}

// NewSysFS makes /sys: the little of it that libraries read.
func (k *Kernel) NewSysFS() vfs.FileSystem {
	cpus := cpuList(k.allCPUs())
	dir := func(name string, entries ...synthfs.Entry) synthfs.Entry {
		return synthfs.Entry{Name: name, Node: synthfs.Dir(entries...)}
	}
	cpuDirs := []synthfs.Entry{
		sysctl("online", cpus), sysctl("possible", cpus), sysctl("present", cpus), sysctl("offline", ""), sysctl("kernel_max", "63"),
	}
	for i := range k.cpus {
		cpuDirs = append(cpuDirs, dir("cpu"+strconv.Itoa(i), k.sysTopology(i)))
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
		dir("class", dir("net"), dir("block"), dir("tty")), dir("dev", dir("block"), dir("char")),
		dir("block"), dir("bus"), dir("module"),
	)
	return synthfs.New("sysfs", linux.SYSFS_MAGIC, root, k.realtime)
}
