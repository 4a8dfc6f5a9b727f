package jit

import "errors"

// features are what processors have or not, as far as it matters here.
type features struct {
	v2                            bool // all of x86-64-v2
	avx, avx2, fma, f16c          bool // and the kernel saves the registers
	movbe, lzcnt, bmi1, bmi2, adx bool
	pclmul, aes, sha              bool
}

// hostHas is what the host's processor has. A CPUID in a virtual machine takes
// some 15 us, so no leaf is asked for twice.
var hostHas = askHost()

// hostAVX is hostHas.avx for enter.
var hostAVX = hostHas.avx

// cpuid executes CPUID.
func cpuid(leaf, sub uint32) (a, b, c, d uint32)

// xgetbv returns the lower half of XCR0.
func xgetbv() (low uint32)

// askHost reads CPUID (SDM vol. 2, CPUID).
func askHost() features {
	bit := func(word uint32, n int) bool { return word>>n&1 != 0 }
	last, _, _, _ := cpuid(0, 0)
	_, _, c1, _ := cpuid(1, 0)
	_, _, ext, _ := cpuid(0x80000001, 0)
	var b7 uint32
	if last >= 7 {
		_, b7, _, _ = cpuid(7, 0)
	}
	const (
		v2      = 1<<0 | 1<<9 | 1<<13 | 1<<19 | 1<<20 | 1<<23 // SSE3, SSSE3, CX16, SSE4.1, SSE4.2, POPCNT
		sseAVX  = 1<<1 | 1<<2                                 // of XCR0
		osXSAVE = 27
	)
	avx := bit(c1, osXSAVE) && bit(c1, 28) && xgetbv()&sseAVX == sseAVX
	return features{
		v2:  c1&v2 == v2,
		avx: avx, avx2: avx && bit(b7, 5), fma: avx && bit(c1, 12), f16c: avx && bit(c1, 29),
		movbe: bit(c1, 22), lzcnt: bit(ext, 5), bmi1: bit(b7, 3), bmi2: bit(b7, 8), adx: bit(b7, 19),
		pclmul: bit(c1, 1), aes: bit(c1, 25), sha: bit(b7, 29),
	}
}

// supported says whether the host's processor has all that the guest's
// reports.
func supported() error {
	if !hostHas.v2 {
		return errors.New("jit: the host's processor is older than x86-64-v2")
	}
	return nil
}
