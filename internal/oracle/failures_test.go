//go:build linux && amd64

package oracle

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A failure is something that must end in a certain way: the exit code is
// what tine documents, since no native run could give it.
type failure struct {
	name   string
	source string            // C program, compiled to ./prog
	files  map[string]string // what stands in the scratch folder
	flags  []string          // for tine run
	args   []string
	code   int
	stdout string // regular expressions that must match
	stderr string
}

// elfHeader is a 64-bit executable of another machine, with no segment.
func elfHeader(machine uint16) string {
	b := make([]byte, 128)
	copy(b, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(b[16:], 2) // ET_EXEC
	binary.LittleEndian.PutUint16(b[18:], machine)
	binary.LittleEndian.PutUint32(b[20:], 1)
	binary.LittleEndian.PutUint64(b[32:], 64) // program headers
	binary.LittleEndian.PutUint16(b[52:], 64)
	binary.LittleEndian.PutUint16(b[54:], 56)
	binary.LittleEndian.PutUint16(b[56:], 1)
	return string(b)
}

const (
	eatMemory = `#include <stdlib.h>
#include <string.h>
int main(void) {
	for (int i = 0; i < 512; i++)
		memset(malloc(1 << 20), 1, 1 << 20);
	return 0;
}
`
	eatMemoryInChild = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
	int status;
	if (fork() == 0) {
		for (int i = 0; i < 512; i++)
			memset(malloc(1 << 20), 1, 1 << 20);
		_exit(0);
	}
	wait(&status);
	printf("child: %#x, parent lives\n", status);
	return 0;
}
`
	forksOfLarge = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
	size_t size = 200 << 20;
	char *m = malloc(size), c;
	int p[2], made = 0, status, good = 0;
	memset(m, 1, size);
	pipe(p);
	for (int i = 0; i < 20; i++) {
		int pid = fork();
		if (pid < 0)
			break;
		if (pid == 0) {
			close(p[1]);
			for (size_t j = 0; j < size; j += 4096)
				if (m[j] != 1)
					_exit(1);
			m[i * 4096] = 2;
			read(p[0], &c, 1);
			_exit(0);
		}
		made++;
	}
	close(p[1]);
	while (wait(&status) > 0)
		good += status == 0;
	printf("made %d, good %d\n", made, good);
	return 0;
}
`
	forkBomb = `#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/wait.h>
int main(void) {
	int top = getpid(), refused = 0;
	while (!refused) {
		int pid = fork();
		if (pid < 0) {
			refused = errno;
			if (getpid() != top)
				_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	puts(refused == EAGAIN ? "held by EAGAIN" : "held otherwise");
	return refused != EAGAIN;
}
`
	overflow = `volatile char sink;
int dive(int n) { volatile char frame[4096]; frame[0] = n; return dive(n + 1) + frame[0]; }
int main(void) { return dive(0); }
`
)

var failures = []failure{
	{name: "missing program", args: []string{"/none"}, code: 127, stderr: `/none.*No such file`},
	{name: "missing name", args: []string{"no-such-name"}, code: 127, stderr: `no-such-name`},
	{name: "not executable", files: map[string]string{"plain": "#!/bin/sh\n"}, args: []string{"./plain"}, code: 126, stderr: `Permission denied`},
	{name: "directory", args: []string{"/usr"}, code: 126, stderr: `/usr`},
	{name: "broken ELF", files: map[string]string{"elf*": "\x7fELF\x02\x01\x01 and then nothing of the kind"}, args: []string{"./elf"}, code: 126, stderr: `Exec format error`},
	{name: "foreign ELF", files: map[string]string{"elf*": elfHeader(183)}, args: []string{"./elf"}, code: 126, stderr: `Exec format error`},
	{name: "missing interpreter", files: map[string]string{"script*": "#!/none/sh\n"}, args: []string{"./script"}, code: 127, stderr: `script`},
	{name: "illegal instruction", source: "int main(void) { __asm__(\"ud2\"); return 0; }\n", args: []string{"./prog"}, code: 128 + 4},
	{name: "stack overflow", source: overflow, args: []string{"./prog"}, code: 128 + 11},
	{name: "abort", source: "#include <stdlib.h>\nint main(void) { abort(); }\n", args: []string{"./prog"}, code: 128 + 6},
	{name: "memory beyond -m", source: eatMemory, flags: []string{"-m", "64m"}, args: []string{"./prog"}, code: 128 + 9},
	{name: "memory beyond -m in a child", source: eatMemoryInChild, flags: []string{"-m", "64m"}, args: []string{"./prog"}, code: 0, stdout: `child: 0x9, parent lives`},
	{name: "fork bomb", source: forkBomb, flags: []string{"--pids-limit", "50"}, args: []string{"./prog"}, code: 0, stdout: `held by EAGAIN`},
	{name: "forks of a large process", source: forksOfLarge, flags: []string{"-m", "256m"}, args: []string{"./prog"}, code: 0, stdout: `made 20, good 20`},
	{name: "timeout", flags: []string{"--timeout", "300ms"}, args: []string{"sleep", "1000"}, code: 124},
	{name: "timeout of a spinner", flags: []string{"--timeout", "300ms"}, args: []string{"sh", "-c", "trap '' TERM INT; while :; do :; done"}, code: 124},
	{name: "timeout with children", flags: []string{"--timeout", "300ms"}, args: []string{"sh", "-c", "for i in 1 2 3; do sleep 1000 & done; wait"}, code: 124},
	{name: "bad flag", flags: []string{"--no-such-flag"}, args: []string{"true"}, code: 125, stderr: `no-such-flag`},
	{name: "bad value", flags: []string{"-m", "much"}, args: []string{"true"}, code: 125, stderr: `much`},
	{name: "bad volume", flags: []string{"-v", "/none:/x"}, args: []string{"true"}, code: 125, stderr: `/none`},
	{name: "no network", args: []string{"bash", "-c", "echo > /dev/tcp/192.0.2.1/80"}, code: 1, stderr: `.`},
	{name: "read-only folder", args: []string{"sh", "-c", "echo x > /usr/new && test -e /usr/new && echo kept inside"}, code: 0, stdout: `kept inside`},
	{name: "no home folder", args: []string{"sh", "-c", "ls -A /root /home 2>/dev/null | grep -v ':$' | grep -c ."}, code: 1, stdout: `^0`},
	{name: "output as it comes", args: []string{"sh", "-c", "echo early; kill -9 $$"}, code: 137, stdout: `early`},
}

func TestFailures(t *testing.T) {
	if size == "native" {
		t.Skip("nothing native here")
	}
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			start(t)
			dir := scratch(t)
			fill(t, dir, f.files)
			if f.source != "" {
				need(t, "gcc")
				buildC(t, dir, f.source)
			}
			r := run{args: f.args, dir: dir, flags: f.flags, timeout: 20 * time.Second}
			res := r.tineRaw(t)
			if res.Code != f.code {
				t.Errorf("exit code %d, want %d", res.Code, f.code)
			}
			if !regexp.MustCompile(f.stdout).MatchString(res.Stdout) || !regexp.MustCompile(f.stderr).MatchString(res.Stderr) {
				t.Errorf("output does not match %q and %q", f.stdout, f.stderr)
			}
			if strings.Contains(res.Stderr, "goroutine ") {
				t.Errorf("a Go stack trace")
			}
			if t.Failed() {
				t.Logf("standard output:\n%s\nstandard error:\n%s", res.Stdout, res.Stderr)
			}
		})
	}
}

func buildC(t *testing.T, dir, source string) {
	t.Helper()
	cmd := exec.Command("gcc", "-O1", "-w", "-static", "-x", "c", "-o", filepath.Join(dir, "prog"), "-")
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
}

// TestClosedOutput is a reader that goes away: the program gets SIGPIPE, as
// it would natively, and nothing goes on in vain.
func TestClosedOutput(t *testing.T) {
	if size == "native" {
		t.Skip("nothing native here")
	}
	start(t)
	bin, err := tineBinary()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "run", "--timeout", "20s", "--", "yes")
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Errorf("read of the first lines: %v", err)
	}
	r.Close()
	err = cmd.Wait()
	// tine ends by the signal itself or by the code that stands for it.
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !(ws.Signaled() && ws.Signal() == syscall.SIGPIPE) && ws.ExitStatus() != 128+int(syscall.SIGPIPE) {
		t.Errorf("yes into a closed pipe: %v, want SIGPIPE or exit code 141", err)
	}
}
