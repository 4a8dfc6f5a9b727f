//go:build linux && amd64

package tine_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tinevm/tine"
)

// TestHostileProgram runs a program that makes random system calls under
// limits: it must end, and so must the machine, without a failure.
func TestHostileProgram(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc")
	}
	dir := t.TempDir()
	if out, err := exec.Command("gcc", "-O1", "-w", "-static", "-o", filepath.Join(dir, "calls"), "testdata/hostile/calls.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	for seed := 1; seed <= 3; seed++ {
		m, err := tine.New(tine.Config{Memory: 512 << 20, MaxProcs: 100, Mounts: []tine.Mount{tine.HostDir(dir, "/prog", false)}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		out, err := m.Command(ctx, "/prog/calls", fmt.Sprint(seed), fmt.Sprint(rounds)).CombinedOutput()
		cancel()
		if err != nil || string(out) != "survived\n" {
			t.Errorf("seed %d: %q, %v", seed, out, err)
		}
		if err := m.Close(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}
