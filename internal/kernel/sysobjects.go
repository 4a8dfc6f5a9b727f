package kernel

// systemObjects are the machine's objects that belong to no process.
type systemObjects struct {
	k       *Kernel
	lastIno uint64
}

func (s *systemObjects) init(k *Kernel) { s.k = k }

// close frees them, when the machine closes.
func (s *systemObjects) close() {}

// nextIno numbers objects that have no file system, as sockets and pipes.
func (s *systemObjects) nextIno() uint64 {
	s.lastIno++
	return s.lastIno
}

// semUndoList is what CLONE_SYSVSEM shares: adjustments of System V semaphores
// to be undone at exit.
type semUndoList struct{ refs int }

// exitSemaphores undoes the task's semaphore adjustments.
func (t *Task) exitSemaphores() {
	if t.undo != nil {
		t.undo.refs--
		t.undo = nil
	}
}
