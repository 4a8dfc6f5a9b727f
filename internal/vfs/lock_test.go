package vfs_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

const eof = int64(1<<63 - 1)

func TestRecordLocks(t *testing.T) {
	c := tree(t)
	f := open(t, c, "f", linux.O_CREAT|linux.O_RDWR)
	defer f.Put()
	g := open(t, c, "f", linux.O_RDWR)
	set := func(owner any, typ int16, start, end int64) linux.Errno {
		return vfs.SetLock(c, f, owner, vfs.RecordLock{Type: typ, Start: start, End: end, PID: 1}, false)
	}
	must(t, set("a", linux.F_WRLCK, 0, 99))
	if errno := set("b", linux.F_RDLCK, 50, eof); errno != linux.EAGAIN {
		t.Errorf("conflict: %v", errno)
	}
	must(t, set("b", linux.F_RDLCK, 100, eof))
	must(t, set("a", linux.F_UNLCK, 20, 29)) // splits
	must(t, set("b", linux.F_WRLCK, 20, 29))
	l, ok := vfs.GetLock(g, "c", vfs.RecordLock{Type: linux.F_WRLCK, Start: 25, End: 200})
	if !ok || l.Start != 20 || l.End != 29 || l.Type != linux.F_WRLCK {
		t.Errorf("getlk = %+v, %v", l, ok)
	}
	must(t, set("a", linux.F_RDLCK, 0, 19)) // downgrade
	must(t, set("c", linux.F_RDLCK, 0, 10))
	if errno := set("a", linux.F_WRLCK, 0, 19); errno != linux.EAGAIN {
		t.Errorf("upgrade over another reader: %v", errno)
	}
	vfs.ReleasePosixLocks(g, "c") // closing any descriptor of the file
	must(t, set("a", linux.F_WRLCK, 0, 19))

	if errno := vfs.SetLock(c, g, g, vfs.RecordLock{Type: linux.F_WRLCK, Start: 0, End: 5}, true); errno != vfs.EWAIT || c.WaitOn == nil {
		t.Errorf("waiting lock: %v", errno)
	}
	vfs.ReleasePosixLocks(f, "a")
	must(t, vfs.SetLock(c, g, g, vfs.RecordLock{Type: linux.F_WRLCK, Start: 0, End: 5, PID: -1}, true))
	if errno := set("a", linux.F_WRLCK, 3, 3); errno != linux.EAGAIN {
		t.Errorf("against an open file description lock: %v", errno)
	}
	g.Put() // releases it
	must(t, set("a", linux.F_WRLCK, 3, 3))
}

// TestRecordLockModel compares with one lock per byte.
func TestRecordLockModel(t *testing.T) {
	const size = 24
	r := rand.New(rand.NewPCG(1, 2))
	c := tree(t)
	f := open(t, c, "f", linux.O_CREAT|linux.O_RDWR)
	defer f.Put()
	var model [3][size]int16 // by owner
	for o := range model {
		for i := range model[o] {
			model[o][i] = linux.F_UNLCK
		}
	}
	for step := range 5000 {
		o, typ := r.IntN(3), int16(r.IntN(3))
		start := r.IntN(size)
		end := start + r.IntN(size-start)
		want := linux.Errno(0)
		for p := range model {
			for i := start; i <= end; i++ {
				if m := model[p][i]; p != o && typ != linux.F_UNLCK && m != linux.F_UNLCK && (m == linux.F_WRLCK || typ == linux.F_WRLCK) {
					want = linux.EAGAIN
				}
			}
		}
		got := vfs.SetLock(c, f, o, vfs.RecordLock{Type: typ, Start: int64(start), End: int64(end)}, false)
		if got != want {
			t.Fatalf("step %d: owner %d, type %d, %d-%d: %v, want %v", step, o, typ, start, end, got, want)
		}
		if want == 0 {
			for i := start; i <= end; i++ {
				model[o][i] = typ
			}
		}
	}
	// Neighbours are merged: no owner has two adjoining locks of one kind.
	list := vfs.FileLocks(f)
	seen := make(map[string]bool)
	for _, l := range list {
		if key := fmt.Sprint(l.Exclusive, l.Start); seen[key] && l.Exclusive {
			t.Errorf("two exclusive locks at %d", l.Start)
		} else {
			seen[key] = true
		}
	}
}

func TestFlock(t *testing.T) {
	c := tree(t)
	f := open(t, c, "f", linux.O_CREAT|linux.O_RDWR)
	defer f.Put()
	g := open(t, c, "f", linux.O_RDONLY)
	must(t, vfs.Flock(c, f, linux.LOCK_SH, 1))
	must(t, vfs.Flock(c, g, linux.LOCK_SH, 1))
	if errno := vfs.Flock(c, f, linux.LOCK_EX|linux.LOCK_NB, 1); errno != linux.EAGAIN {
		t.Errorf("upgrade: %v", errno)
	}
	if errno := vfs.Flock(c, f, linux.LOCK_EX, 1); errno != vfs.EWAIT {
		t.Errorf("waiting upgrade: %v", errno)
	}
	g.Put() // closing releases
	must(t, vfs.Flock(c, f, linux.LOCK_EX, 1))
	must(t, vfs.Flock(c, f, linux.LOCK_UN, 1))
	if errno := vfs.Flock(c, f, 77, 1); errno != linux.EINVAL {
		t.Errorf("bad operation: %v", errno)
	}
}
