package cpu

// Watch is what the debug registers ask for (SDM vol. 3, chapter 18): places
// in memory whose use is reported when the instruction is complete, and
// instructions that are reported before they are executed.
type Watch struct {
	Points [4]WatchPoint

	// Hits are the points, by bit, that an instruction has met. An engine that
	// returns the exception VectorDB with Hits not 0 has met them, and whoever
	// takes the exception clears them.
	Hits uint8
	// Resume lets the next instruction run although a point is on it (RF).
	Resume bool
}

// WatchPoint is one place.
type WatchPoint struct {
	Kind WatchKind
	Addr uint64
	Len  uint64 // 1, 2, 4 or 8, and Addr is a multiple of it
}

// WatchKind is what is watched for; the values are those of DR7.
type WatchKind uint8

const (
	WatchExec  WatchKind = 0
	WatchWrite WatchKind = 1
	WatchUse   WatchKind = 3  // reading and writing
	WatchOff   WatchKind = 16 // nothing
)

// Use notes the use of n bytes at va by an instruction.
func (w *Watch) Use(va, n uint64, write bool) {
	for i := range w.Points {
		p := &w.Points[i]
		if (p.Kind == WatchUse || p.Kind == WatchWrite && write) && va < p.Addr+p.Len && p.Addr < va+n {
			w.Hits |= 1 << i
		}
	}
}

// Exec notes that the instruction at pc is about to be executed, and reports
// whether a point is on it.
func (w *Watch) Exec(pc uint64) bool {
	w.Hits = 0
	if w.Resume {
		w.Resume = false
		return false
	}
	for i := range w.Points {
		if p := &w.Points[i]; p.Kind == WatchExec && p.Addr == pc {
			w.Hits |= 1 << i
		}
	}
	return w.Hits != 0
}
