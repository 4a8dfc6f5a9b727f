package kernel

// timer is one entry of the machine's timer queue. It is embedded in what it
// belongs to.
type timer struct {
	when   int64 // CLOCK_MONOTONIC ns
	seq    uint64
	index  int // position in the heap plus one; 0 if not armed
	target timerTarget
}

// timerTarget is what a timer tells that its time has come.
type timerTarget interface{ expire(tm *timer) }

// timerQueue is a heap ordered by time, then by the order of arming.
type timerQueue struct {
	heap []*timer
	seq  uint64
}

func (q *timerQueue) less(i, j int) bool {
	a, b := q.heap[i], q.heap[j]
	return a.when < b.when || a.when == b.when && a.seq < b.seq
}

func (q *timerQueue) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].index, q.heap[j].index = i+1, j+1
}

func (q *timerQueue) up(i int) {
	for i > 0 && q.less(i, (i-1)/2) {
		q.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (q *timerQueue) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(q.heap); c++ {
			if q.less(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}

// startTimer arms tm for when, replacing an earlier setting.
func (k *Kernel) startTimer(tm *timer, when int64, target timerTarget) {
	k.stopTimer(tm)
	q := &k.timers
	q.seq++
	tm.when, tm.seq, tm.target = when, q.seq, target
	q.heap = append(q.heap, tm)
	tm.index = len(q.heap)
	q.up(tm.index - 1)
}

// stopTimer disarms tm.
func (k *Kernel) stopTimer(tm *timer) {
	if tm.index == 0 {
		return
	}
	q := &k.timers
	i, last := tm.index-1, len(q.heap)-1
	q.swap(i, last)
	q.heap[last] = nil
	q.heap = q.heap[:last]
	tm.index = 0
	if i < last {
		q.down(i)
		q.up(i)
	}
}

// runTimers tells every timer whose time has come.
func (k *Kernel) runTimers(now int64) {
	for len(k.timers.heap) > 0 && k.timers.heap[0].when <= now {
		tm := k.timers.heap[0]
		k.stopTimer(tm)
		tm.target.expire(tm)
	}
}

// nextTimer returns when the next timer is due; noDeadline if none is armed.
func (k *Kernel) nextTimer() int64 {
	if len(k.timers.heap) == 0 {
		return noDeadline
	}
	return k.timers.heap[0].when
}
