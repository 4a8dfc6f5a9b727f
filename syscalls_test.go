//go:build linux && amd64

package tine_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/kernel"
)

// TestAbsentCalls: a call that the table calls absent returns the errno that
// stands there, and is named in the log.
func TestAbsentCalls(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc")
	}
	dir := t.TempDir()
	if out, err := exec.Command("gcc", "-O1", "-w", "-static", "-o", filepath.Join(dir, "absent"), "testdata/guest/absent.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	var args []string
	for nr := range kernel.NumSyscalls {
		if row, ok := kernel.SyscallRow(nr); ok && row.Errno != 0 {
			args = append(args, fmt.Sprint(nr), fmt.Sprint(int(row.Errno)))
		}
	}
	absent := len(args) / 2
	args = append(args, "400", "38", "600", "38") // numbers without a call: ENOSYS
	var log []string
	m, err := tine.New(tine.Config{
		CPUs: 1, Mounts: []tine.Mount{tine.HostDir(dir, "/prog", false)},
		Log: func(line string) { log = append(log, line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := m.Command(ctx, "/prog/absent", args...).CombinedOutput()
	if err != nil || len(out) != 0 {
		t.Errorf("%v\n%s", err, out)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, line := range log {
		if strings.Contains(line, "is not supported: ENOSYS") {
			named++
		}
	}
	if named != absent+2 {
		t.Errorf("the log names %d calls of %d:\n%s", named, absent+2, strings.Join(log, "\n"))
	}
}
