package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A host is what was measured on.
type host struct {
	CPU        string `json:"cpu"`
	Processors int    `json:"processors"`
	MemoryMB   int    `json:"memory_mb"`
	Kernel     string `json:"kernel"`
	System     string `json:"system"`
	Go         string `json:"go"`
	// Load is how many processors others kept busy in the second before.
	Load float64 `json:"load"`
}

func thisHost() host {
	h := host{
		CPU: field("/proc/cpuinfo", "model name"), Processors: runtime.NumCPU(), Go: runtime.Version(),
		MemoryMB: kilobytes("MemTotal") / 1024, Kernel: firstLine("uname", "-sr"),
		System: strings.Trim(field("/etc/os-release", "PRETTY_NAME"), `"`),
	}
	busy, all := processorTime()
	time.Sleep(time.Second)
	busyThen, allThen := processorTime()
	h.Load = math.Round((busyThen-busy)/max(allThen-all, 1)*float64(h.Processors)*10) / 10
	return h
}

// processorTime is how long all processors have worked for anybody, other
// machines on the same host included, and how long they have existed.
func processorTime() (busy, all float64) {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line) {
		// cpu user nice system idle iowait irq softirq steal; guest time is in user time
		if n, err := strconv.ParseFloat(f, 64); err == nil && i <= 8 {
			all += n
			if i != 4 && i != 5 {
				busy += n
			}
		}
	}
	return busy, all
}

// same says that values of both may stand side by side.
func (h host) same(other host) bool {
	h.Load, h.Go = other.Load, other.Go
	return h == other
}

// Busy says that values will be noisy.
func (h host) Busy() bool { return h.Load > 0.2 }

func (h host) String() string {
	return fmt.Sprintf("%s, %d processors, %.0f GB, %s, %s", h.CPU, h.Processors, float64(h.MemoryMB)/1024, h.System, h.Kernel)
}

// field is the first value of a name in a file of lines "name: value" or "name=value".
func field(file, name string) string {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if i := strings.IndexAny(line, ":="); i > 0 && strings.TrimSpace(line[:i]) == name {
			return strings.TrimSpace(line[i+1:])
		}
	}
	return ""
}

// kilobytes is a value of /proc/meminfo.
func kilobytes(name string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", name), " kB"))
	return n
}

// enoughMemory says whether so much can be touched without hurting the host.
func enoughMemory(mb int) error {
	if free := kilobytes("MemAvailable") / 1024; mb > 0 && mb+mb/8+512 > free {
		return fmt.Errorf("needs %d MB and the host has %d MB free", mb+mb/8+512, free)
	}
	return nil
}
