package main

import (
	"fmt"
	"math"
	"strings"
)

// A goal is a number that a row of tine is meant to stay below.
type goal struct {
	name  string // of the row, mostly
	limit float64
	kind  goalKind
}

// goalKind is what number of a row counts.
type goalKind int

const (
	toNative goalKind = iota // the ratio to native Linux
	to1GB                    // the ratio to the same with 1 GB touched, on tine
	msMore                   // milliseconds more than native Linux
	cpuMean                  // the geometric mean of all ratios of the section cpu
)

// goals is the list that the page shows, met or missed.
func goals() []goal {
	list := []goal{
		{"kernel/null system call", 0.7, toNative},
		{"kernel/signal to self", 0.3, toNative},
		{"kernel/pipe round trip", 0.3, toNative},
		{"kernel/futex round trip", 0.3, toNative},
		{rowForkNothing, 0.08, toNative},
		{rowFork1GB, 0.0005, toNative},
		{"process/fork + exit + wait, " + forkName(4096, 1), 2, to1GB},
		{"process/fork + exit + wait, " + forkName(1024, 10000), 2, to1GB},
		{"process/copy-on-write fault", 0.3, toNative},
		{"process/pthread create + join", 0.15, toNative},
		{"process/fork + exec + wait, small static program", 0.15, toNative},
		{"process/vfork + exec + wait, small static program", 0.15, toNative},
		{"process/posix_spawn + wait, small static program", 0.15, toNative},
	}
	for _, k := range cpuKernels {
		list = append(list, goal{"cpu/" + k, 5, toNative})
	}
	return append(list,
		goal{"cpu/geometric mean", 2.5, cpuMean},
		goal{rowTrue, 10, msMore},
		goal{rowPythonLoop, 4, toNative},
		goal{rowBash, 0.5, toNative},
		goal{rowGccCold, 5, toNative},
		goal{rowGccWarm, 5, toNative},
	)
}

// measured is the number that counts, if the report has it.
func (g goal) measured(r *report) (float64, bool) {
	if g.kind == cpuMean {
		return r.cpuMean()
	}
	row := r.row(g.name)
	if row == nil {
		return 0, false
	}
	switch g.kind {
	case to1GB:
		tine, ok := row.NS["tine"]
		base := r.row(rowFork1GB)
		if base == nil || base.NS["tine"].Median == 0 {
			return 0, false
		}
		return tine.Median / base.NS["tine"].Median, ok
	case msMore:
		x, ok := row.overNative("tine", difference)
		return x / 1e6, ok
	}
	return row.overNative("tine", quotient)
}

// cpuMean is there only when all kernels were measured.
func (r *report) cpuMean() (float64, bool) {
	sum := 0.0
	for _, k := range cpuKernels {
		x, ok := goal{name: "cpu/" + k}.measured(r)
		if !ok {
			return 0, false
		}
		sum += math.Log(x)
	}
	return math.Exp(sum / float64(len(cpuKernels))), true
}

// wanted is the goal in words.
func (g goal) wanted() string {
	limit := fmt.Sprint(g.limit)
	switch g.kind {
	case to1GB:
		return "at most " + limit + "× that with 1 GB"
	case msMore:
		return "at most " + limit + " ms more than native"
	}
	return "at most " + limit + "× native"
}

// number is a measured value in the goal's unit.
func (g goal) number(got float64) string {
	if g.kind == msMore {
		return fmt.Sprintf("%.1f ms more", got)
	}
	return ratio(got)
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// splitName parts a row's name into section and rest.
func splitName(name string) (section, rest string) {
	section, rest, _ = strings.Cut(name, "/")
	return section, rest
}
