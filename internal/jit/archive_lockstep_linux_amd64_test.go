package jit_test

import (
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/jit"
	"github.com/tinevm/tine/internal/lockstep"
)

// TestLockStepArchive runs random programs, keeps what was translated, and runs them again
// with that on the JIT and on the interpreter in lock step.
func TestLockStepArchive(t *testing.T) {
	if err := lockstep.Available(); err != nil {
		t.Skip(err)
	}
	old := lockstep.NewSubject
	defer func() { lockstep.NewSubject = old }()
	defer jit.SetHotAfter(jit.SetHotAfter(0))
	const batch = 100
	dir := jit.ArchiveDir(t)
	recalled := 0
	for n := range *lockPrograms / 10 / batch {
		seed := *lockSeed + int64(n) + 1000
		// First they are recorded, by an engine that translates all at once.
		lockstep.NewSubject = old
		for pass := range 2 {
			jit.OpenTestArchive(t, dir)
			if pass == 1 {
				lockstep.NewSubject = func() lockstep.Engine { return jit.New().(lockstep.Engine) }
			}
			m := newMaker(seed, *lockOnly)
			s := newMachine(t)
			for i := range batch {
				p := m.program()
				slice := int64(1 << 40)
				if i%4 == 0 {
					slice = 1 + int64(m.Intn(2*jit.Reserve))
				}
				jit.SetHotAfter(int32(m.Intn(6)))
				if err := s.play(&p, slice); err != nil {
					t.Fatalf("program %d of seed %d at %#x, slices of %d, pass %d:\n%s\n%s", i, seed, p.regs.RIP, slice, pass, strings.Join(p.text, "\n"), err)
				}
				if pass == 0 {
					jit.CollectTestArchive()
				}
			}
			recalled += jit.Recalled()
			if pass == 0 {
				jit.SaveTestArchive(t)
			}
		}
	}
	if recalled < *lockPrograms/10 {
		t.Errorf("only %d blocks were recalled", recalled)
	}
}

// Code that is not the same in two places but for what it refers to would be wrong in a
// third: a reference has not been noted.
func TestNeutralCode(t *testing.T) {
	if err := lockstep.Available(); err != nil {
		t.Skip(err)
	}
	defer jit.SetHotAfter(jit.SetHotAfter(0))
	m := newMaker(*lockSeed+5000, *lockOnly)
	blocks := 0
	s := newMachine(t)
	s.eng = jit.NewEager()
	jit.OpenTestArchive(t, jit.ArchiveDir(t))
	for i := range *lockPrograms / 6 {
		p := m.program()
		jit.SetHotAfter(int32(m.Intn(6)))
		var text [3]string // the first time there are page faults that change the way
		k := 0
		for n := range text {
			jit.Flush()
			jit.Shift(n * (1 + i))
			if err := s.play(&p, 1<<40); err != nil {
				t.Fatal(err)
			}
			text[n], k = jit.NeutralCode()
		}
		if text[1] != text[2] {
			at := 0
			for at < len(text[1]) && at < len(text[2]) && text[1][at] == text[2][at] {
				at++
			}
			t.Fatalf("program %d at %#x:\n%s\n%s\nis not\n%s", i, p.regs.RIP, strings.Join(p.text, "\n"), text[1][max(at-100, 0):], text[2][max(at-100, 0):])
		}
		blocks += k
	}
	if blocks < *lockPrograms/6 {
		t.Errorf("only %d blocks were compared", blocks)
	}
}
