package jit

import (
	"errors"

	"golang.org/x/sys/cpu"
)

// supported says whether the host's processor has all that the guest's
// reports.
func supported() error {
	if x := &cpu.X86; !(x.HasSSE3 && x.HasSSSE3 && x.HasSSE41 && x.HasSSE42 && x.HasPOPCNT && x.HasCX16) {
		return errors.New("jit: the host's processor is older than x86-64-v2")
	}
	return nil
}
