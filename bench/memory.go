package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A memoryStage is the memory of a whole target when a program has reached a
// stage of forking.
type memoryStage struct {
	Stage string `json:"stage"`
	// MB is the resident memory of all host processes of a target together,
	// each shared page counted once (Pss). tine is one host process.
	MB map[string]float64 `json:"mb"`
}

// Megabytes is one value as text.
func (s memoryStage) Megabytes(target string) string {
	if mb, ok := s.MB[target]; ok {
		return fmt.Sprintf("%.0f", mb)
	}
	return "–"
}

// forkMemory shows that a fork does not double the memory in use: a program
// touches 1 GB, forks, and the child reads all of it and writes a sixteenth.
func (s *session) forkMemory() []memoryStage {
	mb := 1024
	if s.quick {
		mb = 256
	}
	stages := []memoryStage{{Stage: fmt.Sprintf("%d MB touched", mb)}, {Stage: "forked, child has read all"}, {Stage: "child has written 1/16"}}
	for i := range stages {
		stages[i].MB = map[string]float64{}
	}
	for _, t := range s.targets {
		if t.Name == "runsc" { // its processes are no children of the command
			continue
		}
		s.say("memory of a fork: %s", t.Name)
		if err := s.memoryOf(t, mb, stages); err != nil {
			s.say("memory of a fork: %s: %v", t.Name, err)
		}
	}
	return stages
}

func (s *session) memoryOf(t *target, mb int, stages []memoryStage) error {
	args := append(append([]string{}, t.prefix...), filepath.Join(s.dir, "process"), "0", "memory", strconv.Itoa(mb))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.dir
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := time.AfterFunc(s.limit, func() { cmd.Process.Kill() })
	defer stop.Stop()
	lines := bufio.NewScanner(out)
	for i := range stages {
		if !lines.Scan() {
			cmd.Process.Kill()
			cmd.Wait()
			return fmt.Errorf("ended before %q", stages[i].Stage)
		}
		stages[i].MB[t.Name] = proportional(cmd.Process.Pid) / 1024
		fmt.Fprintln(in)
	}
	in.Close()
	return cmd.Wait()
}

// proportional is the memory in kB of a process and its children, each shared
// page counted once.
func proportional(pid int) float64 {
	sum := 0.0
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "Pss:" {
			sum, _ = strconv.ParseFloat(f[1], 64)
		}
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range tasks {
		children, _ := os.ReadFile(file)
		for _, c := range strings.Fields(string(children)) {
			if n, err := strconv.Atoi(c); err == nil {
				sum += proportional(n)
			}
		}
	}
	return sum
}
