//go:build linux && amd64

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tine-cmd")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "tine")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// invoke runs the command in dir.
func invoke(t *testing.T, dir, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	envFile := filepath.Join(dir, "env")
	if err := os.WriteFile(envFile, []byte("# a comment\nFROM_FILE=yes\nHOME=/file\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, args, stdin string
		stdout            string
		stderr            string // a part of it
		code              int
	}{
		{name: "output", args: `run -- echo hi`, stdout: "hi\n"},
		{name: "flags end at the program", args: `run echo -n -e x`, stdout: "x"},
		{name: "stdin", args: `run -- cat`, stdin: "through\n", stdout: "through\n"},
		{name: "no stdin", args: `run -i=false -- cat`, stdin: "lost"},
		{name: "exit code", args: `run -- sh -c exit${IFS}3`, code: 3},
		{name: "signal", args: `run -- sh -c kill${IFS}-9${IFS}$$`, code: 137},
		{name: "timeout", args: `run --timeout 300ms -- sleep 100`, code: 124, stderr: "killed after 300ms"},
		{name: "missing", args: `run -- nosuchprogram`, code: 127, stderr: "not found"},
		{name: "missing path", args: `run -- /no/such`, code: 127, stderr: "No such file"},
		{name: "not executable", args: `run -- /etc/passwd`, code: 126, stderr: "Permission denied"},
		{name: "folder", args: `run -- /usr`, code: 126},
		{name: "unknown flag", args: `run --frob x`, code: 125, stderr: "unknown flag: --frob"},
		{name: "bad size", args: `run -m lots x`, code: 125, stderr: "512m"},
		{name: "bad volume", args: `run -v /nonexistent:/x true`, code: 125, stderr: "/nonexistent"},
		{name: "bad ulimit", args: `run --ulimit frob=1 true`, code: 125, stderr: "nofile"},
		{name: "bad filter", args: `run --strace -e trace=frob true`, code: 125, stderr: "invalid system call 'frob'"},
		{name: "terminal", args: `run -t true`, code: 125, stderr: "pseudo-terminals"},
		{name: "environment", args: `run -e A=1 --env-file ` + envFile + ` -- sh -c echo${IFS}$A${IFS}$FROM_FILE${IFS}$HOME`, stdout: "1 yes /file\n"},
		{name: "working folder", args: `run -w /usr -- pwd`, stdout: "/usr\n"},
		{name: "current folder", args: `run -- pwd`, stdout: dir + "\n"},
		{name: "hostname", args: `run --hostname box -- uname -n`, stdout: "box\n"},
		{name: "user", args: `run -u 12:34 -- id -u`, stdout: "12\n"},
		{name: "ulimit", args: `run --ulimit nofile=77:99 -- bash -c ulimit${IFS}-n`, stdout: "77\n"},
		{name: "cpus", args: `run --cpus 3 -- nproc`, stdout: "3\n"},
		{name: "interpreter", args: `run --engine interp -- echo yes`, stdout: "yes\n"},
		{name: "unknown engine", args: `run --engine frob -- true`, code: 125, stderr: "no engine \"frob\""},
		{name: "no home", args: `run -- ls -A /home`},
		{name: "tmpfs", args: `run --tmpfs /scratch:size=64k -- stat -f -c %T /scratch`, stdout: "tmpfs\n"},
		{name: "strace", args: `run --strace -e trace=exit_group -- true`, stderr: "exit_group(0)"},
		{name: "stats", args: `run --stats -- true`, stderr: "instructions: "},
		{name: "memory", args: `run -m 32m -- python3 -c x='x'*100000000`, code: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := strings.Fields(tt.args)
			stdout, stderr, code := invoke(t, dir, tt.stdin, args...)
			if tt.name == "memory" { // MemoryError or killed: never a crash
				if code != 1 && code != 137 {
					t.Errorf("exit code %d\n%s", code, stderr)
				}
				return
			}
			if stdout != tt.stdout || code != tt.code || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("%s\ngot  %q, code %d, stderr %q\nwant %q, code %d, stderr with %q", tt.args, stdout, code, stderr, tt.stdout, tt.code, tt.stderr)
			}
		})
	}
}

// TestJIT: the JIT runs programs, or there is a clear error.
func TestJIT(t *testing.T) {
	stdout, stderr, code := invoke(t, t.TempDir(), "", "run", "--engine=jit", "--", "echo", "yes")
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" && code == 0 {
		if stdout != "yes\n" {
			t.Errorf("got %q", stdout)
		}
	} else if code != 125 || !strings.Contains(stderr, "jit: ") {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
}

// TestWrites: what a program writes stays in memory unless a folder is shown
// writable.
func TestWrites(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		b, err := os.ReadFile(filepath.Join(dir, "f"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const script = "echo new > f; cat f"
	if out, _, code := invoke(t, dir, "", "run", "--", "sh", "-c", script); out != "new\n" || code != 0 || read() != "old\n" {
		t.Errorf("by default: %q, code %d, the host's file %q", out, code, read())
	}
	if _, stderr, code := invoke(t, dir, "", "run", "-v", dir+":/data", "-w", "/data", "--", "sh", "-c", script); code == 0 && !strings.Contains(stderr, "Read-only") || read() != "old\n" {
		t.Errorf("read-only: %q, code %d, the host's file %q", stderr, code, read())
	}
	if out, _, code := invoke(t, dir, "", "run", "-v", dir+":/data:rw", "-w", "/data", "--", "sh", "-c", script); out != "new\n" || code != 0 || read() != "new\n" {
		t.Errorf("writable: %q, code %d, the host's file %q", out, code, read())
	}
}

func TestVersion(t *testing.T) {
	out, _, code := invoke(t, ".", "", "version", "--json")
	if code != 0 || !strings.Contains(out, `"version":`) {
		t.Errorf("%q, code %d", out, code)
	}
}
