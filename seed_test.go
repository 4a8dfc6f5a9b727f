//go:build linux && amd64

package tine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tinevm/tine"
)

// seededRun runs a program with children, a pipe, sleep and random numbers, and
// gives its output and the hash of its run.
func seededRun(t *testing.T, engine string, seed uint64) (string, uint64) {
	t.Helper()
	m, err := tine.New(tine.Config{Seed: &seed, Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const script = `for i in 1 2 3; do (echo $i $RANDOM $BASHPID; sleep 0.$i) & done; wait
sleep 1000; echo {1..50} | tr ' ' '\n' | sort -R | head -2; date +%N; head -c4 /dev/urandom | od -An -x`
	out, err := m.Command(context.Background(), "bash", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out), m.Stats().TraceHash
}

func TestSeed(t *testing.T) {
	orders := make(map[string]bool)
	for seed := range uint64(12) {
		out, hash := seededRun(t, "interp", seed)
		orders[out] = true
		engines := []string{"interp", "jit"}
		if seed < 2 && !testing.Short() { // it takes long
			engines = append(engines, "lockstep")
		}
		for _, engine := range engines {
			if again, h := seededRun(t, engine, seed); again != out || h != hash {
				t.Errorf("seed %d, %s: hash %x, want %x; output\n%s\nwant\n%s", seed, engine, h, hash, again, out)
			}
		}
	}
	if len(orders) < 6 {
		t.Errorf("12 seeds gave only %d different runs", len(orders))
	}
}

// TestSeedOrders checks that all orders of two writers come up, whatever the
// number of output bytes that the host has not taken yet.
func TestSeedOrders(t *testing.T) {
	orders := make(map[string]int)
	for seed := range uint64(40) {
		m, err := tine.New(tine.Config{Seed: &seed})
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.Command(context.Background(), "sh", "-c", "echo a & echo b & wait").Output()
		if err != nil {
			t.Fatal(err)
		}
		orders[fmt.Sprintf("%q", out)]++
		m.Close()
	}
	if orders[`"a\nb\n"`] == 0 || orders[`"b\na\n"`] == 0 {
		t.Errorf("orders seen: %v", orders)
	}
}
