package cpu

import "github.com/tinevm/tine/internal/mm"

// VCPU is the part of a virtual processor that others may touch while it runs
// guest code (through the embedded Runner).
type VCPU struct {
	mm.Runner
	ID int
	// NoAVX: CPUID does not report AVX and what depends on it. It is there all
	// the same.
	NoAVX bool

	// TSC counts all instructions this processor has executed since it was
	// made; RDTSC reports it. Only the processor's own goroutine uses it.
	TSC uint64

	// Watch is what the running task is watched for; nil for all but those that
	// a debugger has set points for. It changes between runs only.
	Watch *Watch
}
