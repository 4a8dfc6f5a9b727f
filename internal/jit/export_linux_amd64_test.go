package jit

// What the tests in package jit_test use.

// PassedFPU is passedFPU.
var PassedFPU = passedFPU

// Reserve is reserve.
const Reserve = reserve

// SetHotAfter changes hotAfter. Hot blocks go through calls unless it is what it was
// at first.
func SetHotAfter(n int32) (old int32) {
	old, hotAfter = hotAfter, n
	if sampledAfter = 0; n == firstHotAfter {
		sampledAfter = firstSampledAfter
	}
	return old
}

var firstHotAfter, firstSampledAfter = hotAfter, sampledAfter
