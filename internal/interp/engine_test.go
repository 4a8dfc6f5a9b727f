package interp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// The test machine: two pages of code, four of data, a read-only page after
// them, and nothing around.
const (
	codeAt = 0x400000
	dataAt = 0x600000
	roAt   = dataAt + 4*mm.PageSize
)

type machine struct {
	t  testing.TB
	as *mm.AddressSpace
	v  cpu.VCPU
	e  *core
	r  cpu.Regs
}

func newMachine(t testing.TB, code ...byte) *machine {
	m := &machine{t: t, as: mm.NewAddressSpace(mm.NewAccount(1<<30), nil), e: newCore()}
	rwx := mm.ProtRead | mm.ProtWrite | mm.ProtExec
	m.mapAt(codeAt, 2*mm.PageSize, rwx)
	m.mapAt(dataAt, 4*mm.PageSize, mm.ProtRead|mm.ProtWrite)
	m.mapAt(roAt, mm.PageSize, mm.ProtRead)
	m.r.Reset()
	m.r.RIP = codeAt
	m.r.GPR[cpu.RSP] = dataAt + 2*mm.PageSize
	m.write(codeAt, code...)
	return m
}

func (m *machine) mapAt(addr, n uint64, prot mm.Prot) {
	if _, errno := m.as.Map(mm.MapRequest{Addr: addr, Len: n, Prot: prot, Fixed: true}); errno != 0 {
		m.t.Fatal(errno)
	}
}

func (m *machine) write(addr uint64, b ...byte) {
	if _, errno := m.as.CopyOut(addr, b); errno != 0 {
		m.t.Fatalf("writing %#x: %v", addr, errno)
	}
}

func (m *machine) read(addr uint64, n int) []byte {
	b := make([]byte, n)
	if _, errno := m.as.CopyIn(addr, b); errno != 0 {
		m.t.Fatalf("reading %#x: %v", addr, errno)
	}
	return b
}

func (m *machine) word(addr uint64) uint64 { return binary.LittleEndian.Uint64(m.read(addr, 8)) }

// run runs until something other than a page fault that mm can resolve.
func (m *machine) run(budget int64) (cpu.Trap, int64) {
	var total int64
	for {
		trap, n := m.e.Run(&m.v, &m.r, m.as, budget-total)
		if total += n; trap.Kind == cpu.TrapPageFault {
			if res, _ := m.as.Fault(trap.Addr, trap.Access); res == mm.FaultOK {
				continue
			}
		}
		return trap, total
	}
}

// expect runs and checks the trap, where it happened, and the count.
func (m *machine) expect(want cpu.Trap, rip uint64, count int64) {
	m.t.Helper()
	got, n := m.run(1000)
	if got != want || m.r.RIP != rip || n != count {
		m.t.Fatalf("got %+v at %#x after %d, want %+v at %#x after %d", got, m.r.RIP, n, want, rip, count)
	}
}

func exception(vector uint8) cpu.Trap {
	return cpu.Trap{Kind: cpu.TrapException, Vector: vector}
}

func TestTraps(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  []byte
		want  cpu.Trap
		rip   uint64
		count int64
	}{
		{"syscall", []byte{0x90, 0x0f, 0x05}, cpu.Trap{Kind: cpu.TrapSyscall}, 3, 2},
		{"int 0x80", []byte{0xcd, 0x80}, cpu.Trap{Kind: cpu.TrapInt80}, 2, 1},
		{"int3", []byte{0xcc}, exception(cpu.VectorBP), 1, 1},
		{"ud2", []byte{0x90, 0x90, 0x0f, 0x0b}, exception(cpu.VectorUD), 2, 2},
		{"hlt", []byte{0xf4}, exception(cpu.VectorGP), 0, 0},
		{"int 3", []byte{0xcd, 0x03}, exception(cpu.VectorBP), 2, 1},
		{"int 0x21", []byte{0xcd, 0x21}, exception(cpu.VectorGP), 0, 0},
		{"vzeroupper", []byte{0xc5, 0xf8, 0x77}, exception(cpu.VectorUD), 0, 0},
		{"xgetbv", []byte{0x0f, 0x01, 0xd0}, exception(cpu.VectorUD), 0, 0},
		{"to code of 32 bits", []byte{0x6a, 0x23, 0x6a, 0x00, 0x48, 0xcb}, exception(cpu.VectorGP), 4, 2},
		{"div by zero", []byte{0x31, 0xc9, 0xf7, 0xf1}, exception(cpu.VectorDE), 2, 1},
		{"too long", bytes.Repeat([]byte{0x66}, 16), exception(cpu.VectorGP), 0, 0},
		{"lock mov", []byte{0xf0, 0x89, 0x00}, exception(cpu.VectorUD), 0, 0},
		{"non-canonical", []byte{0x48, 0xb8, 0, 0, 0, 0, 0, 0, 1, 0, 0x8b, 0x00}, exception(cpu.VectorGP), 10, 1},
		{"non-canonical stack", []byte{0x48, 0xbc, 0, 0, 0, 0, 0, 0, 1, 0, 0x50}, exception(cpu.VectorSS), 10, 1},
		{"absent", []byte{0x8b, 0x04, 0x25, 0x10, 0, 0, 0}, cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessRead, Addr: 0x10}, 0, 0},
		{"jump to nowhere", []byte{0x31, 0xc0, 0xff, 0xe0}, cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessExec}, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, c.code...)
			rip := codeAt + c.rip
			if c.want.Access == mm.AccessExec {
				rip = 0
			}
			m.expect(c.want, rip, c.count)
		})
	}
}

func TestSyscallRegisters(t *testing.T) {
	m := newMachine(t, 0xf9, 0x0f, 0x05) // stc; syscall
	m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+3, 2)
	if m.r.GPR[cpu.RCX] != codeAt+3 || m.r.GPR[cpu.R11] != m.r.Flags || m.r.Flags&cpu.FlagCF == 0 {
		t.Errorf("rcx %#x, r11 %#x, flags %#x", m.r.GPR[cpu.RCX], m.r.GPR[cpu.R11], m.r.Flags)
	}
}

func TestUnknownHook(t *testing.T) {
	var got []byte
	OnUnknown = func(b []byte) { got = append(got, b...) }
	defer func() { OnUnknown = nil }()
	m := newMachine(t, 0xc5, 0xf8, 0x77)
	m.expect(exception(cpu.VectorUD), codeAt, 0)
	if !bytes.HasPrefix(got, []byte{0xc5, 0xf8, 0x77}) {
		t.Errorf("hook got % x", got)
	}
}

// A loop with all kinds of ops, interrupted after every possible number of
// instructions, must end as when it is run at once.
func TestBudgetIsExact(t *testing.T) {
	code := []byte{
		0xb9, 10, 0, 0, 0, // mov ecx, 10
		0x48, 0x01, 0xc8, // loop: add rax, rcx
		0x50,                 // push rax
		0x48, 0x83, 0xf8, 20, // cmp rax, 20
		0x77, 1, // ja +1
		0x90,       // nop
		0x5b,       // pop rbx
		0xff, 0xc9, // dec ecx
		0x75, 0xf0, // jne loop
		0x0f, 0x05, // syscall
	}
	whole := newMachine(t, code...)
	_, total := whole.run(1000)
	for step := int64(1); step < total; step++ {
		m := newMachine(t, code...)
		var n int64
		for {
			trap, k := m.run(step)
			n += k
			if trap.Kind == cpu.TrapSyscall {
				break
			}
			if trap.Kind != cpu.TrapBudget || k != step {
				t.Fatalf("budget %d: %+v after %d", step, trap, k)
			}
		}
		if n != total || m.r != whole.r || m.v.TSC != uint64(total) {
			t.Fatalf("budget %d: %d instructions and %+v, want %d and %+v", step, n, m.r, total, whole.r)
		}
	}
}

func TestSingleStep(t *testing.T) {
	m := newMachine(t, 0x90, 0x31, 0xc0, 0xf4)
	m.r.Flags |= cpu.FlagTF
	m.expect(exception(cpu.VectorDB), codeAt+1, 1)
	m.expect(exception(cpu.VectorDB), codeAt+3, 1)
	// POPF sets TF: the trap comes after the instruction that follows.
	m = newMachine(t, 0x68, 2, 1, 0, 0, 0x9d, 0x90, 0x90)
	m.expect(exception(cpu.VectorDB), codeAt+7, 3)
}

func TestStop(t *testing.T) {
	m := newMachine(t, 0xeb, 0xfe)
	m.v.Stop()
	m.expect(cpu.Trap{Kind: cpu.TrapInterrupt}, codeAt, 0)
	m.v.ClearStop()
	m.expect(cpu.Trap{Kind: cpu.TrapBudget}, codeAt, 1000)
}

// A store that begins in a writable page and ends in one that is not must
// write nothing.
func TestStoreAcrossPagesIsPrecise(t *testing.T) {
	for _, code := range [][]byte{
		{0x48, 0x89, 0x03},       // mov [rbx], rax
		{0x48, 0x01, 0x03},       // add [rbx], rax
		{0xf0, 0x48, 0x01, 0x03}, // lock add [rbx], rax
		{0x48, 0x87, 0x03},       // xchg [rbx], rax
		{0x48, 0xff, 0x03},       // inc [rbx]
		{0x0f, 0x11, 0x03},       // movups [rbx], xmm0
	} {
		m := newMachine(t, code...)
		m.r.GPR[cpu.RAX] = 0x1122334455667788
		m.r.GPR[cpu.RBX] = roAt - 4
		before := m.r
		m.expect(cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessWrite, Addr: roAt}, codeAt, 0)
		if m.r != before || !bytes.Equal(m.read(roAt-4, 8), make([]byte, 8)) {
			t.Errorf("% x: changed something", code)
		}
	}
	m := newMachine(t, 0x48, 0x89, 0x03, 0xf4)
	m.r.GPR[cpu.RAX], m.r.GPR[cpu.RBX] = 0x1122334455667788, dataAt+mm.PageSize-3
	m.expect(exception(cpu.VectorGP), codeAt+3, 1)
	if m.word(dataAt+mm.PageSize-3) != 0x1122334455667788 {
		t.Error("store across pages went wrong")
	}
}

func TestRepeatedStringIsPrecise(t *testing.T) {
	m := newMachine(t, 0xf3, 0x48, 0xab) // rep stosq
	m.r.GPR[cpu.RAX] = ^uint64(0)
	m.r.GPR[cpu.RDI], m.r.GPR[cpu.RCX] = roAt-64, 100
	m.expect(cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessWrite, Addr: roAt}, codeAt, 0)
	if m.r.GPR[cpu.RDI] != roAt || m.r.GPR[cpu.RCX] != 92 || m.word(roAt-8) != ^uint64(0) {
		t.Errorf("rdi %#x, rcx %d", m.r.GPR[cpu.RDI], m.r.GPR[cpu.RCX])
	}
}

// A destination just above its source repeats the first bytes.
func TestOverlappingCopy(t *testing.T) {
	m := newMachine(t, 0xf3, 0xa4, 0xf4) // rep movsb; hlt
	m.write(dataAt, 'a', 'b', 'c')
	m.r.GPR[cpu.RSI], m.r.GPR[cpu.RDI], m.r.GPR[cpu.RCX] = dataAt, dataAt+3, 9000
	m.expect(exception(cpu.VectorGP), codeAt+2, 1)
	want := bytes.Repeat([]byte("abc"), 3001)
	if !bytes.Equal(m.read(dataAt, 9003), want) {
		t.Error("pattern was not repeated")
	}
}

func TestSelfModifyingCode(t *testing.T) {
	// The second instruction changes the immediate of the third.
	m := newMachine(t,
		0x90,
		0xc6, 0x05, 0x01, 0, 0, 0, 42, // mov byte [rip+1], 42
		0xb8, 1, 0, 0, 0, // mov eax, 1
		0x0f, 0x05)
	m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+15, 4)
	if m.r.GPR[cpu.RAX] != 42 {
		t.Errorf("eax %d", m.r.GPR[cpu.RAX])
	}
	// Now that a write translation exists: code written through it and run.
	m.write(codeAt, 0xb8, 7, 0, 0, 0, 0x0f, 0x05)
	m.r.RIP = codeAt
	m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+7, 2)
	if m.r.GPR[cpu.RAX] != 7 {
		t.Errorf("after the kernel's write eax is %d", m.r.GPR[cpu.RAX])
	}
}

// Another processor that has a write translation of a page must not be able to
// change code unnoticed.
func TestCodeWrittenByAnotherProcessor(t *testing.T) {
	m := newMachine(t, 0xb8, 1, 0, 0, 0, 0x0f, 0x05) // mov eax, 1; syscall
	writer := &machine{t: t, as: m.as, e: newCore(), r: m.r}
	// On the second page: mov [rbx], cl; syscall
	m.write(codeAt+mm.PageSize, 0x88, 0x0b, 0x0f, 0x05)
	for i := byte(1); i < 10; i++ {
		writer.r.RIP = codeAt + mm.PageSize
		writer.r.GPR[cpu.RBX], writer.r.GPR[cpu.RCX] = codeAt+1, uint64(i)
		writer.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+mm.PageSize+4, 2)
		m.r.RIP = codeAt
		m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+7, 2)
		if m.r.GPR[cpu.RAX] != uint64(i) {
			t.Fatalf("round %d: old code ran, eax %d", i, m.r.GPR[cpu.RAX])
		}
	}
}

func TestInstructionAcrossPages(t *testing.T) {
	m := newMachine(t)
	at := uint64(codeAt + mm.PageSize - 4)
	m.write(at, 0x90, 0xb8, 1, 2, 3, 4, 0x0f, 0x05) // mov eax, 0x04030201
	for i := byte(4); i < 8; i++ {
		m.write(codeAt+mm.PageSize+1, i)
		m.r.RIP = at
		m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, at+8, 3)
		if want := 0x030201 | uint64(i)<<24; m.r.GPR[cpu.RAX] != want {
			t.Fatalf("eax %#x, want %#x", m.r.GPR[cpu.RAX], want)
		}
	}
	// The second page is missing: the fault is there, RIP at the instruction.
	if errno := m.as.Unmap(codeAt+mm.PageSize, mm.PageSize); errno != 0 {
		t.Fatal(errno)
	}
	m.r.RIP = at
	m.expect(cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessExec, Addr: codeAt + mm.PageSize}, at+1, 1)
}

// Translations that are taken away must not be used any more.
func TestProtectAndUnmap(t *testing.T) {
	m := newMachine(t, 0x48, 0x89, 0x03, 0x48, 0x8b, 0x03, 0x0f, 0x05) // mov [rbx], rax; mov rax, [rbx]; syscall
	again := func() { m.r.RIP, m.r.GPR[cpu.RBX] = codeAt, dataAt }
	again()
	m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+8, 3)
	m.as.Protect(dataAt, mm.PageSize, mm.ProtRead)
	again()
	m.expect(cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessWrite, Addr: dataAt}, codeAt, 0)
	m.as.Unmap(codeAt, mm.PageSize)
	again()
	m.expect(cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessExec, Addr: codeAt}, codeAt, 0)
}

func TestForkSeesItsOwnMemory(t *testing.T) {
	m := newMachine(t, 0x48, 0xff, 0x03, 0x48, 0x8b, 0x03, 0x0f, 0x05) // inc [rbx]; mov rax, [rbx]; syscall
	m.r.GPR[cpu.RBX] = dataAt
	m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+8, 3)
	child := &machine{t: t, as: m.as.Fork(), e: m.e, r: m.r}
	for want := uint64(2); want < 6; want++ {
		for _, p := range []*machine{m, child} {
			p.r.RIP = codeAt
			p.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+8, 3)
			if p.r.GPR[cpu.RAX] != want {
				t.Fatalf("rax %d, want %d", p.r.GPR[cpu.RAX], want)
			}
		}
	}
}

// More address spaces than there are context numbers.
func TestContextsWrap(t *testing.T) {
	e := newCore()
	for i := range uint64(2*maxContext + 5) {
		if i%500 != 0 && i%maxContext > 3 {
			e.newContext(1<<40+i, 0)
			continue
		}
		m := newMachine(t, 0x8b, 0x03, 0x0f, 0x05) // mov eax, [rbx]; syscall
		m.e = e
		m.r.GPR[cpu.RBX] = dataAt
		m.write(dataAt, byte(i), byte(i>>8))
		m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+4, 2)
		if m.r.GPR[cpu.RAX] != i {
			t.Fatalf("address space %d reads %d", i, m.r.GPR[cpu.RAX])
		}
		m.as.Put()
	}
}

// Locked instructions of two processors must not lose each other's updates.
func TestLockedIsAtomic(t *testing.T) {
	for _, op := range [][]byte{
		{0xf0, 0x48, 0xff, 0x03},       // lock inc qword [rbx]
		{0xf0, 0xff, 0x03},             // lock inc dword
		{0xf0, 0x66, 0xff, 0x03},       // lock inc word
		{0xf0, 0x48, 0x0f, 0xc1, 0x13}, // lock xadd [rbx], rdx
	} {
		code := append(append([]byte{}, op...), 0xff, 0xc9, 0x75, byte(-4-len(op)), 0x0f, 0x05) // dec ecx; jne; syscall
		m := newMachine(t, code...)
		m.r.GPR[cpu.RBX] = dataAt
		m.as.Fault(dataAt, mm.AccessWrite)
		m.as.Fault(codeAt, mm.AccessExec)
		var wg sync.WaitGroup
		const rounds = 20000
		for range 2 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				r, v, e := m.r, new(cpu.VCPU), newCore()
				r.GPR[cpu.RCX] = rounds
				for left := rounds; left > 0; left-- {
					r.GPR[cpu.RDX] = 1
					r.GPR[cpu.RCX] = 1
					r.RIP = codeAt
					if trap, _ := e.Run(v, &r, m.as, 1000); trap.Kind != cpu.TrapSyscall {
						t.Errorf("%+v", trap)
						return
					}
				}
			}()
		}
		wg.Wait()
		if n := m.word(dataAt); n != 2*rounds {
			t.Errorf("% x: counted %d", op, n)
		}
	}
}

func TestRDTSCCounts(t *testing.T) {
	m := newMachine(t, 0x90, 0x0f, 0x31, 0x89, 0xc3, 0x90, 0x0f, 0x31, 0x0f, 0x05) // nop; rdtsc; mov ebx, eax; nop; rdtsc; syscall
	m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+10, 6)
	if m.r.GPR[cpu.RBX] != 1 || m.r.GPR[cpu.RAX] != 4 {
		t.Errorf("read %d and %d", m.r.GPR[cpu.RBX], m.r.GPR[cpu.RAX])
	}
}

func TestSegmentBases(t *testing.T) {
	m := newMachine(t,
		0x64, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, // mov rax, fs:[8]
		0x65, 0x48, 0x8b, 0x0b, // mov rcx, gs:[rbx]
		0x64, 0x48, 0x8b, 0x14, 0xd9, // mov rdx, fs:[rcx+rbx*8]
		0xcc)
	m.r.FSBase, m.r.GSBase, m.r.GPR[cpu.RBX] = dataAt, dataAt+64, 1
	m.write(dataAt+8, 5)
	m.write(dataAt+65, 16)
	m.write(dataAt+24, 9)
	m.expect(exception(cpu.VectorBP), codeAt+19, 4)
	if m.r.GPR[cpu.RAX] != 5 || m.r.GPR[cpu.RCX] != 16 || m.r.GPR[cpu.RDX] != 9 {
		t.Errorf("read %v", m.r.GPR[:4])
	}
}

func TestCmpxchg16b(t *testing.T) {
	m := newMachine(t, 0xf0, 0x48, 0x0f, 0xc7, 0x0e, 0xcc) // lock cmpxchg16b [rsi]
	m.r.GPR[cpu.RSI], m.r.GPR[cpu.RBX], m.r.GPR[cpu.RCX] = dataAt, 1, 2
	m.expect(exception(cpu.VectorBP), codeAt+6, 2)
	if m.word(dataAt) != 1 || m.word(dataAt+8) != 2 || m.r.Flags&cpu.FlagZF == 0 {
		t.Error("did not exchange")
	}
	m.r.RIP = codeAt
	m.expect(exception(cpu.VectorBP), codeAt+6, 2)
	if m.r.GPR[cpu.RAX] != 1 || m.r.GPR[cpu.RDX] != 2 || m.r.Flags&cpu.FlagZF != 0 {
		t.Error("did not compare")
	}
	m.r.RIP, m.r.GPR[cpu.RSI] = codeAt, dataAt+8
	m.expect(exception(cpu.VectorGP), codeAt, 0)
}

// TestCPUIDReports checks that what is reported is there, by an instruction of
// each set, and that what needs an operating system's help is not reported.
func TestCPUIDReports(t *testing.T) {
	regs := func(leaf uint32) (r [4]uint32) {
		r[0], r[1], r[2], r[3] = cpuidLeaf(leaf, 0, 0)
		return r
	}
	for _, c := range []struct {
		leaf, reg, bit uint32
		code           string
	}{
		{1, 2, 0, "f2 0f d0 c1"}, {1, 2, 1, "66 0f 3a 44 c1 00"}, {1, 2, 9, "66 0f 38 00 c1"}, {1, 2, 13, "48 0f c7 0e"},
		{1, 2, 19, "66 0f 38 17 c1"}, {1, 2, 20, "f2 0f 38 f1 c1"}, {1, 2, 22, "0f 38 f0 06"}, {1, 2, 23, "f3 0f b8 c1"},
		{1, 2, 25, "66 0f 38 dc c1"},
		{7, 1, 0, "f3 0f ae c1"}, {7, 1, 3, "c4 e2 78 f2 c1"}, {7, 1, 8, "c4 e2 7b f6 c1"}, {7, 1, 9, "f3 a4"},
		{7, 1, 19, "66 0f 38 f6 c1"}, {7, 1, 29, "0f 38 c8 c1"}, {7, 2, 22, "f3 0f c7 f9"}, {7, 3, 4, "f3 a4"},
		{0x80000001, 2, 0, "9f"}, {0x80000001, 2, 5, "f3 0f bd c1"}, {0x80000001, 3, 27, "0f 01 f9"},
	} {
		in, err := x86.Decode(unhex(c.code))
		if regs(c.leaf)[c.reg]>>c.bit&1 == 0 || err != nil || handlers[in.Op] == nil {
			t.Errorf("leaf %#x, register %d, bit %d: %#x, %v", c.leaf, c.reg, c.bit, regs(c.leaf)[c.reg], err)
		}
	}
	const never = 1<<12 | 1<<26 | 1<<27 | 1<<28 | 1<<29 | 1<<30 // FMA XSAVE OSXSAVE AVX F16C RDRAND
	if ecx := regs(1)[2]; ecx&never != 0 {
		t.Errorf("leaf 1 ecx %#x", ecx)
	}
	if ebx := regs(7)[1]; ebx&(1<<5) != 0 { // AVX2
		t.Errorf("leaf 7 ebx %#x", ebx)
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestDropAllBoundsTheCache(t *testing.T) {
	m := newMachine(t, 0x0f, 0x05)
	m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+2, 1)
	cache.ops.Add(maxCached)
	dropAll()
	cache.ops.Add(-maxCached)
	if n := cache.ops.Load(); n != 0 {
		t.Errorf("%d ops left", n)
	}
	m.r.RIP = codeAt
	m.expect(cpu.Trap{Kind: cpu.TrapSyscall}, codeAt+2, 1)
}
