package vfs

// Waiter is told when something it waits for may have happened. The kernel's
// tasks are waiters, and so are epoll instances.
type Waiter interface {
	// Wake is called with the events that became true (0 means any). It may
	// remove entries from the queue that calls it.
	Wake(e *WaitEntry, events PollMask)
}

// WaitEntry links one waiter into one queue. It belongs to the waiter.
type WaitEntry struct {
	Waiter     Waiter
	queue      *WaitQueue
	prev, next *WaitEntry
}

// WaitQueue is the list of those waiting for one object, in order of arrival.
// The zero value is empty. It is protected by the kernel lock.
type WaitQueue struct {
	head, tail *WaitEntry
}

// Add appends e. An entry can be in one queue only.
func (q *WaitQueue) Add(e *WaitEntry) {
	e.Remove()
	e.queue, e.prev, e.next = q, q.tail, nil
	if q.tail != nil {
		q.tail.next = e
	} else {
		q.head = e
	}
	q.tail = e
}

// AddFirst is Add for a waiter that is to be told before those that wait
// already, as epoll is.
func (q *WaitQueue) AddFirst(e *WaitEntry) {
	e.Remove()
	e.queue, e.prev, e.next = q, nil, q.head
	if q.head != nil {
		q.head.prev = e
	} else {
		q.tail = e
	}
	q.head = e
}

// Remove takes e out of the queue it is in, if any.
func (e *WaitEntry) Remove() {
	q := e.queue
	if q == nil {
		return
	}
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		q.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		q.tail = e.prev
	}
	e.queue, e.prev, e.next = nil, nil, nil
}

// Queued reports whether e is in a queue.
func (e *WaitEntry) Queued() bool { return e.queue != nil }

// Empty reports whether nobody waits.
func (q *WaitQueue) Empty() bool { return q.head == nil }

// Wake tells every waiter, in order of arrival, that events became true.
// Waiters stay queued until they remove themselves.
func (q *WaitQueue) Wake(events PollMask) {
	last := q.tail
	for e := q.head; e != nil; {
		next, done := e.next, e == last
		e.Waiter.Wake(e, events)
		if done {
			return
		}
		e = next
	}
}
