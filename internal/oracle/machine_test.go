//go:build linux && amd64

package oracle

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Things of the model that no native run can show: tine's settings, its own
// PID 1, its numbers.

// machineRun compiles a C source into the scratch folder and runs it on tine.
func machineRun(t *testing.T, source string, limit time.Duration, flags []string, args ...string) result {
	t.Helper()
	need(t, "gcc")
	dir := scratch(t)
	fill(t, dir, nil)
	buildC(t, dir, source)
	r := run{args: append([]string{"./prog"}, args...), dir: dir, flags: flags, timeout: limit}
	return r.tineRaw(t)
}

// manySource makes as many processes as it is told, alive or as zombies, and
// reaps them all.
const manySource = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
	int want = atoi(argv[2]), made = 0, reaped = 0, live = !strcmp(argv[1], "processes"), p[2];
	char c;
	pipe(p);
	for (; made < want; made++) {
		int pid = fork();
		if (pid < 0)
			break;
		if (pid == 0) {
			close(p[1]);
			if (live)
				read(p[0], &c, 1);
			_exit(0);
		}
	}
	close(p[1]);
	while (wait(NULL) > 0)
		reaped++;
	printf("made %d, reaped %d\n", made, reaped);
	return 0;
}
`

func TestMany(t *testing.T) {
	for _, c := range []struct{ kind, number, small string }{
		{"processes", "100000", "1000"}, {"zombies", "1000000", "5000"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			start(t)
			n := c.small
			if size == "full" {
				n = c.number
			} else if size == "native" {
				t.Skip("nothing native here")
			}
			res := machineRun(t, manySource, 10*time.Minute, nil, c.kind, n)
			if want := "made " + n + ", reaped " + n + "\n"; res.Stdout != want || res.Code != 0 {
				t.Errorf("status %d, output %q, want %q\n%s", res.Code, res.Stdout, want, res.Stderr)
			}
			if size != "full" {
				t.Skipf("%s only: the number of the model is for the full size", n)
			}
		})
	}
}

const orderSource = `#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
	int first = 0, p[2];
	char c;
	for (int i = 0; i < 20; i++) {
		pipe(p);
		if (fork() == 0) {
			write(p[1], "c", 1);
			_exit(0);
		}
		write(p[1], "p", 1);
		read(p[0], &c, 1);
		first += c == 'c';
		wait(NULL);
		close(p[0]);
		close(p[1]);
	}
	printf("child first: %d of 20\n", first);
	return 0;
}
`

// TestOrder: who runs first after fork is a setting. One processor, so that
// order is the scheduler's alone.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		name, want string
		flags      []string
	}{
		{"child first", "child first: 20 of 20\n", []string{"--cpus", "1"}},
		{"parent first", "child first: 0 of 20\n", []string{"--cpus", "1", "--parent-first"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			start(t)
			if res := machineRun(t, orderSource, 30*time.Second, c.flags); res.Stdout != c.want {
				t.Errorf("%q, want %q\n%s", res.Stdout, c.want, res.Stderr)
			}
		})
	}
}

const unknownSource = `#include <errno.h>
#include <unistd.h>
int main(void) {
	for (int i = 0; i < 3; i++)
		if (syscall(1000) != -1 || errno != ENOSYS)
			return 1;
	if (syscall(1001) != -1 || errno != ENOSYS)
		return 2;
	return 0;
}
`

// TestUnknownCall: an unknown system call is ENOSYS and is named once.
func TestUnknownCall(t *testing.T) {
	start(t)
	res := machineRun(t, unknownSource, 30*time.Second, nil)
	if res.Code != 0 {
		t.Errorf("status %d", res.Code)
	}
	for _, nr := range []string{"1000", "1001"} {
		if n := strings.Count(res.Stderr, "system call "+nr); n != 1 {
			t.Errorf("system call %s is named %d times in the log, want once:\n%s", nr, n, res.Stderr)
		}
	}
}

const initSource = `#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
	int status;
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			for (;;)
				pause();
	if (fork() == 0) {
		if (fork() == 0) {
			usleep(1000);
			_exit(getppid() == 1 ? 5 : 6);
		}
		_exit(0);
	}
	printf("pid %d\n", getpid());
	if (getpid() == 1) {
		kill(1, SIGTERM);
		kill(1, SIGKILL);
		puts("not hurt");
	}
	fflush(stdout);
	return 21;
}
`

// TestInit: the program's end ends the machine, whoever else lives in it.
func TestInit(t *testing.T) {
	start(t)
	begin := time.Now()
	res := machineRun(t, initSource, 60*time.Second, nil)
	if res.Code != 21 || !strings.HasPrefix(res.Stdout, "pid ") {
		t.Errorf("status %d, want 21; output %q", res.Code, res.Stdout)
	}
	if time.Since(begin) > 55*time.Second {
		t.Errorf("the machine lived on after its first program")
	}
	if strings.HasPrefix(res.Stdout, "pid 1\n") && res.Stdout != "pid 1\nnot hurt\n" {
		t.Errorf("PID 1 was hurt: %q", res.Stdout)
	}
}

// seedFlag skips the test while tine run has no --seed.
func seedFlag(t *testing.T) {
	t.Helper()
	bin, err := tineBinary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(bin, "run", "--help").Output()
	if err != nil {
		t.Fatalf("%s run --help: %v", filepath.Base(bin), err)
	}
	if !strings.Contains(string(out), "--seed") {
		t.Skip("tine run has no --seed")
	}
}

// raceSource is a race of two processes and of two threads: which of three
// steps come first shows in one word. All words that Linux could give are
// known.
const raceSource = `#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int *x;
static void *add(void *arg) {
	for (int i = 0; i < 2; i++) {
		int v = *x;
		for (volatile int j = 0; j < 3000; j++)
			;
		*x = v + 1;
	}
	return NULL;
}
int main(void) {
	x = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_t t;
	pthread_create(&t, NULL, add, NULL);
	add(NULL);
	pthread_join(t, NULL);
	int threads = *x;
	*x = 0;
	if (fork() == 0) {
		add(NULL);
		_exit(0);
	}
	add(NULL);
	wait(NULL);
	printf("%d %d\n", threads, *x);
	return 0;
}
`

// TestSeeds: the same seed gives the same run, other seeds other runs, and
// over many seeds every outcome comes. Two increments each by two parties end
// in 2, 3 or 4: 2 needs both to lose one.
func TestSeeds(t *testing.T) {
	start(t)
	seedFlag(t)
	need(t, "gcc")
	dir := scratch(t)
	fill(t, dir, nil)
	buildC(t, dir, raceSource)
	outcome := func(seed string) string {
		r := run{args: []string{"./prog"}, dir: dir, flags: []string{"--seed", seed, "--strace"}, timeout: 20 * time.Second}
		res := r.tineRaw(t)
		if res.Code != 0 {
			t.Fatalf("seed %s: status %d\n%s", seed, res.Code, res.Stderr)
		}
		return res.Stdout + "\n" + res.Stderr
	}
	const most = 400
	runs, threads, processes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	seeds := 0
	for i := 0; i < most && (i < 20 || len(threads) < 3 || len(processes) < 3); i++ {
		seeds++
		seed := strconv.Itoa(i)
		first := outcome(seed)
		if i%10 == 0 && outcome(seed) != first {
			t.Errorf("seed %s gave two different runs", seed)
		}
		runs[first] = true
		word, _, _ := strings.Cut(first, "\n")
		a, b, _ := strings.Cut(word, " ")
		threads[a], processes[b] = true, true
	}
	t.Logf("%d seeds, %d different runs", seeds, len(runs))
	if len(runs) < 2 {
		t.Errorf("%d seeds gave one run", seeds)
	}
	for what, got := range map[string]map[string]bool{"threads": threads, "processes": processes} {
		for _, want := range []string{"2", "3", "4"} {
			if !got[want] {
				t.Errorf("%s: no seed of %d gave %s", what, seeds, want)
			}
		}
		for word := range got {
			if !slices.Contains([]string{"2", "3", "4"}, word) {
				t.Errorf("%s: %q cannot be", what, word)
			}
		}
	}
}

// TestVirtualTime: with a seed, time is virtual: a day of sleep passes at once.
func TestVirtualTime(t *testing.T) {
	start(t)
	seedFlag(t)
	r := run{args: []string{"/bin/sh", "-c", "a=$(date +%s); sleep 86400; b=$(date +%s); test $((b - a)) -ge 86400 && echo a day"},
		dir: scratch(t), flags: []string{"--seed", "7"}, timeout: 60 * time.Second}
	fill(t, r.dir, nil)
	if res := r.tineRaw(t); res.Stdout != "a day\n" {
		t.Errorf("status %d, output %q\n%s", res.Code, res.Stdout, res.Stderr)
	}
}
