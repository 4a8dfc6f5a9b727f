package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A target is a way to run a program.
type target struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	prefix  []string
}

// targetNames are all targets in the order of the columns, with their headings.
var targetNames = []struct{ name, heading string }{
	{"native", "native"}, {"tine", "tine"}, {"interp", "tine, interpreted"}, {"qemu", "qemu-user"}, {"runsc", "gVisor"},
}

// findTargets gives native, tine with both engines, and qemu-user and gVisor's
// runsc where they are installed.
func findTargets(o *options, dir string) []*target {
	run := []string{o.tine, "run", "--stats", "-v", dir + ":" + dir + ":rw", "-w", dir}
	run = append(run, o.tineFlags...)
	list := []*target{
		{Name: "native", Version: firstLine("uname", "-sr")},
		{Name: "tine", Version: tineVersion(o), prefix: append(run[:len(run):len(run)], "--")},
	}
	if !strings.Contains(strings.Join(o.tineFlags, " "), "-engine") {
		list = append(list, &target{Name: "interp", Version: "--engine=interp", prefix: append(run[:len(run):len(run)], "--engine=interp", "--")})
	}
	if qemu := findQemu(); qemu != nil {
		list = append(list, qemu)
	}
	if runsc := findRunsc(); runsc != nil {
		list = append(list, runsc)
	}
	return list
}

func findQemu() *target {
	for _, name := range []string{"qemu-x86_64", "qemu-x86_64-static"} {
		if path, err := exec.LookPath(name); err == nil {
			return &target{Name: "qemu", Version: firstLine(path, "--version"), prefix: []string{path}}
		}
	}
	progress("qemu-x86_64 is not installed (package qemu-user): no column for it")
	return nil
}

// findRunsc tries gVisor, which not every host lets run, with the platform it
// chooses itself.
func findRunsc() *target {
	path, err := exec.LookPath("runsc")
	if err != nil {
		progress("runsc is not installed (package runsc): no column for gVisor")
		return nil
	}
	prefix := []string{path, "--network=none"}
	if os.Getuid() != 0 {
		prefix = append(prefix, "--rootless")
	}
	prefix = append(prefix, "do", "-quiet")
	version := strings.TrimPrefix(firstLine(path, "--version"), "runsc version ")
	flags, _ := exec.Command(path, "flags").CombinedOutput() // its exit status is that of a usage error
	if m := regexp.MustCompile(`-platform string\n.*\(default "?([a-z]+)`).FindSubmatch(flags); m != nil {
		version += fmt.Sprintf(" (platform %s)", m[1])
	}
	t := &target{Name: "runsc", Version: "runsc " + version, prefix: prefix}
	if _, err := t.run("/", []string{"/bin/true"}, 10*time.Second); err != nil {
		progress("runsc does not run here, no column for it: %v", err)
		return nil
	}
	return t
}

// tineVersion names the commit too, if the binary was built just now, and the
// flags that were given for all runs.
func tineVersion(o *options) string {
	version := firstLine(o.tine, "version")
	if o.built {
		if commit := firstLine("git", "describe", "--always", "--dirty"); commit != "" {
			version += ", commit " + commit
		}
	}
	return strings.Join(append([]string{version}, o.tineFlags...), " ")
}

// firstLine is what a command says first.
func firstLine(args ...string) string {
	out, _ := exec.Command(args[0], args[1:]...).Output()
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// cacheVariable says where tine keeps translations from one run to the next.
const cacheVariable = "TINE_CACHE"

// A sample is what one run of a program gave.
type sample struct {
	values       map[string]float64 // nanoseconds, by the name that the program gave
	checksum     string
	wall         float64 // nanoseconds, from outside
	instructions float64 // as tine counts them, or 0
}

var instructionLine = regexp.MustCompile(`(?m)^instructions: (\d+)$`)

// run runs one program once, with env added to the environment.
func (t *target) run(dir string, args []string, limit time.Duration, env ...string) (sample, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	full := append(append([]string{}, t.prefix...), args...)
	cmd := exec.CommandContext(ctx, full[0], full[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	s := sample{values: map[string]float64{}, wall: float64(time.Since(start))}
	if ctx.Err() != nil {
		return s, fmt.Errorf("longer than %v", limit)
	}
	if err != nil {
		return s, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	if m := instructionLine.FindStringSubmatch(stderr.String()); m != nil {
		s.instructions, _ = strconv.ParseFloat(m[1], 64)
	}
	for line := range strings.Lines(stdout.String()) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && name == "=" {
			s.checksum = value
		} else if ns, err := strconv.ParseFloat(value, 64); ok && err == nil {
			s.values[name] = ns
		}
	}
	return s, nil
}

var statsLines = regexp.MustCompile(`(?m)^(instructions|memory|peak memory|tasks created|tasks|switches|uptime): .*\n?`)

// lastLine is the last line of an error output but for the counters of --stats.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(statsLines.ReplaceAllString(s, "")), "\n")
	return lines[len(lines)-1]
}

// child is the command that execs a small program on this target: qemu-user
// runs an exec'd program natively unless it is told to start itself again.
func (t *target) child(dir string) []string {
	prog := []string{filepath.Join(dir, "process"), "nothing"}
	if t.Name == "qemu" {
		return append([]string{t.prefix[0]}, prog...)
	}
	return prog
}
