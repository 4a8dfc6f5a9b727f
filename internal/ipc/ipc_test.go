package ipc

import (
	"testing"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// user is a caller without privileges.
func user(uid uint32) *Caller {
	return &Caller{
		PID: int(uid) + 100, UID: uid, GID: uid, Now: 1000,
		InGroup: func(gid uint32) bool { return gid == uid },
		Capable: func(int) bool { return false },
	}
}

func want(t *testing.T, what string, got, want linux.Errno) {
	t.Helper()
	if got != want {
		t.Errorf("%s: errno %d, want %d", what, got, want)
	}
}

// TestGet follows the rules of keys and flags in shmget(2), semget(2) and
// msgget(2).
func TestGet(t *testing.T) {
	n, c := New(), user(1)
	_, errno := n.Msgget(c, 7, 0o600)
	want(t, "no such key", errno, linux.ENOENT)
	id, errno := n.Msgget(c, 7, linux.IPC_CREAT|0o600)
	want(t, "create", errno, 0)
	again, errno := n.Msgget(c, 7, linux.IPC_CREAT|0o600)
	want(t, "find", errno, 0)
	if again != id {
		t.Errorf("found %d, made %d", again, id)
	}
	_, errno = n.Msgget(c, 7, linux.IPC_CREAT|linux.IPC_EXCL)
	want(t, "exclusive", errno, linux.EEXIST)
	_, errno = n.Msgget(user(2), 7, 0o400)
	want(t, "permission", errno, linux.EACCES)
	_, errno = n.Semget(c, 7, 0, linux.IPC_CREAT|0o600)
	want(t, "no semaphores", errno, linux.EINVAL)
	_, errno = n.Shmget(c, 7, 0, linux.IPC_CREAT|0o600, nil)
	want(t, "no bytes", errno, linux.EINVAL)
}

// TestIdentifiers checks that an identifier is not used again while its place
// is.
func TestIdentifiers(t *testing.T) {
	n, c := New(), user(1)
	var ids []int
	for range 3 {
		id, _ := n.Msgget(c, linux.IPC_PRIVATE, 0o600)
		ids = append(ids, id)
	}
	if ids[0] != 0 || ids[1] != 1 || ids[2] != 2 {
		t.Errorf("identifiers %v", ids)
	}
	q, _ := n.Msg.Find(1)
	q.Remove()
	_, errno := n.Msg.Find(1)
	want(t, "removed", errno, linux.EINVAL)
	id, _ := n.Msgget(c, linux.IPC_PRIVATE, 0o600)
	if id != 1<<indexBits+1 {
		t.Errorf("new identifier %#x", id)
	}
	_, errno = n.Msg.Find(1)
	want(t, "replaced", errno, linux.EIDRM)
	if n.Msg.Highest() != 2 || n.Msg.Count() != 3 {
		t.Errorf("highest %d, count %d", n.Msg.Highest(), n.Msg.Count())
	}
}

// TestSemaphores checks that operations are done all or none.
func TestSemaphores(t *testing.T) {
	n, c := New(), user(1)
	id, _ := n.Semget(c, linux.IPC_PRIVATE, 2, 0o600)
	s, _ := n.Sem.Find(id)
	want(t, "SETVAL", s.SetValue(c, 0, 3), 0)
	for _, test := range []struct {
		name  string
		ops   []SemOp
		wait  bool
		errno linux.Errno
		after [2]int32
	}{
		{"down", []SemOp{{0, -1, 0}}, false, 0, [2]int32{2, 0}},
		{"both or none", []SemOp{{0, -1, 0}, {1, -1, 0}}, true, linux.EAGAIN, [2]int32{2, 0}},
		{"no waiting", []SemOp{{0, -1, 0}, {1, -1, linux.IPC_NOWAIT}}, false, linux.EAGAIN, [2]int32{2, 0}},
		{"for zero", []SemOp{{0, 0, 0}}, true, linux.EAGAIN, [2]int32{2, 0}},
		{"zero, then up", []SemOp{{1, 0, 0}, {1, 5, 0}}, false, 0, [2]int32{2, 5}},
		{"one after the other", []SemOp{{0, -2, 0}, {0, 0, 0}, {0, 1, 0}}, false, 0, [2]int32{1, 5}},
		{"too large", []SemOp{{0, -1, 0}, {1, 32767, 0}}, false, linux.ERANGE, [2]int32{1, 5}},
	} {
		_, wait, errno := s.Try(c, test.ops, nil)
		want(t, test.name, errno, test.errno)
		if got := [2]int32{s.Sems[0].Value, s.Sems[1].Value}; got != test.after || wait != test.wait {
			t.Errorf("%s: values %v, wait %v", test.name, got, wait)
		}
	}
	want(t, "beyond", s.Check(c, []SemOp{{2, 1, 0}}), linux.EFBIG)
	want(t, "stranger", s.Check(user(2), []SemOp{{0, 1, 0}}), linux.EACCES)
}

// TestUndo checks SEM_UNDO: at exit, after SETVAL, and on a removed set.
func TestUndo(t *testing.T) {
	n, c := New(), user(1)
	id, _ := n.Semget(c, linux.IPC_PRIVATE, 2, 0o600)
	s, _ := n.Sem.Find(id)
	s.SetValue(c, 0, 5)
	var u, v Undo
	ops := []SemOp{{0, -3, linux.SEM_UNDO}, {1, 4, linux.SEM_UNDO}}
	s.Try(c, ops, &u)
	u.Exit(c)
	if s.Sems[0].Value != 5 || s.Sems[1].Value != 0 {
		t.Errorf("after exit: %v", s.Sems)
	}
	s.Try(c, ops, &v)
	s.SetValue(c, 0, 1)
	v.Exit(c)
	if s.Sems[0].Value != 1 || s.Sems[1].Value != 0 {
		t.Errorf("SETVAL forgets: %v", s.Sems)
	}
	s.Try(c, []SemOp{{1, 4, linux.SEM_UNDO}}, &u)
	s.Remove()
	u.Exit(c)
}

// TestMessages checks the choice of messages by type (msgrcv(2)).
func TestMessages(t *testing.T) {
	n, c := New(), user(1)
	id, _ := n.Msgget(c, linux.IPC_PRIVATE, 0o600)
	q, _ := n.Msg.Find(id)
	for _, m := range []Message{{5, []byte("five")}, {2, []byte("two")}, {9, []byte("nine")}, {2, []byte("again")}} {
		want(t, "send", q.Send(c, m), 0)
	}
	for _, test := range []struct {
		typ   int64
		size  uint64
		flags uint32
		text  string
		errno linux.Errno
	}{
		{7, 10, 0, "", linux.ENOMSG},
		{2, 2, 0, "", linux.E2BIG},
		{1, 10, linux.MSG_COPY | linux.IPC_NOWAIT, "two", 0},
		{2, 2, linux.MSG_NOERROR, "tw", 0},
		{-6, 10, 0, "again", 0},
		{5, 10, linux.MSG_EXCEPT, "nine", 0},
		{0, 10, 0, "five", 0},
		{0, 10, 0, "", linux.ENOMSG},
		{-1 << 63, 10, 0, "", linux.ENOMSG},
	} {
		m, errno := q.Receive(c, test.size, test.typ, test.flags)
		want(t, "receive", errno, test.errno)
		if string(m.Text) != test.text {
			t.Errorf("type %d: %q, want %q", test.typ, m.Text, test.text)
		}
	}
}

// waiter counts wake-ups.
type waiter struct{ n int }

func (w *waiter) Wake(*vfs.WaitEntry, vfs.PollMask) { w.n++ }

// TestQueueLimit fills a queue, and checks that room is announced.
func TestQueueLimit(t *testing.T) {
	n, c := New(), user(1)
	id, _ := n.Msgget(c, linux.IPC_PRIVATE, 0o600)
	q, _ := n.Msg.Find(id)
	sent := 0
	for q.Send(c, Message{1, make([]byte, 1000)}) == 0 {
		sent++
	}
	w := &waiter{}
	q.Waiters.Add(&vfs.WaitEntry{Waiter: w})
	if _, errno := q.Receive(c, 1000, 0, 0); errno != 0 || sent != 16 || w.n != 1 {
		t.Errorf("%v after %d messages, woken %d times", errno, sent, w.n)
	}
	b := make([]byte, SizeofMsqid)
	q.Encode(b)
	le.PutUint64(b[88:], 100000)
	want(t, "raise the limit", q.Set(c, b), linux.EPERM)
}

// TestSegment checks that memory lives until the segment is removed and no
// longer attached, and is given back then.
func TestSegment(t *testing.T) {
	n, c := New(), user(1)
	acct := mm.NewAccount(1 << 20)
	id, errno := n.Shmget(c, 5, 5000, linux.IPC_CREAT|0o600, acct)
	want(t, "shmget", errno, 0)
	_, errno = n.Shmget(c, 5, 6000, 0o600, acct)
	want(t, "larger than it is", errno, linux.EINVAL)
	_, errno = n.Shmget(c, linux.IPC_PRIVATE, 2<<20, 0o600, acct)
	want(t, "larger than the machine", errno, linux.ENOMEM)
	s, _ := n.Shm.Find(id)
	s.Hold()
	if _, errno := s.Cache().WriteAt([]byte("data"), 4096); errno != 0 || acct.Used() == 0 {
		t.Fatalf("write: %v, %d bytes used", errno, acct.Used())
	}
	s.Remove()
	_, errno = n.Shmget(c, 5, 100, 0o600, acct)
	want(t, "key of a removed segment", errno, linux.ENOENT)
	if _, errno := n.Shm.Find(id); errno != 0 || acct.Used() == 0 {
		t.Errorf("removed but attached: %v, %d bytes used", errno, acct.Used())
	}
	s.Drop()
	if _, errno := n.Shm.Find(id); errno != linux.EINVAL || !acct.Close() {
		t.Errorf("detached: %v", errno)
	}
}

// TestClose gives back segments that nobody removed.
func TestClose(t *testing.T) {
	n, c := New(), user(1)
	acct := mm.NewAccount(0)
	id, _ := n.Shmget(c, 5, 5000, linux.IPC_CREAT|0o600, acct)
	s, _ := n.Shm.Find(id)
	s.Cache().WriteAt([]byte("data"), 0)
	n.Close()
	if !acct.Close() {
		t.Errorf("%d bytes left", acct.Used())
	}
}
