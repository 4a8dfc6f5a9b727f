package tine_test

import (
	"context"
	"testing"

	"github.com/tinevm/tine"
)

// TestMemoryLimitInCall: memory that a system call is the first to touch meets
// the machine's limit like any other; the largest process
// ends, which is not the one that calls, and the call goes on.
func TestMemoryLimitInCall(t *testing.T) {
	m, err := tine.New(tine.Config{Memory: 96 << 20})
	if err != nil {
		t.Fatal(err)
	}
	// If read(2) failed, dd would find that its address is bad.
	out, err := m.Command(context.Background(), "sh", "-c", `
python3 -S -c 'x = bytearray(70 << 20); print(flush=True); import time; time.sleep(9)' |
	(read _; dd if=/dev/zero of=/dev/null bs=48M count=1 iflag=fullblock status=none; echo $?)`).Output()
	if err != nil || string(out) != "0\n" {
		t.Errorf("%q, %v", out, err)
	}
	if peak := m.Stats().PeakMemory; peak > 101<<20 {
		t.Errorf("a peak of %d bytes with a limit of 96 MiB", peak)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
