//go:build linux && amd64

package oracle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// size is the value of TINE_ORACLE.
var size = "short"

// work is the folder of this test process: the tine binary, compiled guests
// and scratch folders. Other users may enter it, for the set-user-ID tests.
var work string

// slots holds how many tests run at a time: two.
var slots = make(chan struct{}, 2)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if s := os.Getenv("TINE_ORACLE"); s != "" {
		size = s
	}
	switch size {
	case "short", "full", "native":
	default:
		fmt.Fprintf(os.Stderr, "TINE_ORACLE=%s: want short, full or native\n", size)
		return 2
	}
	syscall.Umask(0o022)
	var err error
	if work, err = os.MkdirTemp("", "tine-oracle-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return m.Run()
}

// start makes t one of the two tests that run at a time.
func start(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("go test -short")
	}
	t.Parallel()
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
}

// moduleRoot is the folder of go.mod, seen from this package's folder.
func moduleRoot() string {
	dir, _ := filepath.Abs("../..")
	return dir
}

// tineBinary is the binary under test, built once.
var tineBinary = sync.OnceValues(func() (string, error) {
	if p := os.Getenv("TINE_BIN"); p != "" {
		return filepath.Abs(p)
	}
	bin := filepath.Join(work, "tine")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/tine")
	cmd.Dir = moduleRoot()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/tine: %w\n%s", err, out)
	}
	return bin, nil
})

// A run is one program to be run, natively or on tine.
type run struct {
	args    []string
	stdin   string
	env     []string // besides PATH, HOME and TERM
	dir     string   // the scratch folder: working directory, home, shared read-write
	show    []string // more folders to show to the machine, read-only
	flags   []string // more flags for tine run
	timeout time.Duration
}

// A result is what can be seen of a run from outside.
type result struct {
	Code           int // exit code, or 128 plus the signal's number
	Stdout, Stderr string
	Files          map[string]string // of the scratch folder
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (r run) environ() []string {
	return append([]string{"PATH=" + searchPath, "HOME=" + r.dir, "TERM=dumb"}, r.env...)
}

// native runs it on the host.
func (r run) native(t *testing.T) result {
	t.Helper()
	res, late := r.tryNative(t)
	if late {
		t.Errorf("%s did not end natively within %v", r.args[0], min(r.timeout, time.Minute))
	}
	return res
}

// tryNative is native, and reports whether the run had to be ended.
func (r run) tryNative(t *testing.T) (res result, late bool) {
	t.Helper()
	path := r.args[0]
	if !strings.Contains(path, "/") {
		for _, dir := range strings.Split(searchPath, ":") {
			if _, err := os.Stat(filepath.Join(dir, path)); err == nil {
				path = filepath.Join(dir, path)
				break
			}
		}
	}
	res, late = r.do(t, &exec.Cmd{Path: path, Args: r.args, Env: r.environ(), Dir: r.dir}, min(r.timeout, time.Minute))
	// mkmodel looks for this line.
	t.Logf("native run: exit code %d", res.Code)
	return res, late
}

// onTine runs it on tine, with the same user, environment and folder.
func (r run) onTine(t *testing.T) result {
	t.Helper()
	res := r.tineRaw(t)
	res.Stderr = withoutLog(t, res.Stderr)
	return res
}

// tineRaw is onTine with all that tine says.
func (r run) tineRaw(t *testing.T) result {
	t.Helper()
	bin, err := tineBinary()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{bin}, r.tineArgs(r.flags)...)
	// The grace period shows a machine that does not end when told to.
	res, late := r.do(t, &exec.Cmd{Path: bin, Args: args, Env: hostEnviron(), Dir: r.dir}, r.timeout+10*time.Second)
	if late {
		t.Errorf("tine did not end within %v", r.timeout+10*time.Second)
	}
	return res
}

// tineArgs are the arguments of tine that run it, with more flags for tine run.
func (r run) tineArgs(flags []string) []string {
	args := []string{"run", "-u", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()), "--timeout", r.timeout.String()}
	if e := os.Getenv("TINE_ENGINE"); e != "" {
		args = append(args, "--engine="+e)
	}
	if r.dir != "" {
		args = append(args, "-v", r.dir+":"+r.dir+":rw", "-w", r.dir)
	}
	for _, dir := range r.show {
		args = append(args, "-v", dir+":"+dir+":ro")
	}
	for _, e := range r.environ() {
		args = append(args, "-e", e)
	}
	args = append(args, strings.Fields(os.Getenv("TINE_FLAGS"))...)
	return append(append(append(args, flags...), "--"), r.args...)
}

// hostEnviron is what the tine process itself sees: no locale and no time
// zone, which it would hand on and the native run does not have. Translations are
// kept, and used by other tests, until the last one ends.
func hostEnviron() []string {
	env := []string{"TERM=dumb", "TINE_CACHE=" + filepath.Join(work, "translations")}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "TINE_CACHE=") && !strings.HasPrefix(e, "LANG") && !strings.HasPrefix(e, "LC_") && !strings.HasPrefix(e, "TZ=") && !strings.HasPrefix(e, "TERM=") {
			env = append(env, e)
		}
	}
	return env
}

// withoutLog takes out what tine itself says, which no native run says.
func withoutLog(t *testing.T, stderr string) string {
	var keep strings.Builder
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "tine: ") {
			t.Logf("%s", strings.TrimSuffix(line, "\n"))
		} else {
			keep.WriteString(line)
		}
	}
	return keep.String()
}

// do runs a command, and reports whether it had to be ended at the limit.
func (r run) do(t *testing.T, c *exec.Cmd, limit time.Duration) (res result, late bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	// exec.Cmd has to be made by CommandContext for the limit to count.
	cmd := exec.CommandContext(ctx, c.Path)
	cmd.Args, cmd.Env, cmd.Dir = c.Args, c.Env, c.Dir
	cmd.Stdin = strings.NewReader(r.stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A group of its own: the end of the time takes its children along, and
	// no program signals the test's own group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	res = result{Stdout: stdout.String(), Stderr: stderr.String()}
	late = ctx.Err() == context.DeadlineExceeded
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
	case errors.As(err, &exit):
		ws := exit.Sys().(syscall.WaitStatus)
		res.Code = ws.ExitStatus()
		if ws.Signaled() {
			res.Code = 128 + int(ws.Signal())
		}
	default:
		t.Fatalf("%s: %v", c.Path, err)
	}
	return res, late
}

// scratch makes an empty folder for one test. Both runs use the same one, one
// after the other, so that its name may stand in the output.
func scratch(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(work, "scratch-"+strings.NewReplacer("/", "-", " ", "_").Replace(t.Name()))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// fill makes the folder anew with the files given: a name that ends in * is
// executable.
func fill(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		mode := fs.FileMode(0o644)
		if n, ok := strings.CutSuffix(name, "*"); ok {
			name, mode = n, 0o755
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// snapshot describes every file of a folder: mode and content. Names that
// match one of the patterns are left out.
func snapshot(t *testing.T, dir string, ignore []string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		for _, p := range ignore {
			if ok, _ := filepath.Match(p, name); ok || strings.HasPrefix(name, p+"/") {
				return nil
			}
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " -> " + target
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + content(b)
		}
		files[name] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// content is the text itself when it is short, or a checksum.
func content(b []byte) string {
	if len(b) <= 400 && !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
		return string(b)
	}
	return fmt.Sprintf("%d bytes, sha256 %x", len(b), sha256.Sum256(b))
}

// compare fails the test with a diff when the two runs differ.
func compare(t *testing.T, native, tine result) {
	t.Helper()
	for _, d := range differences(native, tine) {
		t.Error(d)
	}
}

// settled is the outcome on tine. What differs from the host may be a race in
// the program itself, so it is run once more then: what differs twice is a
// difference, what does not is in the log.
func settled(t *testing.T, native result, onTine func() result) result {
	t.Helper()
	tine := onTine()
	if d := differences(native, tine); len(d) > 0 {
		t.Logf("once more, since at first\n%s", strings.Join(d, "\n"))
		tine = onTine()
	}
	return tine
}

// differences says in what the two runs differ.
func differences(native, tine result) (found []string) {
	if native.Code != tine.Code {
		found = append(found, fmt.Sprintf("exit code: native %d, tine %d", native.Code, tine.Code))
	}
	diff := func(what, a, b string) {
		if a != b {
			found = append(found, fmt.Sprintf("%s differs (- native, + tine):\n%s", what, cmp.Diff(strings.Split(a, "\n"), strings.Split(b, "\n"))))
		}
	}
	diff("standard output", native.Stdout, tine.Stdout)
	diff("standard error", withoutPids(native.Stderr), withoutPids(tine.Stderr))
	if d := cmp.Diff(native.Files, tine.Files); d != "" {
		found = append(found, "files written differ (- native, + tine):\n"+d)
	}
	return found
}

// jobPid is the process number in what bash says of a job that was killed.
var jobPid = regexp.MustCompile(`(: line \d+:) +\d+ `)

func withoutPids(stderr string) string { return jobPid.ReplaceAllString(stderr, "$1 PID ") }

// need skips the test visibly when a tool is missing.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		switch tool {
		case "root":
			if os.Getuid() != 0 {
				t.Skip("needs root")
			}
			continue
		case "namespaces":
			if err := namespaces(); err != nil {
				t.Skipf("needs a host that makes namespaces: %v", err)
			}
			continue
		case "cgroup2":
			if !cgroup2() {
				t.Skip("needs a host with control groups of version 2 that can be written")
			}
			continue
		case "core":
			if b, _ := os.ReadFile("/proc/sys/kernel/core_pattern"); string(b) != "core\n" {
				t.Skipf("needs a host that writes core files into the working folder, not to %s", b)
			}
			continue
		case "int80":
			continue // the guest's own end tells
		}
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s, which is not installed", tool)
		}
	}
}

// cgroup2 reports whether a group can be made where the host has cgroup2 mounted
// last.
func cgroup2() bool {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	at := ""
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			at = f[1]
		}
	}
	dir, err := os.MkdirTemp(at, "tine-")
	if at == "" || err != nil {
		return false
	}
	return os.Remove(dir) == nil
}

// namespaces reports whether the host lets this process make namespaces, which
// it may not in a container.
var namespaces = sync.OnceValue(func() error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET |
		syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWUSER}
	return cmd.Run()
})
