package jit

import (
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/cpu/cputest"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/mm"
)

// Groups of operands that are in two pages, around RSP too, go on without groups; all
// engines compute and count the same, wherever the pages end.
func TestGroupsInTwoPages(t *testing.T) {
	const rounds = 20
	code := []byte{
		0xe8, 0xfb, 0x0f, 0, 0, // loop: call f
		0xff, 0xc9, // dec ecx
		0x75, 0xf7, // jne loop
		0x0f, 0x05,
	}
	f := []byte{
		0x48, 0x8b, 0x03, // f: mov rax, [rbx]
		0x48, 0x03, 0x43, 0x08, // add rax, [rbx+8]
		0x48, 0x89, 0x43, 0x10, // mov [rbx+16], rax
		0x48, 0x11, 0x54, 0x24, 0xf0, // adc [rsp-16], rdx
		0x48, 0x03, 0x54, 0x24, 0xf8, // add rdx, [rsp-8]
		0x48, 0x01, 0x54, 0x24, 0xe0, // add [rsp-32], rdx
		0xc3,
	}
	run := func(e cpu.Engine, off uint64) *cputest.Machine {
		m := cputest.NewMachine(t, e, code...)
		m.Write(cputest.CodeAt+mm.PageSize, f...)
		for i := range uint64(1024) {
			m.Write(cputest.DataAt+8*i, byte(i), byte(i>>3))
		}
		m.R.GPR[cpu.RCX], m.R.GPR[cpu.RBX] = rounds, cputest.DataAt+mm.PageSize-32+off
		m.R.GPR[cpu.RSP] = cputest.DataAt + 3*mm.PageSize + off
		if trap, n := m.Run(1 << 20); trap.Kind != cpu.TrapSyscall || n != rounds*10+1 {
			t.Fatalf("%+v after %d", trap, n)
		}
		return m
	}
	for off := uint64(0); off < 48; off += 4 {
		want, got := run(interp.New(), off), run(newJIT(t), off)
		if want.R != got.R {
			t.Errorf("at %d: got %+v\nwant %+v", off, got.R, want.R)
		}
		const n = 4 * mm.PageSize
		if string(want.Read(cputest.DataAt, n)) != string(got.Read(cputest.DataAt, n)) {
			t.Errorf("at %d: memory differs", off)
		}
		if tier := blockOf(t, got, cputest.CodeAt+mm.PageSize).tier; tier != tierOnce {
			t.Errorf("tier %d", tier)
		}
		crossings := 0
		for _, c := range got.E.(*engine).c.cross {
			if c.from != 0 {
				crossings++
			}
		}
		if off == 16 && crossings == 0 {
			t.Error("no group was in two pages")
		}
	}
}

// Two blocks of a frame that its table cannot tell apart are never there together.
func TestBlocksFarApart(t *testing.T) {
	m := cputest.NewMachine(t, newJIT(t), 0x90, 0x0f, 0x05)
	if trap, _ := m.Run(100); trap.Kind != cpu.TrapSyscall {
		t.Fatalf("%+v", trap)
	}
	f, ok := m.AS.Lookup(cputest.CodeAt, mm.AccessExec)
	if !ok {
		t.Fatal("no code")
	}
	cache.mu.Lock()
	defer cache.mu.Unlock()
	const pc, far = cputest.CodeAt, cputest.CodeAt + 1<<43
	cf := frameOf(f)
	b := cf.find(pc, false)
	if b == nil || cf.find(far, false) != nil || cf.find(pc+2, false) != nil || cf.find(pc, true) != nil {
		t.Fatalf("found %v", b)
	}
	tr := newEngine().t
	other := tr.make(cf, far, tierOnce, nil)
	if cf.find(far, false) != other || cf.find(pc, false) != nil || !b.dead.Load() {
		t.Error("both are there")
	}
}

// Blocks are found after the table has grown.
func TestManyBlocksInAPage(t *testing.T) {
	m := cputest.NewMachine(t, newJIT(t), 0)
	e := m.E.(*engine)
	e.v, e.as, e.c = new(cpu.VCPU), m.AS, e.contextOf(m.AS)
	var made [mm.PageSize / 2]*block
	for i := range made {
		made[i] = e.find(cputest.CodeAt+2*uint64(i), tierOnce) // add [rax], al
	}
	for i, b := range made {
		if b == nil || e.find(cputest.CodeAt+2*uint64(i), tierOnce) != b {
			t.Fatalf("block %d is not found", i)
		}
	}
}
