//go:build linux && amd64

package oracle

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// crashing is a program that faults some calls deep while another thread waits.
const crashing = `#include <pthread.h>
#include <unistd.h>
static void *waits(void *p) { write(*(int *)p, "x", 1); pause(); return p; }
static void third(int *p) { *p = 1; }
static void second(int n) { third((int *)8 + n); }
static void first(void) { second(0); }
int main(void) {
	pthread_t t;
	char c;
	int p[2];
	pipe(p);
	pthread_create(&t, NULL, waits, &p[1]);
	read(p[0], &c, 1);
	first();
}
`

// coreCases are scripts that end with status 0, and what they print: what Linux
// does, which the tests do not run natively because core_pattern is the whole
// host's.
var coreCases = []struct{ name, script, stdout string }{
	{"names", `
		try() {
			echo "$1" >/proc/sys/kernel/core_pattern
			cp /bin/sh "$2"
			"./$2" -c 'kill -ABRT $$' & pid=$!
			wait $pid
			rm "$2"
			for f in core*; do echo "$f" | sed "s,$(pwd | tr / '!'),DIR,; s/$pid/PID/g"; rm "$f"; done
		}
		ulimit -c unlimited
		hostname box
		try core a
		try 'core-%e-%s-%u-%g-%d-%c-%h-%E-%f-%%-%x-%' prog
		try 'core.%P.%p.%i.%I' b
		echo 1 >/proc/sys/kernel/core_uses_pid
		try 'core' c
		try 'core.%p' d
		try 'core.%%p' e
		cat /proc/sys/kernel/core_uses_pid`,
		"core\ncore-prog-6-0-0-1-18446744073709551615-box-DIR!prog-prog-%--\ncore.PID.PID.PID.PID\ncore.PID\ncore.PID\ncore.%p.PID\n1\n"},
	{"settings", `
		cat /proc/sys/kernel/core_pattern /proc/sys/kernel/core_pipe_limit /proc/sys/fs/suid_dumpable
		echo 3 >/proc/sys/fs/suid_dumpable || echo refused
		echo 2 >/proc/sys/fs/suid_dumpable
		su nobody -s /bin/sh -c 'echo x >/proc/sys/kernel/core_pattern' || echo refused
		cat /proc/sys/fs/suid_dumpable`,
		"core\n0\n0\nrefused\nrefused\n2\n"},
	{"suid_dumpable", `
		cp /bin/sleep prog && chmod 6755 prog && chmod 777 .
		echo 2 >/proc/sys/fs/suid_dumpable
		run() { rm -f core; su nobody -s /bin/sh -c 'ulimit -c unlimited; ./prog 9 & sleep 0.1; kill -SEGV $!; wait $!'; echo $?; }
		run
		ls core 2>/dev/null || echo no relative name
		echo "$PWD/core" >/proc/sys/kernel/core_pattern
		touch core; run
		rm -f core; run
		stat -c '%A %U' core`,
		"139\nno relative name\n139\n139\n-rw------- root\n"},
	{"pipe", `
		cat >helper <<-END
			#!/bin/sh
			{ echo "\$@"; id -u; pwd; ulimit -c; ls /proc/self/fd; } >$PWD/out
			cat >$PWD/image
		END
		chmod +x helper
		echo 1 >/proc/sys/kernel/core_pipe_limit
		echo "| $PWD/helper one=%s	%e two words" >/proc/sys/kernel/core_pattern
		cp /bin/sleep 'a b'
		'./a b' 9 & pid=$!
		sleep 0.1
		kill -SEGV $pid
		wait $pid
		echo $?
		cat out
		head -c 4 image | tail -c 3; echo
		echo '|/nowhere' >/proc/sys/kernel/core_pattern
		sh -c 'kill -SEGV $$'
		echo $?
		ls`,
		"139\none=11 a b two words\n0\n/\n0\n0\n1\n2\nELF\n139\na b\nhelper\nimage\nout\n"},
	{"killed", `
		printf '#!/bin/sh\nsleep 1000' >helper
		chmod +x helper
		echo "|$PWD/helper" >/proc/sys/kernel/core_pattern
		bash -c 'kill -SEGV $$' & pid=$!
		until grep -q 'CoreDumping:.1' /proc/$pid/status; do sleep 0.01; done
		kill -TERM $pid
		sleep 0.05
		grep CoreDumping /proc/$pid/status
		kill -KILL $pid
		wait $pid
		echo $?`,
		"CoreDumping:\t1\n139\n"},
	{"closed", `
		printf '#!/bin/sh\nsleep 1000' >helper
		chmod +x helper
		echo "|$PWD/helper" >/proc/sys/kernel/core_pattern
		bash -c 'kill -SEGV $$' & pid=$!
		until grep -q 'CoreDumping:.1' /proc/$pid/status; do sleep 0.01; done
		echo the machine ends now`,
		"the machine ends now\n"},
	{"full", `
		cd /big
		ulimit -c unlimited
		python3 -c 'import os; x = b"x" * (60 << 20); os.abort()'
		echo $?
		test $(stat -c %s core) -gt 1000000 && rm core
		echo the machine goes on`,
		"134\nthe machine goes on\n"},
}

func TestCoreFiles(t *testing.T) {
	for _, c := range coreCases {
		t.Run(c.name, func(t *testing.T) {
			start(t)
			need(t, "root", "bash", "python3", "su")
			dir := scratch(t)
			fill(t, dir, nil)
			r := run{args: []string{"sh", "-c", "exec 2>/dev/null\n" + c.script}, dir: dir, timeout: time.Minute}
			if c.name == "full" {
				r.flags = []string{"-m", "100m", "--tmpfs", "/big"}
			}
			res := r.tineRaw(t)
			if res.Code != 0 || res.Stdout != c.stdout {
				t.Errorf("exit code %d, want 0; output\n%s\nwant\n%s\n%s", res.Code, res.Stdout, c.stdout, res.Stderr)
			}
			if strings.Contains(res.Stderr, "still in use") {
				t.Error(res.Stderr)
			}
		})
	}
}

// TestCoreBacktrace has the host's debugger read a core file of tine's.
func TestCoreBacktrace(t *testing.T) {
	start(t)
	need(t, "gcc", "gdb")
	dir := scratch(t)
	fill(t, dir, map[string]string{"prog.c": crashing})
	build := exec.Command("gcc", "-g", "-O0", "-w", "-pthread", "-o", "prog", "prog.c")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := run{args: []string{filepath.Join(dir, "prog")}, dir: dir, flags: []string{"--ulimit", "core=-1"}, timeout: time.Minute}
	if res := r.tineRaw(t); res.Code != 128+11 {
		t.Fatalf("exit code %d\n%s", res.Code, res.Stderr)
	}
	gdb := exec.Command("gdb", "-batch", "-nx", "-ex", "bt", "-ex", "p $_siginfo._sifields._sigfault.si_addr", "-ex", "thread 2", "-ex", "bt", "prog", "core")
	gdb.Dir, gdb.Env = dir, append(os.Environ(), "DEBUGINFOD_URLS=")
	out, err := gdb.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rest := string(out)
	for _, want := range []string{"signal SIGSEGV", "in third", "in second", "in first", "in main", "0x8", "pause", "in waits"} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("no %q, in this order, in\n%s", want, out)
		}
		rest = after
	}
}
