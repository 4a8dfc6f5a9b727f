package cpu

// Cycles reads the host's time stamp counter, a few times cheaper than its
// clock. Only parts of a whole are measured with it.
func Cycles() uint64
