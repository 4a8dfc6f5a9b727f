package tine

import (
	"crypto/rand"

	"golang.org/x/sys/unix"
)

// hostEntropy asks the system itself: the first use of crypto/rand takes some
// 70 us.
func hostEntropy(p []byte) {
	for len(p) > 0 {
		n, err := unix.Getrandom(p, 0)
		if err != nil && err != unix.EINTR {
			rand.Read(p) // it knows what else there is
			return
		}
		p = p[max(n, 0):]
	}
}
