//go:build linux && amd64

package oracle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A variant is one way to link a guest program.
type variant struct {
	name  string
	cc    string
	flags []string
	short bool
}

// The kernel's own headers stand behind musl's, for linux/futex.h and the like.
var variants = []variant{
	{"static", "gcc", []string{"-static", "-pthread", "-lm", "-lutil"}, true},
	{"dynamic", "gcc", []string{"-pthread", "-lm", "-lutil"}, false},
	{"musl", "musl-gcc", []string{"-static", "-pthread", "-lm",
		"-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"}, false},
}

// dynamicInShort are the guests whose dynamic variant is quick and different
// enough (loader, relocations, auxiliary vector) to run in the short size.
var dynamicInShort = map[string]bool{
	"fork_return": true, "argv_auxv": true, "thread_ids": true, "exec_family": true, "cow": true,
}

// gaps are the guests that tine does not pass yet, and what it lacks. They run
// all the same, but for those that hang: one that passes must leave the list.
var gaps = map[string]string{}

func TestGuests(t *testing.T) {
	sources, err := filepath.Glob(filepath.Join(moduleRoot(), "testdata/guest/*.c"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no guest programs: %v", err)
	}
	for _, src := range sources {
		for _, v := range variants {
			name := strings.TrimSuffix(filepath.Base(src), ".c")
			if size == "short" && !v.short && !(v.name == "dynamic" && dynamicInShort[name]) {
				continue
			}
			t.Run(name+"/"+v.name, func(t *testing.T) {
				start(t)
				testGuest(t, src, name, v)
			})
		}
	}
}

func testGuest(t *testing.T, src, name string, v variant) {
	if why := gaps[name]; strings.HasPrefix(why, "hangs") && size != "native" {
		t.Skip("known gap: " + why)
	}
	needs := directives(t, src)
	need(t, needs...)
	need(t, v.cc)
	bin := compile(t, src, v)
	dir := scratch(t)
	fill(t, dir, nil)
	r := run{args: []string{bin}, dir: dir, show: []string{filepath.Dir(bin)}, timeout: guestTimeout()}
	native, _ := r.tryNative(t)
	for try := 1; try < 3 && native.Code != 0; try++ {
		t.Logf("once more, since the native run failed with %d: the host may be slow\n%s", native.Code, native.Stdout)
		fill(t, dir, nil)
		native, _ = r.tryNative(t)
	}
	if native.Code == 128+11 && len(needs) > 0 && needs[0] == "int80" {
		t.Skip("the host's kernel has no int 0x80 gate")
	}
	native.Files = snapshot(t, dir, nil)
	if native.Code != 0 {
		t.Fatalf("native run failed with %d: the program or the host is at fault\n%s%s", native.Code, native.Stdout, native.Stderr)
	}
	if size == "native" {
		return
	}
	tine := settled(t, native, func() result {
		fill(t, dir, nil)
		res := r.onTine(t)
		res.Files = snapshot(t, dir, nil)
		return res
	})
	if why := gaps[name]; why != "" {
		if len(differences(native, tine)) == 0 {
			t.Error("tine does as Linux does: take it off the list of gaps")
		}
		t.Skip("known gap: " + why)
	}
	compare(t, native, tine)
}

func guestTimeout() time.Duration {
	if size == "short" {
		return 30 * time.Second
	}
	return 2 * time.Minute
}

// directives reads the lines "// needs X" below a program's first line.
func directives(t *testing.T, src string) (needs []string) {
	b, err := os.ReadFile(src)
	if err != nil {
		t.Fatal(err)
	}
	first := true
	for line := range strings.Lines(string(b)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "// ")
		if !ok {
			break
		}
		if n, ok := strings.CutPrefix(text, "needs "); ok {
			needs = append(needs, n)
		}
		if first && !strings.Contains(text, ": ") {
			t.Errorf("%s: the first line does not say what the program shows", filepath.Base(src))
		}
		first = false
	}
	return needs
}

var compiled sync.Map // source and variant → func() (string, error)

// compile builds a guest once for a variant. Warnings are errors: a guest
// program is read more often than run.
func compile(t *testing.T, src string, v variant) string {
	t.Helper()
	f, _ := compiled.LoadOrStore(src+" "+v.name, sync.OnceValues(func() (string, error) {
		dir := filepath.Join(work, "guest")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		bin := filepath.Join(dir, strings.TrimSuffix(filepath.Base(src), ".c")+"."+v.name)
		args := append([]string{"-O1", "-Wall", "-Werror", "-U_FORTIFY_SOURCE", "-o", bin, src}, v.flags...)
		if v.name == "musl" {
			args = append(args, "-Wno-error")
		}
		if out, err := exec.Command(v.cc, args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s %s: %w\n%s", v.cc, filepath.Base(src), err, out)
		}
		return bin, nil
	}))
	bin, err := f.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
