package tine

import "sync"

// entropy is what is left of random bytes that the host has given: it is asked for
// many at a time.
var entropy struct {
	mu   sync.Mutex
	buf  [256]byte
	rest []byte // of buf
}

// readEntropy fills p with random bytes. No byte is given twice.
func readEntropy(p []byte) {
	e := &entropy
	if len(p) > len(e.buf) {
		hostEntropy(p)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(p) > len(e.rest) {
		hostEntropy(e.buf[:])
		e.rest = e.buf[:]
	}
	clear(e.rest[:copy(p, e.rest)])
	e.rest = e.rest[len(p):]
}
