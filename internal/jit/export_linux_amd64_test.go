package jit

// What the tests in package jit_test use.

// PassedFPU is passedFPU.
var PassedFPU = passedFPU

// Reserve is reserve.
const Reserve = reserve

// SetHotAfter changes hotAfter.
func SetHotAfter(n int32) (old int32) {
	old, hotAfter = hotAfter, n
	return old
}
