//go:build linux && amd64

package oracle

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A command is one command line of real programs.
type command struct {
	name   string
	short  bool              // it belongs to the short size
	needs  []string          // programs; "root"
	files  map[string]string // what stands in the scratch folder before
	setup  func(t *testing.T, dir string)
	script string   // for bash -c, or
	args   []string // the program itself
	stdin  string
	env    []string
	ignore []string // files that differ from run to run
	limit  time.Duration
}

func TestCommands(t *testing.T) {
	for _, table := range [][]command{shellCommands, toolCommands, languageCommands, buildCommands} {
		for _, c := range table {
			if size == "short" && !c.short {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				start(t)
				need(t, c.needs...)
				testCommand(t, c)
			})
		}
	}
}

func testCommand(t *testing.T, c command) {
	dir := scratch(t)
	r := run{args: c.args, stdin: c.stdin, env: c.env, dir: dir, timeout: c.limit}
	if c.script != "" {
		r.args = []string{"/bin/bash", "-c", c.script}
	}
	if r.timeout == 0 {
		r.timeout = 3 * time.Minute
		if size == "short" {
			r.timeout = time.Minute
		}
	}
	prepare := func() {
		fill(t, dir, c.files)
		if c.setup != nil {
			c.setup(t, dir)
		}
	}
	prepare()
	native := r.native(t)
	native.Files = snapshot(t, dir, c.ignore)
	if size == "native" {
		// A second native run shows what is not deterministic.
		prepare()
		again := r.native(t)
		again.Files = snapshot(t, dir, c.ignore)
		compare(t, native, again)
		t.Logf("exit code %d\n%s%s", native.Code, native.Stdout, native.Stderr)
		return
	}
	tine := settled(t, native, func() result {
		prepare()
		res := r.onTine(t)
		res.Files = snapshot(t, dir, c.ignore)
		return res
	})
	compare(t, native, tine)
}

// buildGo compiles main.go of the scratch folder on the host, without cgo.
func buildGo(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "prog"), filepath.Join(dir, "main.go"))
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GO111MODULE=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}
