package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// findTargets gives native, tine, and qemu-user where it is installed.
func findTargets(o *options, dir string) []*target {
	tine := []string{o.tine, "run", "--stats", "-v", dir + ":" + dir + ":rw", "-w", dir}
	tine = append(append(tine, o.tineFlags...), "--")
	list := []*target{
		{Name: "native", Version: version("uname", "-sr")},
		{Name: "tine", Version: version(o.tine, "version"), prefix: tine},
	}
	for _, name := range []string{"qemu-x86_64", "qemu-x86_64-static"} {
		if path, err := exec.LookPath(name); err == nil {
			return append(list, &target{Name: "qemu", Version: version(path, "--version"), prefix: []string{path}})
		}
	}
	progress("qemu-x86_64 is not installed (package qemu-user): no column for it")
	return list
}

func version(args ...string) string {
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// A sample is what one run of a program gave.
type sample struct {
	values       map[string]float64 // nanoseconds, by the name that the program gave
	checksum     string
	wall         float64 // nanoseconds, from outside
	instructions float64 // as tine counts them, or 0
}

var instructionLine = regexp.MustCompile(`(?m)^instructions: (\d+)$`)

// run runs one program once.
func (t *target) run(dir string, args []string, limit time.Duration) (sample, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	full := append(append([]string{}, t.prefix...), args...)
	cmd := exec.CommandContext(ctx, full[0], full[1:]...)
	cmd.Dir = dir
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

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(instructionsOut(s)), "\n")
	return lines[len(lines)-1]
}

// instructionsOut takes out the counters of --stats.
func instructionsOut(s string) string {
	return regexp.MustCompile(`(?m)^(instructions|memory|peak memory|tasks created): \d+\n?`).ReplaceAllString(s, "")
}

// errNotComparable marks a measurement that means nothing on a target.
var errNotComparable = errors.New("not comparable")

// child is the command that execs a small program on this target: qemu-user
// runs an exec'd program natively unless it is told to start itself again.
func (t *target) child(dir string) []string {
	prog := []string{filepath.Join(dir, "process"), "nothing"}
	if t.Name == "qemu" {
		return append([]string{t.prefix[0]}, prog...)
	}
	return prog
}
