package interp

import (
	"bytes"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/cpu/cputest"
)

func TestEngine(t *testing.T) { cputest.Run(t, New) }

func TestUnknownHook(t *testing.T) {
	var got []byte
	OnUnknown = func(b []byte) { got = append(got, b...) }
	defer func() { OnUnknown = nil }()
	m := cputest.NewMachine(t, newCore(), 0xc5, 0xf8, 0x77)
	m.Expect(cputest.Exception(cpu.VectorUD), cputest.CodeAt, 0)
	if !bytes.HasPrefix(got, []byte{0xc5, 0xf8, 0x77}) {
		t.Errorf("hook got % x", got)
	}
}

func TestContextsWrap(t *testing.T) {
	e := newCore()
	for i := range uint64(2*maxContext + 5) {
		if i%500 != 0 && i%maxContext > 3 {
			e.newContext(1<<40+i, 0)
			continue
		}
		m := cputest.NewMachine(t, newCore(), 0x8b, 0x03, 0x0f, 0x05) // mov eax, [rbx]; syscall
		m.E = e
		m.R.GPR[cpu.RBX] = cputest.DataAt
		m.Write(cputest.DataAt, byte(i), byte(i>>8))
		m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+4, 2)
		if m.R.GPR[cpu.RAX] != i {
			t.Fatalf("address space %d reads %d", i, m.R.GPR[cpu.RAX])
		}
		m.AS.Put()
	}
}

func TestDropAllBoundsTheCache(t *testing.T) {
	m := cputest.NewMachine(t, newCore(), 0x0f, 0x05)
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+2, 1)
	cache.ops.Add(maxCached)
	dropAll()
	cache.ops.Add(-maxCached)
	if n := cache.ops.Load(); n != 0 {
		t.Errorf("%d ops left", n)
	}
	m.R.RIP = cputest.CodeAt
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+2, 1)
}
