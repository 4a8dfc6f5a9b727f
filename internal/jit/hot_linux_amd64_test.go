package jit

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/cpu/cputest"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/mm"
)

// heat has blocks become hot after n rounds, and go through calls then, until the test
// ends.
func heat(t *testing.T, n int32) {
	old, samples := hotAfter, sampledAfter
	hotAfter, sampledAfter = n, 0
	t.Cleanup(func() { hotAfter, sampledAfter = old, samples })
}

// blockOf is the block at an address.
func blockOf(t *testing.T, m *cputest.Machine, pc uint64) *block {
	f, ok := m.AS.Lookup(pc, mm.AccessExec)
	if !ok {
		t.Fatal("no code")
	}
	cache.mu.Lock()
	defer cache.mu.Unlock()
	b := frameOf(f).find(pc, false)
	if b == nil {
		t.Fatalf("no block at %#x", pc)
	}
	return b
}

// What the instructions of a hot block accessed last is forgotten when it is no
// longer true.
func TestHotBlocksForgetPages(t *testing.T) {
	heat(t, 5)
	const to = cputest.DataAt + mm.PageSize
	m := cputest.NewMachine(t, newJIT(t),
		// loop: mov rax, [rbx]; mov [rdi], rax; dec ecx; jne loop; syscall
		0x48, 0x8b, 0x03, 0x48, 0x89, 0x07, 0xff, 0xc9, 0x75, 0xf6, 0x0f, 0x05)
	start := func() {
		m.R.RIP, m.R.GPR[cpu.RCX] = cputest.CodeAt, 50
		m.R.GPR[cpu.RBX], m.R.GPR[cpu.RDI] = cputest.DataAt, to
	}
	warm := func() {
		t.Helper()
		start()
		if trap, n := m.Run(1000); trap.Kind != cpu.TrapSyscall || n != 50*4+1 {
			t.Fatalf("%+v after %d", trap, n)
		}
		if b := blockOf(t, m, cputest.CodeAt); b.tier != tierHot {
			t.Fatalf("tier %d", b.tier)
		}
		start()
	}
	fault := func(addr uint64, access mm.Access) {
		t.Helper()
		trap, n := m.E.Run(new(cpu.VCPU), &m.R, m.AS, 1000)
		if want := (cpu.Trap{Kind: cpu.TrapPageFault, Addr: addr, Access: access}); trap != want {
			t.Errorf("%+v after %d, want %+v", trap, n, want)
		}
	}
	protect := func(addr uint64, prot mm.Prot) {
		if errno := m.AS.Protect(addr, mm.PageSize, prot); errno != 0 {
			t.Fatal(errno)
		}
	}
	warm()
	protect(cputest.DataAt, 0)
	fault(cputest.DataAt, mm.AccessRead)
	protect(cputest.DataAt, mm.ProtRead|mm.ProtWrite)
	warm()
	protect(to, mm.ProtRead)
	fault(to, mm.AccessWrite)
	protect(to, mm.ProtRead|mm.ProtWrite)
	warm()
	child := m.AS.Fork()
	fault(to, mm.AccessWrite)
	child.Put()
	warm()
	if errno := m.AS.Unmap(cputest.DataAt, mm.PageSize); errno != 0 {
		t.Fatal(errno)
	}
	fault(cputest.DataAt, mm.AccessRead)
	// An address that no empty entry may be taken for.
	for _, addr := range []uint64{0, 1 << 63, 1<<63 + 8, ^uint64(0) - 100} {
		start()
		m.R.GPR[cpu.RBX] = addr
		if trap, _ := m.E.Run(new(cpu.VCPU), &m.R, m.AS, 1000); trap.Kind == cpu.TrapSyscall {
			t.Errorf("read from %#x", addr)
		}
	}
}

// A hot loop whose instructions access another page each time: it is made anew,
// and all tiers compute and count the same.
func TestHotLoopOverPages(t *testing.T) {
	heat(t, 100)
	code := []byte{
		0x48, 0x03, 0x34, 0x13, // loop: add rsi, [rbx+rdx]
		0x48, 0x89, 0x34, 0x3a, // mov [rdx+rdi], rsi
		0x81, 0xc2, 0x08, 0x10, 0, 0, // add edx, 0x1008
		0x81, 0xe2, 0xf8, 0x1f, 0, 0, // and edx, 0x1ff8
		0x90,       // nop, so that the loop is repeated an odd number of times
		0xff, 0xc9, // dec ecx
		0x75, 0xe7, // jne loop
		0x0f, 0x05,
	}
	run := func(e cpu.Engine) *cputest.Machine {
		m := cputest.NewMachine(t, e, code...)
		for i := range uint64(1024) {
			m.Write(cputest.DataAt+8*i, byte(i), byte(i>>3))
		}
		m.R.GPR[cpu.RCX], m.R.GPR[cpu.RBX], m.R.GPR[cpu.RDI] = 3*farAfter, cputest.DataAt, cputest.DataAt+2*mm.PageSize
		if trap, n := m.Run(1 << 30); trap.Kind != cpu.TrapSyscall || n != 3*farAfter*7+1 {
			t.Fatalf("%+v after %d", trap, n)
		}
		return m
	}
	want, got := run(interp.New()), run(newJIT(t))
	if want.R != got.R {
		t.Errorf("got %+v\nwant %+v", got.R, want.R)
	}
	const n = 4 * mm.PageSize
	if string(want.Read(cputest.DataAt, n)) != string(got.Read(cputest.DataAt, n)) {
		t.Error("memory differs")
	}
	if b := blockOf(t, got, cputest.CodeAt); b.tier != tierHot || b.far&3 != 3 {
		t.Errorf("tier %d, far %#x", b.tier, b.far)
	}
}

// callLoop is a loop that calls a function 100 times, which sometimes returns to
// another address; function is that.
var (
	callLoop = []byte{
		0xe8, 16, 0, 0, 0, // loop: call function
		0x48, 0xff, 0xc3, // inc rbx
		0x48, 0x83, 0xd2, 0x01, // adc rdx, 1
		0xff, 0xc9, // dec ecx
		0x75, 0xf0, // jne loop
		0x0f, 0x05, // syscall
		0x90, 0x90, 0x90,
	}
	function = []byte{
		0x41, 0x52, // push r10
		0xf6, 0xc1, 0x07, // test cl, 7
		0x75, 0x0d, // jne out
		0x48, 0x83, 0x44, 0x24, 0x08, 0x03, // add qword [rsp+8], 3: do not inc
		0x48, 0x81, 0xc6, 0x05, 0, 0, 0, // add rsi, 5
		0x41, 0x5a, // out: pop r10
		0x83, 0xf9, 0x23, // cmp ecx, 35
		0xc3, // ret
	}
)

// callMachine has the function apart bytes after the loop.
func callMachine(t *testing.T, e cpu.Engine, apart int32) *cputest.Machine {
	code := bytes.Clone(callLoop)
	binary.LittleEndian.PutUint32(code[1:], uint32(16+apart))
	m := cputest.NewMachine(t, e, code...)
	m.Write(cputest.CodeAt+uint64(len(code))+uint64(apart), function...)
	return m
}

// runCalls runs the loop in pieces.
func runCalls(t *testing.T, m *cputest.Machine, piece int64) (regs cpu.Regs, total int64) {
	t.Helper()
	m.R.Reset()
	m.R.RIP, m.R.GPR[cpu.RSP], m.R.GPR[cpu.RCX] = cputest.CodeAt, cputest.DataAt+2*mm.PageSize, 100
	for {
		trap, n := m.Run(piece)
		total += n
		if trap.Kind == cpu.TrapSyscall {
			return m.R, total
		}
		if trap.Kind != cpu.TrapBudget || n != piece {
			t.Fatalf("%+v after %d", trap, n)
		}
	}
}

// Hot blocks go through calls, to the same page and to another, and the returns from
// them.
func TestHotCalls(t *testing.T) {
	heat(t, 5)
	for _, apart := range []int32{0, mm.PageSize} {
		want, count := runCalls(t, callMachine(t, interp.New(), apart), 1<<20)
		for _, piece := range []int64{1 << 20, 211, 50, 17, 1} {
			m := callMachine(t, newJIT(t), apart)
			got, n := runCalls(t, m, piece)
			if got != want || n != count {
				t.Errorf("%d apart, in pieces of %d: %d instructions, want %d; got %+v\nwant %+v", apart, piece, n, count, got, want)
			}
			if piece < 1<<20 {
				continue
			}
			if b := blockOf(t, m, cputest.CodeAt); b.tier != tierHot || len(b.beside) != 0 != (apart != 0) {
				t.Errorf("%d apart: tier %d, beside %v", apart, b.tier, b.beside)
			}
		}
	}
}

// What a hot block calls in another page is written, or is not the same in another
// address space.
func TestHotCallees(t *testing.T) {
	heat(t, 5)
	const apart = mm.PageSize
	const add = cputest.CodeAt + apart + 21 + 16 // the constant that the function adds to RSI
	a, b := callMachine(t, interp.New(), apart), callMachine(t, newJIT(t), apart)
	same := func(what string) {
		t.Helper()
		want, count := runCalls(t, a, 1<<20)
		if got, n := runCalls(t, b, 1<<20); got != want || n != count {
			t.Errorf("%s: %d instructions, want %d; got %+v\nwant %+v", what, n, count, got, want)
		}
	}
	both := func(fn func(m *cputest.Machine)) { fn(a); fn(b) }
	same("at first")
	both(func(m *cputest.Machine) { m.Write(add, 7) })
	same("written")
	parents := [2]*mm.AddressSpace{a.AS, b.AS}
	both(func(m *cputest.Machine) { m.AS = m.AS.Fork() })
	same("in a child")
	both(func(m *cputest.Machine) { m.Write(add, 9) })
	same("written in the child")
	children := [2]*mm.AddressSpace{a.AS, b.AS}
	a.AS, b.AS = parents[0], parents[1]
	same("in the parent")
	a.AS, b.AS = children[0], children[1]
	same("in the child again")
	both(func(m *cputest.Machine) {
		if errno := m.AS.Protect(cputest.CodeAt+apart, mm.PageSize, mm.ProtRead); errno != 0 {
			t.Fatal(errno)
		}
		m.R.RIP, m.R.GPR[cpu.RCX] = cputest.CodeAt, 100
	})
	want, count := a.Run(1000)
	if got, n := b.Run(1000); got != want || n != count || a.R != b.R {
		t.Errorf("protected: %+v after %d, want %+v after %d", got, n, want, count)
	}
}

// A loop through five pages, by direct and conditional jumps with flags that are used
// on the other side: its hot block goes on in three of them beside its own. All that
// changes in one of them is seen.
func TestHotLoopThroughPages(t *testing.T) {
	heat(t, 5)
	const pages = 5
	at := func(i int) uint64 { return cputest.CodeAt + uint64(i)*mm.PageSize }
	jump := func(from uint64, opcode []byte, to uint64) []byte {
		return binary.LittleEndian.AppendUint32(bytes.Clone(opcode), uint32(to-from-uint64(len(opcode))-4))
	}
	newMachine := func(e cpu.Engine) *cputest.Machine {
		m := cputest.NewMachine(t, e)
		mapAt(t, m, at(2), pages-2, mm.ProtRead|mm.ProtWrite|mm.ProtExec)
		for i := range pages {
			var code []byte
			if i == 0 {
				code = append(code, 0xff, 0xc9, 0x74, 0x7c) // dec ecx; jz
				m.Write(at(0)+0x80, 0x0f, 0x05)
			}
			code = append(code,
				0x48, 0x83, 0xd0, byte(i), // adc rax, i
				0x48, 0x01, 0xc3, // add rbx, rax
				0x48, 0x89, 0x5c, 0x24, 0xf0) // mov [rsp-16], rbx
			code = append(code, 0x48, 0x01, 0xdb) // add rbx, rbx, with flags for the next
			to := at((i + 1) % pages)
			switch here := at(i) + uint64(len(code)); i % 2 {
			case 0:
				code = append(code, jump(here, []byte{0xe9}, to)...)
			default: // jnc and jc
				code = append(code, jump(here, []byte{0x0f, 0x83}, to)...)
				code = append(code, jump(here+6, []byte{0x0f, 0x82}, to)...)
			}
			m.Write(at(i), code...)
		}
		return m
	}
	a, b := newMachine(interp.New()), newMachine(newJIT(t))
	same := func(what string, piece int64) {
		t.Helper()
		want, count := runCalls(t, a, 1<<20)
		if got, n := runCalls(t, b, piece); got != want || n != count {
			t.Errorf("%s: %d instructions, want %d; got %+v\nwant %+v", what, n, count, got, want)
		}
	}
	both := func(fn func(m *cputest.Machine)) { fn(a); fn(b) }
	for _, piece := range []int64{1 << 20, 211, 50, 17, 1} {
		same("in pieces", piece)
	}
	if b := blockOf(t, b, cputest.CodeAt); b.tier != tierHot || len(b.beside) != maxBeside {
		t.Errorf("tier %d, beside %v", b.tier, b.beside)
	}
	for i := range pages {
		add := at(i) + 3
		if i == 0 {
			add += 6
		}
		both(func(m *cputest.Machine) { m.Write(add, byte(40+i)) })
		same("written", 1<<20)
	}
	parents := [2]*mm.AddressSpace{a.AS, b.AS}
	both(func(m *cputest.Machine) { m.AS = m.AS.Fork() })
	same("in a child", 1<<20)
	both(func(m *cputest.Machine) { m.Write(at(2)+3, 77) })
	same("written in the child", 1<<20)
	children := [2]*mm.AddressSpace{a.AS, b.AS}
	a.AS, b.AS = parents[0], parents[1]
	same("in the parent", 1<<20)
	a.AS, b.AS = children[0], children[1]
	same("in the child again", 1<<20)
	for i := 1; i < pages; i++ {
		both(func(m *cputest.Machine) {
			protect(t, m, at(i), 1, mm.ProtRead)
			m.R.RIP, m.R.GPR[cpu.RCX] = cputest.CodeAt, 100
		})
		want, count := a.Run(1000)
		if got, n := b.Run(1000); got != want || n != count || a.R != b.R {
			t.Errorf("page %d protected: %+v after %d, want %+v after %d", i, got, n, want, count)
		}
		both(func(m *cputest.Machine) { protect(t, m, at(i), 1, mm.ProtRead|mm.ProtWrite|mm.ProtExec) })
		same("allowed again", 1<<20)
	}
}
