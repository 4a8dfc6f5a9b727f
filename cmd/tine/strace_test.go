//go:build linux && amd64

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestStraceOracle compares the traces of programs that make each call with
// arguments that say something with those of the host's strace.
func TestStraceOracle(t *testing.T) {
	out, err := exec.Command("strace", "-V").Output()
	if err != nil || !strings.Contains(string(out), "version 6.1") {
		t.Skip("there is no strace 6.1 to compare with")
	}
	if out, err := exec.Command("strace", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace: %s", out)
	}
	if os.Getuid() != 0 {
		t.Skip("the programs show what root may do")
	}
	dir := t.TempDir()
	for _, name := range []string{"file", "process", "signal", "net", "term", "more"} {
		t.Run(name, func(t *testing.T) {
			prog := filepath.Join(dir, name)
			src := filepath.Join("../../testdata/strace", name+".c")
			if out, err := exec.Command("gcc", "-static", "-O1", "-w", "-o", prog, src).CombinedOutput(); err != nil {
				t.Fatalf("gcc: %s", out)
			}
			want := traceOf(t, exec.Command("strace", "-f", "-o", prog+".native", prog), prog+".native", t.TempDir())
			cmd := exec.Command("tine", "strace", "-o", prog+".tine", "--cpus", "1", "--timeout", "60s", "--volume", dir+":/progs", "--tmpfs", "/scratch", "--workdir", "/scratch", "/progs/"+name)
			got := traceOf(t, cmd, prog+".tine", dir)
			for i := range max(len(want), len(got)) {
				if w, g := lineAt(want, i), lineAt(got, i); w != g {
					t.Errorf("\nstrace: %s\n  tine: %s", w, g)
				}
			}
		})
	}
}

func lineAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// traceOf runs a command in dir and reads the trace it writes to file, task by
// task. How the programs end does not matter, their traces tell.
func traceOf(t *testing.T, cmd *exec.Cmd, file, dir string) []string {
	t.Helper()
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC"}
	out, err := cmd.CombinedOutput()
	text, rerr := os.ReadFile(file)
	if rerr != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return normalize(string(text))
}

var (
	unfinished = regexp.MustCompile(`^(.*) <unfinished \.\.\.>$`)
	resumed    = regexp.MustCompile(`^<\.\.\. \w+ resumed>(.*)$`)
	aligned    = regexp.MustCompile(`\s+= `)
	signalled  = regexp.MustCompile(`^(---|\+\+\+) `)
)

// variable is what differs between two runs of the same program, and what
// stands for it.
var variable = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`0x[0-9a-f]{5,}|NULL /\* \d`), "ADDR"},
	{regexp.MustCompile(`^(getppid\(\)|getpgrp\(\)|getsid\(0\)) = \d+`), "$1 = PID"},
	{regexp.MustCompile(`SNDCTL_\w+ or `), ""}, // the same numbers as requests of terminals
	{regexp.MustCompile(`nlmsg_pid=[1-9]\d*`), "nlmsg_pid=PID"},
	{regexp.MustCompile(`sched_runtime=\d+`), "sched_runtime"},
	{regexp.MustCompile(`ru_(.)time=\{[^}]*\}`), "ru_${1}time"},
	{regexp.MustCompile(`si_(.)time=\d+( /\* .*? \*/)?`), "si_${1}time"},
	{regexp.MustCompile(`\{tv_sec=9\d, tv_nsec=\d+\}`), "LEFT"},
	{regexp.MustCompile(`f_fsid=\{.*?\}`), "f_fsid"},
	{regexp.MustCompile(`f_flags=[A-Z_|]+`), "f_flags"},
	{regexp.MustCompile(`stx_mask=(STATX_BASIC_STATS\|STATX_MNT_ID|STATX_ALL(\|STATX_MNT_ID)?)`), "stx_mask"},
	{regexp.MustCompile(`^getcwd\("[^"]*", 256\) += \d+`), "getcwd"},
	{regexp.MustCompile(`^((?:shm|sem|msg)get\(IPC_PRIVATE.*) = \d+`), "$1 = ID"},
	{regexp.MustCompile(`^((?:shm|sem|msg)(?:at|ctl|op|snd|rcv)\()\d+,`), "${1}ID,"},
	{regexp.MustCompile(`, 1\d{14}\) = `), ", GARBAGE) = "}, // an argument that a program has not set
}

// pidPlaces are where numbers of tasks stand.
var pidPlaces = regexp.MustCompile(`(\bsi_pid=|\bpid=|_tid=\[|^(?:wait4|kill|tkill|tgkill|rt_sigqueueinfo|process_vm_readv|kcmp|pidfd_open)\(|` +
	`^(?:tgkill|kcmp)\(\w+, |^waitid\(P_PID, |^(?:getpid|gettid|fork|set_tid_address|clone|clone3|wait4)\(.*\) += )(\d+)`)

// normalize reads a trace: joins what was cut in two, keeps what lies between
// the marks, sorts it by tasks in the order of their numbers, and replaces what
// differs from run to run. The signals of a task, which come when they come,
// follow its calls.
func normalize(text string) []string {
	var pids []string
	cut := make(map[string]string)
	calls, signals := make(map[string][]string), make(map[string][]string)
	inside := false
	for _, line := range strings.Split(text, "\n") {
		pid, rest, ok := strings.Cut(line, " ")
		if !ok {
			continue
		}
		rest = strings.TrimLeft(rest, " ")
		if m := unfinished.FindStringSubmatch(rest); m != nil {
			cut[pid] = m[1]
			continue
		}
		if m := resumed.FindStringSubmatch(rest); m != nil {
			rest = cut[pid] + m[1]
		}
		switch {
		case strings.HasPrefix(rest, `write(-1, "begin"`):
			inside = true
			pids = append(pids, pid)
			continue
		case strings.HasPrefix(rest, `write(-1, "end"`):
			inside = false
		}
		if !slices.Contains(pids, pid) && inside {
			pids = append(pids, pid)
		}
		if signalled.MatchString(rest) {
			signals[pid] = append(signals[pid], rest)
		} else if inside {
			calls[pid] = append(calls[pid], aligned.ReplaceAllString(rest, " = "))
		}
	}
	slices.SortFunc(pids, func(a, b string) int { return len(a)*1000 - len(b)*1000 + strings.Compare(a, b) })
	var all []string
	for i, pid := range pids {
		all = append(all, fmt.Sprintf("task %d", i))
		for _, line := range append(calls[pid], signals[pid]...) {
			for again := 0; again < 2; again++ { // tgkill has two
				line = pidPlaces.ReplaceAllStringFunc(line, func(s string) string {
					m := pidPlaces.FindStringSubmatch(s)
					if i := slices.Index(pids, m[2]); i >= 0 {
						return fmt.Sprintf("%sP%d", m[1], i)
					}
					return s
				})
			}
			for _, v := range variable {
				line = v.re.ReplaceAllString(line, v.to)
			}
			all = append(all, line)
		}
	}
	return all
}
