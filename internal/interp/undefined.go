package interp

import "github.com/tinevm/tine/internal/x86"

// undefinedMask returns the flags that in leaves undefined (SDM vol. 1, appendix
// A) and that processors do not set by a rule we follow.
func undefinedMask(in *x86.Inst) uint64 {
	return 0
}
