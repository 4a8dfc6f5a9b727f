package mm

import (
	"runtime"
	"sync/atomic"
)

// Runner is a virtual processor as memory management sees it: something that
// may be using an address space's translations at this moment.
type Runner struct {
	stop    atomic.Uint32
	running atomic.Pointer[AddressSpace]
}

// Stopped reports whether the runner was asked to leave guest mode. Engines
// poll it at block heads.
func (r *Runner) Stopped() bool { return r.stop.Load() != 0 }

// Stop asks the runner to leave guest mode soon. Anybody may call it.
func (r *Runner) Stop() { r.stop.Store(1) }

// Enter notes that the runner is about to run guest code in as. The kernel
// lock is held, so that nobody is changing as, and who holds it next sees the note.
func (r *Runner) Enter(as *AddressSpace) {
	if n := truncations.Load(); as.truncSeen != n {
		as.truncSeen = n
		as.newGen()
	}
	ReleasePointer(&r.running, as)
}

// Leave notes that the runner has left guest mode.
func (r *Runner) Leave() { ReleasePointer(&r.running, nil) }

// ClearStop forgets a request to stop. The kernel lock is held.
func (r *Runner) ClearStop() {
	if r.stop.Load() != 0 { // a store costs ten times as much
		r.stop.Store(0)
	}
}

// quiesce makes every runner leave the address space. The caller holds the
// kernel lock, without which none can enter again, and is not itself in guest
// mode. It must not hold as.mu, which a runner may need on its way out.
func (as *AddressSpace) quiesce() {
	for _, r := range as.peers {
		if r.running.Load() != as {
			continue
		}
		for r.Stop(); r.running.Load() == as; {
			runtime.Gosched()
		}
	}
}

// elsewhere reports whether a runner is in the address space.
func (as *AddressSpace) elsewhere() bool {
	for _, r := range as.peers {
		if r.running.Load() == as {
			return true
		}
	}
	return false
}
