//go:build !amd64

package cpu

import "time"

var cyclesBase = time.Now()

// Cycles is a counter for measuring parts of a whole.
func Cycles() uint64 { return uint64(time.Since(cyclesBase)) }
