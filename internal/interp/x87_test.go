package interp

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x87"
)

const (
	unitCode = 0x400000
	unitData = 0x600000 // writable; the page after it is not there
)

// unitSpace maps a page of code, followed by INT3, and a page of data.
func unitSpace(t *testing.T, code []byte) *mm.AddressSpace {
	t.Helper()
	as := mm.NewAddressSpace(nil, nil)
	t.Cleanup(as.Put)
	for _, at := range []uint64{unitCode, unitData} {
		if _, errno := as.Map(mm.MapRequest{Addr: at, Len: mm.PageSize, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec, Fixed: true}); errno != 0 {
			t.Fatal(errno)
		}
	}
	if _, errno := as.CopyOut(unitCode, append(code[:len(code):len(code)], 0xcc)); errno != 0 {
		t.Fatal(errno)
	}
	return as
}

// unitRun runs code with RSI at the data until it traps.
func unitRun(t *testing.T, as *mm.AddressSpace, r *cpu.Regs) cpu.Trap {
	t.Helper()
	trap, _ := New().Run(new(cpu.VCPU), r, as, 1000)
	return trap
}

func unitRegs() *cpu.Regs {
	r := new(cpu.Regs)
	r.Reset()
	r.RIP, r.GPR[cpu.RSI] = unitCode, unitData
	return r
}

// TestX87PendingException: the exception is raised by the next waiting
// instruction, not by the division, and not by FNSTSW.
func TestX87PendingException(t *testing.T) {
	code := []byte{
		0xd9, 0x2e, // fldcw (%rsi)
		0xd9, 0xee, // fldz
		0xd9, 0xe8, // fld1
		0xd8, 0xf1, // fdiv %st(1), %st
		0xdf, 0xe0, // fnstsw %ax
		0x9b, // fwait
	}
	as := unitSpace(t, code)
	as.CopyOut(unitData, []byte{0x7b, 0x03}) // all masked but ZE
	r := unitRegs()
	trap := unitRun(t, as, r)
	if trap.Kind != cpu.TrapException || trap.Vector != cpu.VectorMF || r.RIP != unitCode+10 {
		t.Fatalf("trap %+v at %#x", trap, r.RIP)
	}
	if sw := uint16(r.GPR[cpu.RAX]); sw&(x87.ZE|x87.ES|x87.B) != x87.ZE|x87.ES|x87.B {
		t.Errorf("status %#x", sw)
	}
	if r.X87.FIP != unitCode+6 || r.X87.FOP != 0x0f1 {
		t.Errorf("FIP %#x, FOP %#x", r.X87.FIP, r.X87.FOP)
	}
}

// TestX87StoreFault: a store that faults leaves the unit as it was, FNSAVE as
// well as FSTP.
func TestX87StoreFault(t *testing.T) {
	for _, code := range [][]byte{
		{0xdd, 0x1e}, // fstp double (%rsi)
		{0xdb, 0x3e}, // fstp extended
		{0xdf, 0x3e}, // fistp quad
		{0xdf, 0x36}, // fbstp
		{0xdd, 0x36}, // fnsave
		{0xd9, 0x36}, // fnstenv
	} {
		as := unitSpace(t, append([]byte{0xd9, 0xeb, 0xd9, 0xc0}, code...)) // fldpi; fld %st(0)
		as.CopyOut(unitData, []byte{0})                                     // the page is there, the next is not
		r := unitRegs()
		r.GPR[cpu.RSI] = unitData + mm.PageSize - 4
		trap := unitRun(t, as, r)
		if trap.Kind != cpu.TrapPageFault || trap.Addr != unitData+mm.PageSize || r.RIP != unitCode+4 {
			t.Errorf("% x: trap %+v at %#x", code, trap, r.RIP)
		}
		if s := &r.X87; s.Top() != 6 || s.TW != 0xc0 || s.SW&0x3f != 0 || s.CW != 0x37f {
			t.Errorf("% x: state %+v", code, s)
		}
		var b [4]byte
		as.CopyIn(unitData+mm.PageSize-4, b[:])
		if b != [4]byte{} {
			t.Errorf("% x: wrote % x before the fault", code, b)
		}
	}
}

func TestFXSAVE(t *testing.T) {
	code := []byte{
		0xd9, 0xeb, // fldpi
		0x48, 0x0f, 0xae, 0x06, // fxsave64 (%rsi)
		0xdb, 0xe3, // fninit
		0x0f, 0x57, 0xc0, // xorps %xmm0, %xmm0
		0x48, 0x0f, 0xae, 0x0e, // fxrstor64 (%rsi)
	}
	as := unitSpace(t, code)
	r := unitRegs()
	r.XMM[0] = [2]uint64{1, 2}
	r.MXCSR = 0x7f80
	// The last bytes of the image are left to software.
	as.CopyOut(unitData+464, []byte("software"))
	if trap := unitRun(t, as, r); trap.Vector != cpu.VectorBP {
		t.Fatalf("trap %+v", trap)
	}
	if r.XMM[0] != [2]uint64{1, 2} || r.MXCSR != 0x7f80 || r.X87.Top() != 7 || r.X87.R[7].Mant != 0xc90fdaa22168c235 {
		t.Errorf("restored %+v", r)
	}
	want := *r
	var image, mem [512]byte
	want.FXSave(&image)
	copy(image[464:], "software")
	as.CopyIn(unitData, mem[:])
	if mem != image {
		t.Errorf("image %x\nwant %x", mem, image)
	}
}

func TestFXRSTORFaults(t *testing.T) {
	as := unitSpace(t, []byte{0x48, 0x0f, 0xae, 0x0e})
	for name, prepare := range map[string]func(r *cpu.Regs){
		"misaligned":     func(r *cpu.Regs) { r.GPR[cpu.RSI] += 8 },
		"reserved MXCSR": func(r *cpu.Regs) { as.CopyOut(unitData+24, []byte{0, 0, 1, 0}) },
	} {
		r := unitRegs()
		prepare(r)
		if trap := unitRun(t, as, r); trap.Vector != cpu.VectorGP || r.RIP != unitCode {
			t.Errorf("%s: trap %+v at %#x", name, trap, r.RIP)
		}
	}
}

// TestX87Sum runs a short computation from memory to memory.
func TestX87Sum(t *testing.T) {
	code := []byte{
		0xdd, 0x06, // fld double (%rsi)
		0xdc, 0x46, 0x08, // fadd double 8(%rsi)
		0xd9, 0xfa, // fsqrt
		0xdd, 0x5e, 0x10, // fstp double 16(%rsi)
	}
	as := unitSpace(t, code)
	var b [24]byte
	binary.LittleEndian.PutUint64(b[0:], math.Float64bits(1.25))
	binary.LittleEndian.PutUint64(b[8:], math.Float64bits(1))
	as.CopyOut(unitData, b[:])
	r := unitRegs()
	if trap := unitRun(t, as, r); trap.Vector != cpu.VectorBP {
		t.Fatalf("trap %+v", trap)
	}
	as.CopyIn(unitData, b[:])
	if got := math.Float64frombits(binary.LittleEndian.Uint64(b[16:])); got != 1.5 {
		t.Errorf("√(1.25+1) = %v", got)
	}
	if r.X87.TW != 0 {
		t.Errorf("stack not empty: %#x", r.X87.TW)
	}
}

// TestMMX adds bytes, and EMMS gives the registers back.
func TestMMX(t *testing.T) {
	code := []byte{
		0x0f, 0x6f, 0x06, // movq (%rsi), %mm0
		0x0f, 0xfc, 0x46, 0x08, // paddb 8(%rsi), %mm0
		0x0f, 0x7f, 0x46, 0x10, // movq %mm0, 16(%rsi)
		0x0f, 0x77, // emms
	}
	as := unitSpace(t, code)
	as.CopyOut(unitData, []byte{1, 2, 3, 4, 5, 6, 7, 255, 1, 1, 1, 1, 1, 1, 1, 1})
	r := unitRegs()
	if trap := unitRun(t, as, r); trap.Vector != cpu.VectorBP {
		t.Fatalf("trap %+v", trap)
	}
	var b [8]byte
	as.CopyIn(unitData+16, b[:])
	if b != [8]byte{2, 3, 4, 5, 6, 7, 8, 0} {
		t.Errorf("sum % x", b)
	}
	if r.X87.TW != 0 || r.X87.R[0].SE != 0xffff {
		t.Errorf("tags %#x, exponent %#x", r.X87.TW, r.X87.R[0].SE)
	}
}
