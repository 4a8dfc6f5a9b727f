package interp

import "github.com/tinevm/tine/internal/cpu"

// Features says which optional instruction sets CPUID reports. Everything that
// is reported is there; what is not reported may be there as well.
type Features struct {
	SSE3, SSSE3, SSE41, SSE42, POPCNT, CX16 bool
	ERMS, FSRM                              bool
	MOVBE, LZCNT, BMI1, BMI2, ADX           bool
	PCLMUL, AES, SHA                        bool
	FSGSBASE, RDTSCP, RDPID                 bool
	AVX                                     bool // AVX2, FMA, F16C and XSAVE as well
}

// Reported is what CPUID reports: x86-64-v3. It is set before any engine runs.
// A processor may be told not to report AVX (cpu.VCPU.NoAVX).
var Reported = Features{
	SSE3: true, SSSE3: true, SSE41: true, SSE42: true, POPCNT: true, CX16: true,
	ERMS: true, FSRM: true,
	MOVBE: true, LZCNT: true, BMI1: true, BMI2: true, ADX: true,
	PCLMUL: true, AES: true, SHA: true,
	FSGSBASE: true, RDTSCP: true, RDPID: true,
	AVX: true,
}

// Leaf 1: feature bits (SDM vol. 2, CPUID, tables 3-10 and 3-11).
const (
	// Family 6, the first model with AVX2; and the last generation without AVX.
	cpuSignature   = 0x000306c3
	signatureNoAVX = 0x000206c2
	// FPU, TSC, CX8, CMOV, CLFSH, MMX, FXSR, SSE, SSE2.
	leaf1EDX = 1<<0 | 1<<4 | 1<<8 | 1<<15 | 1<<19 | 1<<23 | 1<<24 | 1<<25 | 1<<26
)

// brand is the name in leaves 0x80000002 to 0x80000004.
const brand = "tine virtual x86-64 processor"

// cpuidLeaf returns EAX, EBX, ECX, EDX. The vendor is one that glibc knows:
// with another it does not look at the features at all.
func cpuidLeaf(leaf, sub, id uint32, noAVX bool) (a, b, c, d uint32) {
	f := &Reported
	avx := f.AVX && !noAVX
	switch leaf {
	case 0:
		a = 7
		if avx {
			a = 0xd
		}
		return a, 0x756e6547, 0x6c65746e, 0x49656e69 // "GenuineIntel"
	case 1:
		c = flag(f.SSE3, 0) | flag(f.SSSE3, 9) | flag(f.CX16, 13) | flag(f.SSE41, 19) |
			flag(f.SSE42, 20) | flag(f.POPCNT, 23) | flag(f.PCLMUL, 1) | flag(f.MOVBE, 22) | flag(f.AES, 25)
		a = signatureNoAVX
		if avx {
			// FMA, XSAVE, OSXSAVE, AVX, F16C.
			a, c = cpuSignature, c|1<<12|1<<26|1<<27|1<<28|1<<29
		}
		return a, id<<24 | 1<<16 | 8<<8, c, leaf1EDX
	case 2:
		return 0xff01, 0, 0, 0 // caches are described in leaf 4
	case 4:
		return cacheLeaf(sub)
	case 7:
		if sub == 0 {
			b = flag(f.FSGSBASE, 0) | flag(f.BMI1, 3) | flag(avx, 5) | flag(f.BMI2, 8) | flag(f.ERMS, 9) | flag(f.ADX, 19) | flag(f.SHA, 29)
			return 0, b, flag(f.RDPID, 22), flag(f.FSRM, 4)
		}
	case 0xd:
		if avx {
			return stateLeaf(sub)
		}
	case 0x80000000:
		return 0x80000008, 0, 0, 0
	case 0x80000001:
		c = 1<<0 | flag(f.LZCNT, 5)                                // LAHF
		return 0, 0, c, 1<<11 | 1<<20 | flag(f.RDTSCP, 27) | 1<<29 // SYSCALL, NX, LM
	case 0x80000002, 0x80000003, 0x80000004:
		var s [48]byte
		copy(s[:], brand)
		w := func(i uint32) uint32 {
			p := s[16*(leaf-0x80000002)+4*i:]
			return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24
		}
		return w(0), w(1), w(2), w(3)
	case 0x80000006:
		return 0, 0, 256<<16 | 6<<12 | 64, 0
	case 0x80000008:
		return 48<<8 | 46, 0, 0, 0
	}
	return 0, 0, 0, 0
}

// stateLeaf describes XSAVE (leaf 0xD): XCR0 and the size of the area, XSAVEOPT,
// XSAVEC and XGETBV with ECX 1, and the upper halves.
func stateLeaf(sub uint32) (a, b, c, d uint32) {
	switch sub {
	case 0:
		return cpu.XFeatures, cpu.XSize, cpu.XSize, 0
	case 1:
		return 1<<0 | 1<<1 | 1<<2, cpu.XSize, 0, 0
	case 2:
		return cpu.XSize - cpu.XYMM, cpu.XYMM, 0, 0
	}
	return 0, 0, 0, 0
}

// cacheLeaf describes 32 KiB L1, 256 KiB L2 and 12 MiB L3 (leaf 4). glibc
// derives from it from where on memcpy bypasses the cache.
func cacheLeaf(sub uint32) (a, b, c, d uint32) {
	const line = 64 - 1
	switch sub {
	case 0:
		return 1<<8 | 1<<5 | 1, 7<<22 | line, 63, 0
	case 1:
		return 1<<8 | 1<<5 | 2, 7<<22 | line, 63, 0
	case 2:
		return 1<<8 | 2<<5 | 3, 7<<22 | line, 511, 0
	case 3:
		return 1<<8 | 3<<5 | 3, 15<<22 | line, 12287, 1 << 1
	}
	return 0, 0, 0, 0
}

func flag(on bool, n uint) uint32 {
	if on {
		return 1 << n
	}
	return 0
}

func cpuid(c *core, _ *op) bool {
	identify(c.v, &c.r[cpu.RAX], &c.r[cpu.RBX], &c.r[cpu.RCX], &c.r[cpu.RDX])
	return true
}

// identify is CPUID with its registers.
func identify(v *cpu.VCPU, rax, rbx, rcx, rdx *uint64) {
	a, b, c, d := cpuidLeaf(uint32(*rax), uint32(*rcx), uint32(v.ID), v.NoAVX)
	*rax, *rbx, *rcx, *rdx = uint64(a), uint64(b), uint64(c), uint64(d)
}
