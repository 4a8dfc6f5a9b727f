// Package cputest has the tests that every engine must pass.
package cputest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
)

// suite tests the engines that new makes.
type suite struct{ new func() cpu.Engine }

// Run runs all tests but those named.
func Run(t *testing.T, newEngine func() cpu.Engine, except ...string) {
	n := suite{newEngine}
	for _, c := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"Traps", n.traps},
		{"SyscallRegisters", n.syscallRegisters},
		{"BudgetIsExact", n.budgetIsExact},
		{"SingleStep", n.singleStep},
		{"Stop", n.stop},
		{"StoreAcrossPagesIsPrecise", n.storeAcrossPagesIsPrecise},
		{"RepeatedStringIsPrecise", n.repeatedStringIsPrecise},
		{"OverlappingCopy", n.overlappingCopy},
		{"SelfModifyingCode", n.selfModifyingCode},
		{"CodeWrittenByAnotherProcessor", n.codeWrittenByAnotherProcessor},
		{"InstructionAcrossPages", n.instructionAcrossPages},
		{"ProtectAndUnmap", n.protectAndUnmap},
		{"ForkSeesItsOwnMemory", n.forkSeesItsOwnMemory},
		{"LockedIsAtomic", n.lockedIsAtomic},
		{"RDTSCCounts", n.countsTSC},
		{"SegmentBases", n.segmentBases},
		{"Cmpxchg16b", n.cmpxchg16b},
		{"CPUIDReportsV3", n.reportsV3},
		{"UpperHalves", n.upperHalves},
		{"XSAVE", n.xsave},
		{"XGETBV", n.xgetbv},
		{"AlignmentCheck", n.alignmentCheck},
		{"AlignmentCheckByFlag", n.alignmentCheckByFlag},
	} {
		if !slices.Contains(except, c.name) {
			t.Run(c.name, c.test)
		}
	}
}

// The test machine: two pages of code, four of data, a read-only page after
// them, and nothing around.
const (
	CodeAt = 0x400000
	DataAt = 0x600000
	ROAt   = DataAt + 4*mm.PageSize
)

// Machine is one processor and its memory.
type Machine struct {
	t  testing.TB
	AS *mm.AddressSpace
	v  cpu.VCPU
	E  cpu.Engine
	R  cpu.Regs
}

// NewMachine makes a machine that runs code on an engine.
func NewMachine(t testing.TB, e cpu.Engine, code ...byte) *Machine {
	m := &Machine{t: t, AS: mm.NewAddressSpace(mm.NewAccount(1<<30), nil), E: e}
	rwx := mm.ProtRead | mm.ProtWrite | mm.ProtExec
	m.mapAt(CodeAt, 2*mm.PageSize, rwx)
	m.mapAt(DataAt, 4*mm.PageSize, mm.ProtRead|mm.ProtWrite)
	m.mapAt(ROAt, mm.PageSize, mm.ProtRead)
	m.R.Reset()
	m.R.RIP = CodeAt
	m.R.GPR[cpu.RSP] = DataAt + 2*mm.PageSize
	m.Write(CodeAt, code...)
	return m
}

func (m *Machine) mapAt(addr, n uint64, prot mm.Prot) {
	if _, errno := m.AS.Map(mm.MapRequest{Addr: addr, Len: n, Prot: prot, Fixed: true}); errno != 0 {
		m.t.Fatal(errno)
	}
}

// Write puts bytes into memory.
func (m *Machine) Write(addr uint64, b ...byte) {
	if _, errno := m.AS.CopyOut(addr, b); errno != 0 {
		m.t.Fatalf("writing %#x: %v", addr, errno)
	}
}

// Read returns n bytes of memory.
func (m *Machine) Read(addr uint64, n int) []byte {
	b := make([]byte, n)
	if _, errno := m.AS.CopyIn(addr, b); errno != 0 {
		m.t.Fatalf("reading %#x: %v", addr, errno)
	}
	return b
}

// Word returns a quadword of memory.
func (m *Machine) Word(addr uint64) uint64 { return binary.LittleEndian.Uint64(m.Read(addr, 8)) }

// Run runs until something other than a page fault that mm can resolve.
func (m *Machine) Run(budget int64) (cpu.Trap, int64) {
	var total int64
	for {
		trap, n := m.E.Run(&m.v, &m.R, m.AS, budget-total)
		m.R.Recall()
		if total += n; trap.Kind == cpu.TrapPageFault {
			if res, _ := m.AS.Fault(trap.Addr, trap.Access); res == mm.FaultOK {
				continue
			}
		}
		return trap, total
	}
}

// Expect runs and checks the trap, where it happened, and the count.
func (m *Machine) Expect(want cpu.Trap, rip uint64, count int64) {
	m.t.Helper()
	got, n := m.Run(1000)
	if got != want || m.R.RIP != rip || n != count {
		m.t.Fatalf("got %+v at %#x after %d, want %+v at %#x after %d", got, m.R.RIP, n, want, rip, count)
	}
}

// Exception is the trap for a processor exception.
func Exception(vector uint8) cpu.Trap {
	return cpu.Trap{Kind: cpu.TrapException, Vector: vector}
}

func (n suite) traps(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  []byte
		want  cpu.Trap
		rip   uint64
		count int64
	}{
		{"syscall", []byte{0x90, 0x0f, 0x05}, cpu.Trap{Kind: cpu.TrapSyscall}, 3, 2},
		{"int 0x80", []byte{0xcd, 0x80}, cpu.Trap{Kind: cpu.TrapInt80}, 2, 1},
		{"int3", []byte{0xcc}, Exception(cpu.VectorBP), 1, 1},
		{"ud2", []byte{0x90, 0x90, 0x0f, 0x0b}, Exception(cpu.VectorUD), 2, 2},
		{"hlt", []byte{0xf4}, Exception(cpu.VectorGP), 0, 0},
		{"int 3", []byte{0xcd, 0x03}, Exception(cpu.VectorBP), 2, 1},
		{"int 0x21", []byte{0xcd, 0x21}, Exception(cpu.VectorGP), 0, 0},
		{"xsetbv", []byte{0x0f, 0x01, 0xd1}, Exception(cpu.VectorGP), 0, 0},
		{"evex", []byte{0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc0}, Exception(cpu.VectorUD), 0, 0},
		{"to code of 32 bits", []byte{0x6a, 0x23, 0x6a, 0x00, 0x48, 0xcb}, Exception(cpu.VectorGP), 4, 2},
		{"div by zero", []byte{0x31, 0xc9, 0xf7, 0xf1}, Exception(cpu.VectorDE), 2, 1},
		{"too long", bytes.Repeat([]byte{0x66}, 16), Exception(cpu.VectorGP), 0, 0},
		{"lock mov", []byte{0xf0, 0x89, 0x00}, Exception(cpu.VectorUD), 0, 0},
		{"non-canonical", []byte{0x48, 0xb8, 0, 0, 0, 0, 0, 0, 1, 0, 0x8b, 0x00}, Exception(cpu.VectorGP), 10, 1},
		{"non-canonical stack", []byte{0x48, 0xbc, 0, 0, 0, 0, 0, 0, 1, 0, 0x50}, Exception(cpu.VectorSS), 10, 1},
		{"absent", []byte{0x8b, 0x04, 0x25, 0x10, 0, 0, 0}, cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessRead, Addr: 0x10}, 0, 0},
		{"jump to nowhere", []byte{0x31, 0xc0, 0xff, 0xe0}, cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessExec}, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := NewMachine(t, n.new(), c.code...)
			rip := CodeAt + c.rip
			if c.want.Access == mm.AccessExec {
				rip = 0
			}
			m.Expect(c.want, rip, c.count)
		})
	}
}

func (n suite) syscallRegisters(t *testing.T) {
	m := NewMachine(t, n.new(), 0xf9, 0x0f, 0x05) // stc; syscall
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+3, 2)
	if m.R.GPR[cpu.RCX] != CodeAt+3 || m.R.GPR[cpu.R11] != m.R.Flags || m.R.Flags&cpu.FlagCF == 0 {
		t.Errorf("rcx %#x, r11 %#x, flags %#x", m.R.GPR[cpu.RCX], m.R.GPR[cpu.R11], m.R.Flags)
	}
}

// A loop with all kinds of ops, interrupted after every possible number of
// instructions, must end as when it is run at once.
func (n suite) budgetIsExact(t *testing.T) {
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
	whole := NewMachine(t, n.new(), code...)
	_, total := whole.Run(1000)
	for step := int64(1); step < total; step++ {
		m := NewMachine(t, n.new(), code...)
		var n int64
		for {
			trap, k := m.Run(step)
			n += k
			if trap.Kind == cpu.TrapSyscall {
				break
			}
			if trap.Kind != cpu.TrapBudget || k != step {
				t.Fatalf("budget %d: %+v after %d", step, trap, k)
			}
		}
		if n != total || m.R != whole.R || m.v.TSC != uint64(total) {
			t.Fatalf("budget %d: %d instructions and %+v, want %d and %+v", step, n, m.R, total, whole.R)
		}
	}
}

func (n suite) singleStep(t *testing.T) {
	m := NewMachine(t, n.new(), 0x90, 0x31, 0xc0, 0xf4)
	m.R.Flags |= cpu.FlagTF
	m.Expect(Exception(cpu.VectorDB), CodeAt+1, 1)
	m.Expect(Exception(cpu.VectorDB), CodeAt+3, 1)
	// POPF sets TF: the trap comes after the instruction that follows.
	m = NewMachine(t, n.new(), 0x68, 2, 1, 0, 0, 0x9d, 0x90, 0x90)
	m.Expect(Exception(cpu.VectorDB), CodeAt+7, 3)
}

func (n suite) stop(t *testing.T) {
	m := NewMachine(t, n.new(), 0xeb, 0xfe)
	m.v.Stop()
	m.Expect(cpu.Trap{Kind: cpu.TrapInterrupt}, CodeAt, 0)
	m.v.ClearStop()
	m.Expect(cpu.Trap{Kind: cpu.TrapBudget}, CodeAt, 1000)
}

// A store that begins in a writable page and ends in one that is not must
// write nothing.
func (n suite) storeAcrossPagesIsPrecise(t *testing.T) {
	for _, code := range [][]byte{
		{0x48, 0x89, 0x03},       // mov [rbx], rax
		{0x48, 0x01, 0x03},       // add [rbx], rax
		{0xf0, 0x48, 0x01, 0x03}, // lock add [rbx], rax
		{0x48, 0x87, 0x03},       // xchg [rbx], rax
		{0x48, 0xff, 0x03},       // inc [rbx]
		{0x0f, 0x11, 0x03},       // movups [rbx], xmm0
	} {
		m := NewMachine(t, n.new(), code...)
		m.R.GPR[cpu.RAX] = 0x1122334455667788
		m.R.GPR[cpu.RBX] = ROAt - 4
		before := m.R
		m.Expect(cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessWrite, Addr: ROAt}, CodeAt, 0)
		if m.R != before || !bytes.Equal(m.Read(ROAt-4, 8), make([]byte, 8)) {
			t.Errorf("% x: changed something", code)
		}
	}
	m := NewMachine(t, n.new(), 0x48, 0x89, 0x03, 0xf4)
	m.R.GPR[cpu.RAX], m.R.GPR[cpu.RBX] = 0x1122334455667788, DataAt+mm.PageSize-3
	m.Expect(Exception(cpu.VectorGP), CodeAt+3, 1)
	if m.Word(DataAt+mm.PageSize-3) != 0x1122334455667788 {
		t.Error("store across pages went wrong")
	}
}

func (n suite) repeatedStringIsPrecise(t *testing.T) {
	m := NewMachine(t, n.new(), 0xf3, 0x48, 0xab) // rep stosq
	m.R.GPR[cpu.RAX] = ^uint64(0)
	m.R.GPR[cpu.RDI], m.R.GPR[cpu.RCX] = ROAt-64, 100
	m.Expect(cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessWrite, Addr: ROAt}, CodeAt, 0)
	if m.R.GPR[cpu.RDI] != ROAt || m.R.GPR[cpu.RCX] != 92 || m.Word(ROAt-8) != ^uint64(0) {
		t.Errorf("rdi %#x, rcx %d", m.R.GPR[cpu.RDI], m.R.GPR[cpu.RCX])
	}
}

// A destination just above its source repeats the first bytes.
func (n suite) overlappingCopy(t *testing.T) {
	m := NewMachine(t, n.new(), 0xf3, 0xa4, 0xf4) // rep movsb; hlt
	m.Write(DataAt, 'a', 'b', 'c')
	m.R.GPR[cpu.RSI], m.R.GPR[cpu.RDI], m.R.GPR[cpu.RCX] = DataAt, DataAt+3, 9000
	m.Expect(Exception(cpu.VectorGP), CodeAt+2, 1)
	want := bytes.Repeat([]byte("abc"), 3001)
	if !bytes.Equal(m.Read(DataAt, 9003), want) {
		t.Error("pattern was not repeated")
	}
}

func (n suite) selfModifyingCode(t *testing.T) {
	// The second instruction changes the immediate of the third.
	m := NewMachine(t, n.new(),
		0x90,
		0xc6, 0x05, 0x01, 0, 0, 0, 42, // mov byte [rip+1], 42
		0xb8, 1, 0, 0, 0, // mov eax, 1
		0x0f, 0x05)
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+15, 4)
	if m.R.GPR[cpu.RAX] != 42 {
		t.Errorf("eax %d", m.R.GPR[cpu.RAX])
	}
	// Now that a write translation exists: code written through it and run.
	m.Write(CodeAt, 0xb8, 7, 0, 0, 0, 0x0f, 0x05)
	m.R.RIP = CodeAt
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+7, 2)
	if m.R.GPR[cpu.RAX] != 7 {
		t.Errorf("after the kernel's write eax is %d", m.R.GPR[cpu.RAX])
	}
}

// Another processor that has a write translation of a page must not be able to
// change code unnoticed.
func (n suite) codeWrittenByAnotherProcessor(t *testing.T) {
	m := NewMachine(t, n.new(), 0xb8, 1, 0, 0, 0, 0x0f, 0x05) // mov eax, 1; syscall
	writer := &Machine{t: t, AS: m.AS, E: n.new(), R: m.R}
	// On the second page: mov [rbx], cl; syscall
	m.Write(CodeAt+mm.PageSize, 0x88, 0x0b, 0x0f, 0x05)
	for i := byte(1); i < 10; i++ {
		writer.R.RIP = CodeAt + mm.PageSize
		writer.R.GPR[cpu.RBX], writer.R.GPR[cpu.RCX] = CodeAt+1, uint64(i)
		writer.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+mm.PageSize+4, 2)
		m.R.RIP = CodeAt
		m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+7, 2)
		if m.R.GPR[cpu.RAX] != uint64(i) {
			t.Fatalf("round %d: old code ran, eax %d", i, m.R.GPR[cpu.RAX])
		}
	}
}

func (n suite) instructionAcrossPages(t *testing.T) {
	m := NewMachine(t, n.new())
	at := uint64(CodeAt + mm.PageSize - 4)
	m.Write(at, 0x90, 0xb8, 1, 2, 3, 4, 0x0f, 0x05) // mov eax, 0x04030201
	for i := byte(4); i < 8; i++ {
		m.Write(CodeAt+mm.PageSize+1, i)
		m.R.RIP = at
		m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, at+8, 3)
		if want := 0x030201 | uint64(i)<<24; m.R.GPR[cpu.RAX] != want {
			t.Fatalf("eax %#x, want %#x", m.R.GPR[cpu.RAX], want)
		}
	}
	// The second page is missing: the fault is there, RIP at the instruction.
	if errno := m.AS.Unmap(CodeAt+mm.PageSize, mm.PageSize); errno != 0 {
		t.Fatal(errno)
	}
	m.R.RIP = at
	m.Expect(cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessExec, Addr: CodeAt + mm.PageSize}, at+1, 1)
}

// Translations that are taken away must not be used any more.
func (n suite) protectAndUnmap(t *testing.T) {
	m := NewMachine(t, n.new(), 0x48, 0x89, 0x03, 0x48, 0x8b, 0x03, 0x0f, 0x05) // mov [rbx], rax; mov rax, [rbx]; syscall
	again := func() { m.R.RIP, m.R.GPR[cpu.RBX] = CodeAt, DataAt }
	again()
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+8, 3)
	m.AS.Protect(DataAt, mm.PageSize, mm.ProtRead)
	again()
	m.Expect(cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessWrite, Addr: DataAt}, CodeAt, 0)
	m.AS.Unmap(CodeAt, mm.PageSize)
	again()
	m.Expect(cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessExec, Addr: CodeAt}, CodeAt, 0)
}

func (n suite) forkSeesItsOwnMemory(t *testing.T) {
	m := NewMachine(t, n.new(), 0x48, 0xff, 0x03, 0x48, 0x8b, 0x03, 0x0f, 0x05) // inc [rbx]; mov rax, [rbx]; syscall
	m.R.GPR[cpu.RBX] = DataAt
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+8, 3)
	child := &Machine{t: t, AS: m.AS.Fork(), E: m.E, R: m.R}
	for want := uint64(2); want < 6; want++ {
		for _, p := range []*Machine{m, child} {
			p.R.RIP = CodeAt
			p.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+8, 3)
			if p.R.GPR[cpu.RAX] != want {
				t.Fatalf("rax %d, want %d", p.R.GPR[cpu.RAX], want)
			}
		}
	}
}

// More address spaces than there are context numbers.
// Locked instructions of two processors must not lose each other's updates.
func (n suite) lockedIsAtomic(t *testing.T) {
	for _, op := range [][]byte{
		{0xf0, 0x48, 0xff, 0x03},       // lock inc qword [rbx]
		{0xf0, 0xff, 0x03},             // lock inc dword
		{0xf0, 0x66, 0xff, 0x03},       // lock inc word
		{0xf0, 0x48, 0x0f, 0xc1, 0x13}, // lock xadd [rbx], rdx
	} {
		code := append(append([]byte{}, op...), 0xff, 0xc9, 0x75, byte(-4-len(op)), 0x0f, 0x05) // dec ecx; jne; syscall
		m := NewMachine(t, n.new(), code...)
		m.R.GPR[cpu.RBX] = DataAt
		m.AS.Fault(DataAt, mm.AccessWrite)
		m.AS.Fault(CodeAt, mm.AccessExec)
		var wg sync.WaitGroup
		const rounds = 20000
		for range 2 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				r, v, e := m.R, new(cpu.VCPU), n.new()
				r.GPR[cpu.RCX] = rounds
				for left := rounds; left > 0; left-- {
					r.GPR[cpu.RDX] = 1
					r.GPR[cpu.RCX] = 1
					r.RIP = CodeAt
					if trap, _ := e.Run(v, &r, m.AS, 1000); trap.Kind != cpu.TrapSyscall {
						t.Errorf("%+v", trap)
						return
					}
				}
			}()
		}
		wg.Wait()
		if n := m.Word(DataAt); n != 2*rounds {
			t.Errorf("% x: counted %d", op, n)
		}
	}
}

func (n suite) countsTSC(t *testing.T) {
	m := NewMachine(t, n.new(), 0x90, 0x0f, 0x31, 0x89, 0xc3, 0x90, 0x0f, 0x31, 0x0f, 0x05) // nop; rdtsc; mov ebx, eax; nop; rdtsc; syscall
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+10, 6)
	if m.R.GPR[cpu.RBX] != 1 || m.R.GPR[cpu.RAX] != 4 {
		t.Errorf("read %d and %d", m.R.GPR[cpu.RBX], m.R.GPR[cpu.RAX])
	}
}

func (n suite) segmentBases(t *testing.T) {
	m := NewMachine(t, n.new(),
		0x64, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, // mov rax, fs:[8]
		0x65, 0x48, 0x8b, 0x0b, // mov rcx, gs:[rbx]
		0x64, 0x48, 0x8b, 0x14, 0xd9, // mov rdx, fs:[rcx+rbx*8]
		0xcc)
	m.R.FSBase, m.R.GSBase, m.R.GPR[cpu.RBX] = DataAt, DataAt+64, 1
	m.Write(DataAt+8, 5)
	m.Write(DataAt+65, 16)
	m.Write(DataAt+24, 9)
	m.Expect(Exception(cpu.VectorBP), CodeAt+19, 4)
	if m.R.GPR[cpu.RAX] != 5 || m.R.GPR[cpu.RCX] != 16 || m.R.GPR[cpu.RDX] != 9 {
		t.Errorf("read %v", m.R.GPR[:4])
	}
}

func (n suite) cmpxchg16b(t *testing.T) {
	m := NewMachine(t, n.new(), 0xf0, 0x48, 0x0f, 0xc7, 0x0e, 0xcc) // lock cmpxchg16b [rsi]
	m.R.GPR[cpu.RSI], m.R.GPR[cpu.RBX], m.R.GPR[cpu.RCX] = DataAt, 1, 2
	m.Expect(Exception(cpu.VectorBP), CodeAt+6, 2)
	if m.Word(DataAt) != 1 || m.Word(DataAt+8) != 2 || m.R.Flags&cpu.FlagZF == 0 {
		t.Error("did not exchange")
	}
	m.R.RIP = CodeAt
	m.Expect(Exception(cpu.VectorBP), CodeAt+6, 2)
	if m.R.GPR[cpu.RAX] != 1 || m.R.GPR[cpu.RDX] != 2 || m.R.Flags&cpu.FlagZF != 0 {
		t.Error("did not compare")
	}
	m.R.RIP, m.R.GPR[cpu.RSI] = CodeAt, DataAt+8
	m.Expect(Exception(cpu.VectorGP), CodeAt, 0)
}
