package kernel

import "github.com/tinevm/tine/internal/linux"

// A seeded machine runs the same way each time: it has one processor, its clock
// counts instructions and jumps when all sleep, and a random number generator
// that starts from the seed decides who runs next and for how long. Any order
// in which Linux could run the tasks on one processor can come up; the seed
// brings it back.
//
// What comes from outside (the files of the host, what is read from standard
// input) is an input like the seed. The machine stands still while it waits for
// the outside, so that only the contents count and not when they came.

const (
	// virtualEpoch is the time at which a seeded machine starts: 2026-01-01.
	virtualEpoch = 1_767_225_600_000_000_000
	// virtualStart is CLOCK_MONOTONIC then, so that no valid time is zero.
	virtualStart = 1_000_000_000
	// entryNS is what entering the kernel costs on the virtual clock, in
	// nanoseconds; an instruction costs one.
	entryNS = 100
	// maxSliceBits: slices are up to 2^17 instructions, most much shorter.
	maxSliceBits = 17
	// In one slice of burstOdds a burst begins: up to maxBurst slices of at most
	// burstSlice instructions, fine enough to part a load from its store.
	burstOdds, maxBurst, burstSlice = 8, 256, 8
	// yieldOdds: after one in so many kernel entries another task gets a turn.
	yieldOdds = 8
)

// seeded is what a seeded machine has more than others.
type seeded struct {
	k      *Kernel
	ns     int64 // virtual time since the start
	random uint64
	burst  uint64 // short slices to come
	hash   uint64 // of what has happened so far
	// pending counts the answers from outside that the machine waits for.
	pending int
}

func newSeeded(k *Kernel, seed uint64) *seeded {
	return &seeded{k: k, random: seed, hash: 14695981039346656037}
}

// Monotonic implements Clock.
func (s *seeded) Monotonic() int64 { return virtualStart + s.ns }

// Realtime implements Clock.
func (s *seeded) Realtime() int64 { return virtualEpoch + s.ns }

// next makes a random number (SplitMix64).
func (s *seeded) next() uint64 {
	s.random += 0x9e3779b97f4a7c15
	z := s.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below makes a random number below n.
func (s *seeded) below(n uint64) uint64 { return s.next() % n }

// entropy fills p with what the guest takes for random.
func (s *seeded) entropy(p []byte) {
	for i := range p {
		p[i] = byte(s.next() >> 32)
	}
}

// slice is how many instructions the next task runs: any length, each order of
// magnitude as often as the others, and now and then a burst of very short ones.
func (s *seeded) slice() int64 {
	if s.burst > 0 {
		s.burst--
		return int64(1 + s.below(burstSlice))
	}
	if s.below(burstOdds) == 0 {
		s.burst = s.below(maxBurst)
	}
	top := uint64(1) << s.below(maxSliceBits+1)
	return int64(top + s.below(top))
}

// ran moves the clock after n instructions.
func (s *seeded) ran(n int64) { s.ns += n + entryNS }

// note adds what has happened to the hash (FNV-1a).
func (s *seeded) note(v ...uint64) {
	for _, x := range v {
		s.hash = (s.hash ^ x) * 1099511628211
	}
}

// pick chooses who runs next: those of real-time classes in their order, others
// by chance, weighted by nice.
func (s *seeded) pick(tasks []*Task) *Task {
	total := int64(0)
	var best *Task
	for _, t := range tasks {
		if t.sched.realtime() && (best == nil || t.before(best)) {
			best = t
		}
		total += s.weight(t)
	}
	if best != nil {
		return best
	}
	n := int64(s.below(uint64(total)))
	for _, t := range tasks {
		if n -= s.weight(t); n < 0 {
			return t
		}
	}
	return nil
}

// weight is how often chance chooses a task.
func (s *seeded) weight(t *Task) int64 {
	if s.k.cgroups.weighted {
		return t.share()
	}
	return t.sched.weight()
}

// preempts is Kernel.preempts for a seeded machine: chance has decided already,
// but for real-time tasks.
func (s *seeded) preempts(t *Task) bool {
	for _, u := range s.k.runq.heap {
		if u.sched.priority() > t.sched.priority() {
			return true
		}
	}
	return false
}

// Await tells that the machine asks the outside for something, Answered that it
// is there: until then a seeded machine stands still. The kernel lock is held.
func (k *Kernel) Await() {
	if k.seeded != nil {
		k.seeded.pending++
	}
}

// Answered is the answer to one Await. The kernel lock is held.
func (k *Kernel) Answered() {
	if k.seeded == nil {
		return
	}
	if k.seeded.pending--; k.seeded.pending == 0 {
		k.kickIdle()
	}
}

// Seeded reports whether the machine runs from a seed.
func (k *Kernel) Seeded() bool { return k.seeded != nil }

// TraceHash is a hash of everything that has happened on a seeded machine:
// switches, system calls and their results; 0 on others. The kernel lock is
// held.
func (k *Kernel) TraceHash() uint64 {
	if k.seeded == nil {
		return 0
	}
	return k.seeded.hash
}

// noteCall adds a finished system call to the trace hash.
func (t *Task) noteCall(ret uint64, errno linux.Errno) {
	if s := t.k.seeded; s != nil {
		s.note(uint64(t.tid), t.sc.nr, ret, uint64(errno), uint64(s.ns))
	}
}
