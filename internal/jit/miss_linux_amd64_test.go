package jit

import (
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/cpu/cputest"
	"github.com/tinevm/tine/internal/mm"
)

// entered is how often the engine has entered machine code.
func entered(m *cputest.Machine) uint64 { return m.E.(*engine).busy.Load() / 2 }

func mapAt(t *testing.T, m *cputest.Machine, addr uint64, pages uint64, prot mm.Prot) {
	t.Helper()
	if _, errno := m.AS.Map(mm.MapRequest{Addr: addr, Len: pages * mm.PageSize, Prot: prot, Fixed: true}); errno != 0 {
		t.Fatal(errno)
	}
}

func protect(t *testing.T, m *cputest.Machine, addr uint64, pages uint64, prot mm.Prot) {
	t.Helper()
	if errno := m.AS.Protect(addr, pages*mm.PageSize, prot); errno != 0 {
		t.Fatal(errno)
	}
}

// Pages that have the same place in the TLB are both found without Go, by all kinds of
// checks, and forgotten with the mappings.
func TestPagesWithOnePlace(t *testing.T) {
	const apart = tlbSize * mm.PageSize
	const a, b = uint64(cputest.DataAt), uint64(cputest.DataAt + apart)
	const many = 100 // pages that are not forgotten one by one
	for name, code := range map[string][]byte{
		"alone":    {0x48, 0x03, 0x03, 0x48, 0x03, 0x07},                                                 // add rax, [rbx]; add rax, [rdi]
		"groups":   {0x48, 0x03, 0x03, 0x48, 0x03, 0x07, 0x48, 0x03, 0x43, 0x08, 0x48, 0x03, 0x47, 0x10}, // and [rbx+8], [rdi+16]
		"constant": {0x48, 0x03, 0x04, 0x25, 0, 0, 0x60, 0, 0x48, 0x03, 0x04, 0x25, 0, 0, 0xe0, 0},
		"aligned":  {0x66, 0x0f, 0xfe, 0x03, 0x66, 0x0f, 0xfe, 0x07, 0x66, 0x48, 0x0f, 0x7e, 0xc0}, // paddd xmm0, ...; movq rax, xmm0
	} {
		code = append(code, 0xff, 0xc9, 0x75, byte(-(len(code) + 4)), 0x0f, 0x05) // dec ecx; jne; syscall
		m := cputest.NewMachine(t, newJIT(t), code...)
		mapAt(t, m, b, many, mm.ProtRead|mm.ProtWrite)
		for i := range uint64(many) {
			m.Write(b+i*mm.PageSize, 0)
		}
		m.Write(a, 1)
		m.Write(b, 2)
		run := func(as *mm.AddressSpace, want uint64) cpu.Trap {
			t.Helper()
			g := &m.R.GPR
			m.R.RIP, g[cpu.RAX], g[cpu.RCX], g[cpu.RBX], g[cpu.RDI] = cputest.CodeAt, 0, 500, a, b
			m.R.XMM[0] = [2]uint64{}
			trap, _ := m.E.Run(new(cpu.VCPU), &m.R, as, 1<<20)
			if m.R.Recall(); trap.Kind == cpu.TrapSyscall && g[cpu.RAX] != want {
				t.Errorf("%s: %d, want %d", name, g[cpu.RAX], want)
			}
			return trap
		}
		before := entered(m)
		if trap := run(m.AS, 1500); trap.Kind != cpu.TrapSyscall {
			t.Fatalf("%s: %+v", name, trap)
		}
		if n := entered(m) - before; n > 100 {
			t.Errorf("%s: machine code was entered %d times", name, n)
		}
		// A child has what its parent knows, and a page that is copied is another.
		child := m.AS.Fork()
		m.Write(b, 7)
		for i, as := range []*mm.AddressSpace{child, m.AS} {
			if trap := run(as, []uint64{1500, 4000}[i]); trap.Kind != cpu.TrapSyscall {
				t.Errorf("%s: after a fork: %+v", name, trap)
			}
		}
		// One page is forgotten, or all are, with and without a list of what there is.
		for _, pages := range []uint64{1, many, many} {
			if trap := run(m.AS, 4000); trap.Kind != cpu.TrapSyscall {
				t.Fatalf("%s: %+v", name, trap)
			}
			protect(t, m, b, pages, 0)
			want := cpu.Trap{Kind: cpu.TrapPageFault, Addr: b, Access: mm.AccessRead}
			if trap := run(m.AS, 0); trap != want || m.R.GPR[cpu.RCX] != 500 {
				t.Errorf("%s: %d pages protected: %+v, want %+v", name, pages, trap, want)
			}
			protect(t, m, b, pages, mm.ProtRead|mm.ProtWrite)
			if c := m.E.(*engine).c; pages == many {
				c.clearTLB()
				c.reads = make([]readEntry, 0, 1)
			}
		}
		child.Put()
	}
}

// Two functions that have the same place in the jump cache are both found without
// Go; so is one whose code has changed.
func TestJumpsWithOnePlace(t *testing.T) {
	const a, b = cputest.CodeAt + 64, cputest.CodeAt + 64 + jumpSize
	m := cputest.NewMachine(t, newJIT(t),
		0xff, 0xd3, // loop: call rbx
		0xff, 0xd7, // call rdi
		0xff, 0xc9, // dec ecx
		0x75, 0xf8, // jne loop
		0x0f, 0x05)
	mapAt(t, m, b&^pageMask, 1, mm.ProtRead|mm.ProtWrite|mm.ProtExec)
	for i := range byte(5) {
		m.Write(a, 0x48, 0x83, 0xc0, 1, 0xc3) // add rax, 1; ret
		m.Write(b, 0x48, 0x83, 0xc0, 2+i, 0xc3)
		g := &m.R.GPR
		m.R.RIP, g[cpu.RAX], g[cpu.RCX], g[cpu.RBX], g[cpu.RDI] = cputest.CodeAt, 0, 500, a, b
		before := entered(m)
		if trap, n := m.Run(1 << 20); trap.Kind != cpu.TrapSyscall || n != 500*8+1 {
			t.Fatalf("%+v after %d", trap, n)
		}
		if want := 500 * uint64(3+i); g[cpu.RAX] != want {
			t.Errorf("%d, want %d", g[cpu.RAX], want)
		}
		if n := entered(m) - before; n > 100 {
			t.Errorf("machine code was entered %d times", n)
		}
	}
}
