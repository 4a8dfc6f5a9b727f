package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A curve is how a cost grows on one target.
type curve struct {
	Chart  string  `json:"chart"` // a name of charts
	Value  string  `json:"value"` // the panel
	Target string  `json:"target"`
	Tine   string  `json:"tine"` // version that was measured beside it
	Points []point `json:"points"`
}

// A point is a cost at a size, or why it could not be measured.
type point struct {
	X     float64 `json:"x"`
	NS    *value  `json:"ns,omitempty"`
	Error string  `json:"error,omitempty"`
}

// A chart is a family of curves: a quantity that grows, and what then costs what.
type chart struct {
	name, title string
	x           string // what grows, with its unit
	values      []named
	sizes       []int
	at          func(size int) measurement
}

// charts is what -scale measures.
func charts(o *options) []chart {
	ms, most := 300, 100_000
	if o.quick {
		ms, most = 60, 1000
	}
	fork := func(mb, mappings int) measurement {
		m := micro("", "wait", "process", ms, "fork", mb, mappings)
		m.check = func(*target) error { return enoughMemory(mb) }
		return m
	}
	forkValues := []named{{"fork + exit + wait", "wait"}, {"fork call alone", "call"}}
	many := chart{name: "processes", title: "What a process costs among many", x: "processes alive",
		values: []named{{"fork, until the child sleeps", "fork"}, {"context switch", "switch"}, {"wait for a zombie", "wait"}},
		sizes:  upTo(most, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000),
		at: func(n int) measurement {
			m := micro("", "fork", "many", ms, n)
			m.check = func(t *target) error { return enoughProcesses(t, n) }
			return m
		}}
	memory := chart{name: "memory", title: "fork by touched memory", x: "MB touched by the process that forks",
		values: forkValues, sizes: upTo(most, 1, 4, 16, 64, 256, 1024, 4096, 16384),
		at: func(mb int) measurement { return fork(mb, 1) }}
	mappings := chart{name: "mappings", title: "fork by mappings", x: "mappings that 64 MB consist of",
		values: forkValues, sizes: upTo(most, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000),
		at: func(n int) measurement { return fork(64, n) }}
	return []chart{many, memory, mappings}
}

// upTo takes the sizes that are not too large.
func upTo(most int, sizes ...int) []int {
	var list []int
	for _, s := range sizes {
		if s <= most {
			list = append(list, s)
		}
	}
	return list
}

// enoughProcesses says whether the host can have so many more without hurting
// others: process numbers and memory are what runs out.
func enoughProcesses(t *target, n int) error {
	const nativeKB, tineKB = 100, 50 // what a small process needs
	if t.Name != "native" {
		return enoughMemory(n * tineKB / 1024)
	}
	b, _ := os.ReadFile("/proc/sys/kernel/pid_max")
	most, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	if n > most/2 {
		return fmt.Errorf("kernel.pid_max is %d", most)
	}
	return enoughMemory(n * nativeKB / 1024)
}

// measureScale measures the curves on native Linux and tine.
func (s *session) measureScale(r *report) {
	s.targets = s.targets[:2]
	r.Targets = s.targets
	for _, c := range charts(s.options) {
		if !s.run.MatchString(c.name) {
			continue
		}
		curves := map[named]*curve{}
		for _, t := range s.targets {
			for _, v := range c.values {
				curves[named{t.Name, v.key}] = &curve{Chart: c.name, Value: v.name, Target: t.Name, Tine: s.targets[1].Version}
				r.Curves = append(r.Curves, curves[named{t.Name, v.key}])
			}
		}
		for i, size := range c.sizes {
			m := c.at(size)
			m.values = nil
			for _, v := range c.values {
				m.values = append(m.values, named{fmt.Sprintf("%s %d: %s", c.name, size, v.name), v.key})
			}
			for k, row := range s.measure(m, fmt.Sprintf("[%s %d/%d]", c.name, i+1, len(c.sizes))) {
				for _, t := range s.targets {
					p := point{X: float64(size), Error: row.Errors[t.Name]}
					if v, ok := row.NS[t.Name]; ok {
						p.NS = &v
					}
					to := curves[named{t.Name, c.values[k].key}]
					to.Points = append(to.Points, p)
				}
			}
		}
	}
}
