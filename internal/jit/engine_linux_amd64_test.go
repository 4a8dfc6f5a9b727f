package jit

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/cpu/cputest"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/mm"
)

func newJIT(t testing.TB) cpu.Engine {
	if err := Available(); err != nil {
		t.Skip(err)
	}
	return NewEager()
}

func TestEngine(t *testing.T) {
	cputest.Run(t, func() cpu.Engine { return newJIT(t) })
}

// TestEngineInterpretsFirst: an engine that interprets what comes first passes as
// well, and what comes again is translated.
func TestEngineInterpretsFirst(t *testing.T) {
	newJIT(t)
	cputest.Run(t, New)
	cache.visits = visits{}
	// mov ecx, 3; next: dec ecx; jz end; jmp next; end: syscall
	m := cputest.NewMachine(t, New(), 0xb9, 3, 0, 0, 0, 0xff, 0xc9, 0x74, 0x02, 0xeb, 0xfa, 0x0f, 0x05)
	for i, translates := range []bool{true, true, false} { // the loop; what is before and behind it; nothing
		before := cache.published.Load()
		m.R.RIP = cputest.CodeAt
		m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+13, 10)
		if did := cache.published.Load() != before; did != translates {
			t.Errorf("run %d: translated %v", i, did)
		}
	}
}

// The assembly takes the offsets from the constants; they must be those that
// short displacements reach.
func TestHotFieldsAreNear(t *testing.T) {
	for _, off := range []int32{offFlags, offTarget, offSite, offBlock, offLeft, offStackPage, offGroups + 8*(maxGroups-1), offStackLarge, offGPR, offGPR + 15*8, offFSBase} {
		if off < -128 || off > 127 {
			t.Errorf("offset %d", off)
		}
	}
	for _, off := range []int32{offRL, offWL} {
		if (bias+off+lastEntries)%(2*lastBytes) != 0 || lastBytes != 32 {
			t.Errorf("entries at %d of %d bytes are in two cache lines", bias+off+lastEntries, lastBytes)
		}
	}
	c := newContext()
	c.regs.GPR[cpu.R15], c.regs.XMM[3][1] = 1, 2
	base := field(0).disp
	if base != 0 || home(cpu.R15).disp != offGPR+15*8 {
		t.Error("registers are not where they are said to be")
	}
}

// What a processor keeps of one task's registers does not become another's, and
// is there when somebody asks.
func TestKeptRegisters(t *testing.T) {
	m := cputest.NewMachine(t, newJIT(t),
		0x66, 0x48, 0x0f, 0x6e, 0xc0, // movq xmm0, rax
		0x0f, 0x05, // syscall
		0x66, 0x48, 0x0f, 0x7e, 0xc3, // movq rbx, xmm0
		0x0f, 0x05)
	v := new(cpu.VCPU)
	run := func(r *cpu.Regs) {
		t.Helper()
		for {
			trap, _ := m.E.Run(v, r, m.AS, 1000)
			if trap.Kind == cpu.TrapSyscall {
				return
			}
			if res, _ := m.AS.Fault(trap.Addr, trap.Access); trap.Kind != cpu.TrapPageFault || res != mm.FaultOK {
				t.Fatalf("%+v", trap)
			}
		}
	}
	a, b := m.R, m.R
	a.GPR[cpu.RAX], b.GPR[cpu.RAX] = 1, 2
	run(&a)
	if a.Keeper == nil {
		t.Error("the engine keeps nothing: everything is copied at each system call")
	}
	run(&b)
	c := b.Copy()
	b.Recall()
	run(&b)
	run(&c)
	run(&a)
	if a.GPR[cpu.RBX] != 1 || b.GPR[cpu.RBX] != 2 || c.GPR[cpu.RBX] != 2 {
		t.Errorf("XMM0 is %d, %d and %d, want 1, 2 and 2", a.GPR[cpu.RBX], b.GPR[cpu.RBX], c.GPR[cpu.RBX])
	}
	a.Forget()
	if a.Keeper != nil || b.Keeper != nil || c.Keeper != nil {
		t.Error("somebody's registers are still kept")
	}
}

// CPUID says the same from the table as the first time, to each processor its own.
func TestCPUIDFromTable(t *testing.T) {
	code := []byte{0x0f, 0xa2, 0x0f, 0x05} // cpuid; syscall
	m, ref := cputest.NewMachine(t, newJIT(t), code...), cputest.NewMachine(t, interp.New(), code...)
	for range 3 {
		for _, leaf := range []uint64{0, 1, 2, 4, 7, 0xd, 0x80000000, 0x80000002, 0x40000000, 99} {
			for sub := range uint64(20) {
				for _, m := range []*cputest.Machine{m, ref} {
					m.R.RIP, m.R.GPR[cpu.RAX], m.R.GPR[cpu.RCX] = cputest.CodeAt, leaf|1<<40, sub
					m.R.GPR[cpu.RDX], m.R.GPR[cpu.RBX] = 7, 7
					m.R.Flags ^= cpu.FlagCF | cpu.FlagOF | cpu.FlagZF
					m.Run(1000)
				}
				if m.R != ref.R {
					t.Fatalf("leaf %#x, %d: %x\nwant %x", leaf, sub, m.R.GPR, ref.R.GPR)
				}
			}
		}
	}
}

// Strings are copied and filled as the interpreter does it: across pages, over
// themselves, backwards, and up to a page that cannot be had.
func TestStrings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, op := range [][]byte{{0xaa}, {0x66, 0xab}, {0xab}, {0x48, 0xab}, {0xa4}, {0x66, 0xa5}, {0xa5}, {0x48, 0xa5}} {
		code := append(append([]byte{0xf3}, op...), 0x0f, 0x05)
		if op[0] == 0x48 || op[0] == 0x66 {
			code = append(append([]byte{op[0], 0xf3}, op[1:]...), 0x0f, 0x05)
		}
		if op[0] == 0x48 { // REX comes last
			code = append([]byte{0xf3}, append(op, 0x0f, 0x05)...)
		}
		m, ref := cputest.NewMachine(t, newJIT(t), code...), cputest.NewMachine(t, interp.New(), code...)
		for range 400 {
			const size = 4 * mm.PageSize
			var data [size]byte
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			from, to, n := r.Uint64N(size), r.Uint64N(size), r.Uint64N(size)>>r.Uint64N(12)
			if r.Uint32()&3 == 0 {
				to = from + r.Uint64N(40) - 20
			}
			var traps [2]cpu.Trap
			for i, m := range []*cputest.Machine{m, ref} {
				m.Write(cputest.DataAt, data[:]...)
				g := &m.R.GPR
				m.R.RIP, g[cpu.RSI], g[cpu.RDI], g[cpu.RCX], g[cpu.RAX] = cputest.CodeAt, cputest.DataAt+from, cputest.DataAt+to, n, uint64(data[0])*0x0101010101010101*uint64(data[1]&1)
				m.R.Flags &^= cpu.FlagDF
				if data[2] < 20 {
					m.R.Flags |= cpu.FlagDF
				}
				traps[i], _ = m.Run(1000)
			}
			if m.R != ref.R || traps[0] != traps[1] {
				t.Fatalf("% x from %#x to %#x, %d: %+v %x\nwant %+v %x", code, from, to, n, traps[0], m.R.GPR, traps[1], ref.R.GPR)
			}
			if string(m.Read(cputest.DataAt, size)) != string(ref.Read(cputest.DataAt, size)) {
				t.Fatalf("% x from %#x to %#x, %d: memory differs", code, from, to, n)
			}
		}
	}
}

// All registers go in and come out.
func TestEnterAndExit(t *testing.T) {
	m := cputest.NewMachine(t, newJIT(t), 0x0f, 0x05) // syscall
	m.Run(10)
	for i := range m.R.GPR {
		m.R.GPR[i] = uint64(i) * 0x0101010101010101
		m.R.XMM[i] = [2]uint64{uint64(i) << 60, ^uint64(i)}
		m.R.Upper[i] = [2]uint64{uint64(i) << 40, ^uint64(i) << 1}
	}
	m.R.UpperUsed = hostAVX
	m.R.Flags |= cpu.FlagOF | cpu.FlagSF | cpu.FlagPF | cpu.FlagDF
	m.R.MXCSR = 0x5fa1
	m.R.RIP = cputest.CodeAt
	want := m.R
	want.RIP += 2
	want.GPR[cpu.RCX], want.GPR[cpu.R11] = want.RIP, want.Flags
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, want.RIP, 1)
	if m.R != want {
		t.Errorf("got %+v\nwant %+v", m.R, want)
	}
}

// What PUSH has read is still there when its store has missed the TLB while the x87
// registers are in the host's.
func TestPushBesideX87(t *testing.T) {
	m := cputest.NewMachine(t, newJIT(t),
		0xd9, 0xe8, // fld1
		0xff, 0x74, 0x24, 0x08, // push [rsp+8]
		0x0f, 0x05)
	rsp := m.R.GPR[cpu.RSP] // at the start of a page
	m.Write(rsp-8, 0)
	m.Write(rsp+8, 1, 2, 3, 4, 5, 6, 7, 8)
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+8, 3)
	if got := m.Word(rsp - 8); got != 0x0807060504030201 {
		t.Errorf("pushed %#x", got)
	}
}

// A program that calls from page to page, in a loop.
var callsAround = []byte{
	0xe8, 0xfb, 0x0f, 0, 0, // call the next page
	0xff, 0xc9, // dec ecx
	0x75, 0xf7, // jne
	0x0f, 0x05,
}

func newCaller(t *testing.T) *cputest.Machine {
	m := cputest.NewMachine(t, newJIT(t), callsAround...)
	m.Write(cputest.CodeAt+mm.PageSize, 0x48, 0x83, 0xc0, 0x01, 0xc3) // add rax, 1; ret
	m.R.GPR[cpu.RCX] = 1000
	return m
}

// Code that others jump to changes, again and again.
func TestLinkedCodeChanges(t *testing.T) {
	m := newCaller(t)
	sum := uint64(0)
	for i := range byte(100) {
		m.R.RIP, m.R.GPR[cpu.RCX] = cputest.CodeAt, 10
		m.Write(cputest.CodeAt+mm.PageSize+3, i)
		if trap, _ := m.Run(1000); trap.Kind != cpu.TrapSyscall {
			t.Fatalf("%+v", trap)
		}
		if sum += 10 * uint64(i); m.R.GPR[cpu.RAX] != sum {
			t.Fatalf("round %d: %d, want %d", i, m.R.GPR[cpu.RAX], sum)
		}
	}
}

// A block in a page that is shared is not good where another page follows.
func TestLinksAreCheckedInEveryAddressSpace(t *testing.T) {
	m := newCaller(t)
	m.R.GPR[cpu.RCX] = 3
	m.Run(1000)
	child := cputest.NewMachine(t, m.E)
	child.AS, child.R = m.AS.Fork(), m.R
	child.Write(cputest.CodeAt+mm.PageSize+3, 100)
	for range 3 {
		for _, c := range []struct {
			m    *cputest.Machine
			want uint64
		}{{m, 3}, {child, 300}} {
			c.m.R.RIP, c.m.R.GPR[cpu.RAX], c.m.R.GPR[cpu.RCX] = cputest.CodeAt, 0, 3
			if c.m.Run(1000); c.m.R.GPR[cpu.RAX] != c.want {
				t.Fatalf("counted %d, want %d", c.m.R.GPR[cpu.RAX], c.want)
			}
		}
	}
}

// Code that is being executed is thrown away under several processors, by
// flushing the cache and by writing the code.
func TestFlushWhileRunning(t *testing.T) {
	m := newCaller(t)
	m.Run(10)
	var wg sync.WaitGroup
	var stop atomic.Bool
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r, v, e := m.R, new(cpu.VCPU), newJIT(t)
			for !stop.Load() {
				r.RIP, r.GPR[cpu.RAX], r.GPR[cpu.RCX] = cputest.CodeAt, 0, 500
				trap, n := e.Run(v, &r, m.AS, 1<<40)
				if trap.Kind == cpu.TrapPageFault && r.RIP == cputest.CodeAt && n == 0 {
					m.AS.Fault(trap.Addr, trap.Access)
					continue
				}
				if trap.Kind != cpu.TrapSyscall || n != 500*5+1 || r.GPR[cpu.RAX] != 500 {
					t.Errorf("%+v after %d, counted %d", trap, n, r.GPR[cpu.RAX])
					return
				}
			}
		}()
	}
	e := newEngine()
	f, ok := m.AS.Lookup(cputest.CodeAt, mm.AccessExec)
	if !ok {
		t.Fatal("no code")
	}
	for range 200 {
		e.flush(cache.flushes.Load())
		m.AS.Lookup(cputest.CodeAt, mm.AccessRead)
		interp.DropCode(f)
	}
	stop.Store(true)
	wg.Wait()
}

// Two processors: one writes a function in a page that both execute and tells
// the other, who calls it.
func TestCodeIsPublished(t *testing.T) {
	const fn = cputest.CodeAt + 64
	m := cputest.NewMachine(t, newJIT(t),
		// wait: mov eax, [rbx]; cmp eax, ecx; jne wait; call fn; syscall
		0x8b, 0x03, 0x39, 0xc8, 0x75, 0xfa, 0xe8, 53, 0, 0, 0, 0x0f, 0x05)
	m.Write(cputest.CodeAt+mm.PageSize,
		// mov [rdx+1], ecx; mov [rbx], ecx; call fn; syscall
		0x89, 0x4a, 0x01, 0x89, 0x0b, 0xe8, 0x36, 0xf0, 0xff, 0xff, 0x0f, 0x05)
	m.Write(fn, 0xb8, 0, 0, 0, 0, 0xc3) // mov eax, imm; ret
	for _, a := range []uint64{cputest.CodeAt, cputest.CodeAt + mm.PageSize, cputest.DataAt, cputest.DataAt + mm.PageSize} {
		m.AS.Fault(a, mm.AccessWrite)
	}
	run := func(e cpu.Engine, rip, rsp uint64, i uint64) uint64 {
		r := m.R
		r.RIP, r.GPR[cpu.RSP] = rip, rsp
		r.GPR[cpu.RBX], r.GPR[cpu.RCX], r.GPR[cpu.RDX] = cputest.DataAt, i, fn
		if trap, _ := e.Run(new(cpu.VCPU), &r, m.AS, 1<<40); trap.Kind != cpu.TrapSyscall {
			t.Errorf("%+v", trap)
		}
		return r.GPR[cpu.RAX]
	}
	reader, writer := newJIT(t), newJIT(t)
	for i := uint64(1); i <= 300 && !t.Failed(); i++ {
		var wg sync.WaitGroup
		for _, f := range []func() uint64{
			func() uint64 { return run(reader, cputest.CodeAt, cputest.DataAt+mm.PageSize+1024, i) },
			func() uint64 {
				return run(writer, cputest.CodeAt+mm.PageSize, cputest.DataAt+mm.PageSize+2048, i)
			},
		} {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if got := f(); got != i {
					t.Errorf("round %d: old code ran, %d", i, got)
				}
			}()
		}
		wg.Wait()
	}
}
