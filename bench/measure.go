package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A measurement is one row: a program to run, and which of its values counts.
type measurement struct {
	name string
	// args is the command line; the first word may be a micro program.
	args func(t *target, dir string) ([]string, error)
	key  string // the value's name, or "" for the time from outside
	cpu  bool   // guest instructions a second make sense
}

// micro is a measurement made by a micro program itself.
func micro(name, key, prog string, args ...any) measurement {
	return measurement{name: name, key: key, args: func(_ *target, dir string) ([]string, error) {
		list := []string{filepath.Join(dir, prog)}
		for _, a := range args {
			list = append(list, fmt.Sprint(a))
		}
		return list, nil
	}}
}

// program is a measurement of a whole program from outside.
func program(name string, args ...string) measurement {
	return measurement{name: name, args: func(t *target, _ string) ([]string, error) {
		if _, err := os.Stat(args[0]); err != nil {
			return nil, err
		}
		return args, nil
	}}
}

// notOnQemu excludes qemu-user where the program's children would run natively.
func (m measurement) notOnQemu() measurement {
	inner := m.args
	m.args = func(t *target, dir string) ([]string, error) {
		if t.Name == "qemu" {
			return nil, errNotComparable
		}
		return inner(t, dir)
	}
	return m
}

// measurements is the list of rows; -quick makes it smaller.
func measurements(o *options) []measurement {
	scale, pages := 1, 16384 // pages come in whole megabytes
	if o.quick {
		scale, pages = 5, 4096
	}
	list := []measurement{
		micro("null system call", "null", "kernel", "null", 500000/scale),
		micro("signal to self", "signal", "kernel", "signal", 50000/scale),
		micro("pipe round trip", "pipe", "kernel", "pipe", 20000/scale),
		micro("futex round trip", "futex", "kernel", "futex", 20000/scale),
		micro("first touch of a page", "touch", "process", "touch", pages),
		micro("copy-on-write fault", "cow", "process", "cow", pages),
		micro("thread create+join", "thread", "process", "thread", 2000/scale),
	}
	for _, mb := range []int{0, 64, 1024, 4096} {
		if o.quick && mb > 1024 {
			continue
		}
		// Few forks would measure the first one, which finds nothing warm.
		n := max(200/(1+mb/64), 20/scale*2)
		list = append(list,
			micro(fmt.Sprintf("fork call, %d MB", mb), "call", "process", "fork", n, mb),
			micro(fmt.Sprintf("fork+exit+wait, %d MB", mb), "wait", "process", "fork", n, mb))
	}
	for _, how := range [][2]string{{"fork", "fork+exec+wait"}, {"vfork", "vfork+exec+wait"}, {"spawn", "posix_spawn+wait"}} {
		list = append(list, measurement{name: how[1], key: how[0], args: func(t *target, dir string) ([]string, error) {
			// "fork" alone is the measurement without exec.
			mode := map[string]string{"fork": "forkexec", "vfork": "vfork", "spawn": "spawn"}[how[0]]
			return append([]string{filepath.Join(dir, "process"), mode, fmt.Sprint(100 / scale)}, t.child(dir)...), nil
		}})
	}
	for i := range list {
		if list[i].key == "fork" {
			list[i].key = "forkexec"
		}
	}
	for _, k := range []struct {
		name string
		n    int
	}{{"hash", 10}, {"sort", 10}, {"matrix", 50}, {"mandelbrot", 20}, {"chase", 10}, {"strings", 40}, {"bytecode", 15}, {"calls", 30}} {
		m := micro("cpu: "+k.name, k.name, "cpu", k.name, max(k.n/scale, 1))
		m.cpu = true
		list = append(list, m)
	}
	python := "/usr/bin/python3"
	loops := 200000 / scale
	subs := 500 / scale
	return append(list,
		micro("start of a trivial program", "", "process", "nothing"),
		program("python3 start", python, "-S", "-c", "pass"),
		program("python3 loop", python, "-S", "-c", fmt.Sprintf("s = 0\nfor i in range(%d): s += i * i %% 7\nprint()", loops)),
		program(fmt.Sprintf("bash, %d command substitutions", subs), "/bin/bash", "-c", fmt.Sprintf("for ((i = 0; i < %d; i++)); do x=$(echo $i); done", subs)),
		program("gcc -O1 -c", "/usr/bin/gcc", "-O1", "-c", "-o", "gcc.o", "cpu.c").notOnQemu(),
	)
}

// A row is one measurement on all targets.
type row struct {
	Name   string            `json:"name"`
	NS     map[string]value  `json:"ns"`     // by target
	Errors map[string]string `json:"errors"` // by target
	// MIPS is how many million guest instructions tine runs in a second.
	MIPS float64 `json:"mips,omitempty"`
}

// A value is the median of some samples.
type value struct {
	Median float64   `json:"median"`
	All    []float64 `json:"all"`
}

// noisy says that the samples are too far apart for the median to mean much:
// round trips between two threads differ tenfold with the cores they land on.
func (v value) noisy() bool { return slices.Max(v.All) > 1.5*slices.Min(v.All) }

// clockCheck is what part of the host's time the clock inside a target saw
// pass during a long computation. The micro programs are timed by that clock:
// if it ran slow or by a count of its own, their values would mean nothing.
func clockCheck(o *options, dir string, targets []*target) map[string]float64 {
	const repeats = 40
	seen := map[string]float64{}
	m := micro("", "hash", "cpu", "hash", repeats)
	for _, t := range targets {
		progress("clock check: %s", t.Name)
		if s, err := m.once(o, dir, t); err == nil {
			seen[t.Name] = s.values["hash"] * repeats / s.wall
		}
	}
	return seen
}

// measure runs the targets in turn, round by round: a change in the host's
// load meets all of them.
func (m measurement) measure(o *options, dir string, targets []*target) *row {
	r := &row{Name: m.name, NS: map[string]value{}, Errors: map[string]string{}}
	samples := map[string][]float64{}
	var mips []float64
	checksum := ""
	for round := range o.rounds {
		for _, t := range targets {
			if r.Errors[t.Name] != "" {
				continue
			}
			progress("%s: %s %d/%d", m.name, t.Name, round+1, o.rounds)
			s, err := m.once(o, dir, t)
			if err == nil && s.checksum != "" {
				if checksum == "" {
					checksum = s.checksum
				} else if checksum != s.checksum {
					err = fmt.Errorf("wrong result: %s, native %s", s.checksum, checksum)
				}
			}
			if err != nil {
				r.Errors[t.Name] = err.Error()
				progress("%s: %s: %v", m.name, t.Name, err)
				continue
			}
			ns := s.wall
			if m.key != "" {
				ns = s.values[m.key]
			}
			samples[t.Name] = append(samples[t.Name], ns)
			if m.cpu && s.instructions > 0 {
				mips = append(mips, s.instructions/s.wall*1e3)
			}
		}
	}
	for name, all := range samples {
		if r.Errors[name] == "" {
			r.NS[name] = value{median(all), all}
		}
	}
	r.MIPS = median(mips)
	return r
}

func (m measurement) once(o *options, dir string, t *target) (sample, error) {
	args, err := m.args(t, dir)
	if err != nil {
		return sample{}, err
	}
	s, err := t.run(dir, args, o.limit)
	if err == nil && m.key != "" {
		if _, ok := s.values[m.key]; !ok {
			err = fmt.Errorf("the program did not print %q", m.key)
		}
	}
	// A moment for what the run left behind, such as pages being freed.
	time.Sleep(10 * time.Millisecond)
	return s, err
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
